"""A ledger that asks nobody: what would be asked is noted."""

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

from curation.calls.call import Call, Engine, Reply
from curation.calls.ledger import Ledger

UNWRITTEN = "not written yet: "  # begins the text that stands for a reply


@runtime_checkable
class AsksModel(Protocol):
    """The settings of a generator or a judge that asks a model."""

    @property
    def kind(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def revision(self) -> str: ...


class DryLedger(Ledger):
    """A ledger that asks nothing: a call without a reply is noted, and answered by a text no other call has.

    `asked` are all calls in their order, `distinct` each once by its key, and `lacking` those without a reply.
    """

    asked: list[Call]
    distinct: dict[str, Call]
    lacking: list[Call]

    def forget(self) -> None:
        """Begin another stage, which may ask more than once."""
        self.asked, self.distinct, self.lacking = [], {}, []

    def will_ask(self, calls: list[Call]) -> bool:
        return False

    def fulfil(self, calls: list[Call], engine: Engine, stage: str, name: str) -> Iterator[Reply]:
        self.lacking += [call for call in self.missing(calls) if call.key not in self.distinct]
        self.distinct |= {call.key: call for call in calls}
        self.asked += calls
        # an empty field of reasoning makes the text the answer, whatever the rule of the generator
        return (self.find(call) or Reply(f"{UNWRITTEN}{call.key}", "stop", reasoning="") for call in calls)
