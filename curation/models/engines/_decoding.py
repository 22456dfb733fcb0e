"""The text of a local model's tokens."""

from collections.abc import Sequence
from typing import Any

from curation.models.reasoning import Rule, marks_among


class Decoder:
    """Decodes tokens without the special ones, of which those that mark reasoning stay: a rule reads them later."""

    def __init__(self, tokenizer: Any, rule: Rule | None) -> None:
        special = {number: token.content for number, token in tokenizer.added_tokens_decoder.items() if token.special}
        kept = marks_among(special.values(), rule)
        self.tokenizer = tokenizer
        self.marks = {number for number, token in special.items() if token in kept}
        self.dropped = special.keys() - self.marks

    def __call__(self, ids: Sequence[int]) -> str:
        """The text, without the blanks around it."""
        if self.marks.isdisjoint(ids):
            return str(self.tokenizer.decode(ids, skip_special_tokens=True)).strip()
        kept = [number for number in ids if number not in self.dropped]
        return str(self.tokenizer.decode(kept, skip_special_tokens=False)).strip()
