"""What the replies that made a table took, by their server's own counts: the same whoever reads them from the ledger,
and when."""

from curation.calls.call import Reply

TOKENS = ("prompt_tokens", "completion_tokens", "cached_tokens")


class Served:
    """Distinct calls that were answered, and the tokens of their replies; those of batch files apart."""

    def __init__(self) -> None:
        self._counts: dict[str, dict[str, int]] = {}

    def count(self, reply: Reply) -> None:
        """One more. A reply whose server counts no tokens adds none, and is `uncounted`."""
        how = "batched" if reply.batched else "calls"
        row = self._counts.setdefault(how, dict.fromkeys(("answered", "uncounted", *TOKENS), 0))
        row["answered"] += 1
        row["uncounted"] += reply.prompt_tokens is None or reply.completion_tokens is None
        for name in TOKENS:
            row[name] += getattr(reply, name) or 0

    def metrics(self) -> dict[str, dict[str, int]]:
        """The counts of `calls` and of those that were `batched`, as far as there are any."""
        return self._counts
