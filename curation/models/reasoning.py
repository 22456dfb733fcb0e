"""What of a reply is reasoning, and what is the answer."""

from typing import Any, NamedTuple

from curation.calls.call import Reply


class Texts(NamedTuple):
    """The two texts of a trace: what was thought, null where the model gave no such text and '' where it gave an empty
    one; what was answered, null where nothing was. `finish_reason` is why the reply ended, `unfinished` where the
    reasoning ended by itself and no answer came."""

    reasoning: str | None
    completion: str | None
    finish_reason: str


def split(reply: Reply, rule: Any = None) -> Texts:
    """The texts of a reply whose model marks its reasoning as `rule` says; null means by fields of its own alone."""
    if reply.error is not None:
        return Texts(None, None, "error")
    return Texts(reply.reasoning, reply.completion, reply.ending)
