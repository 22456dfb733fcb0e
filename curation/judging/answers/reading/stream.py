"""Tokens one after the other, as the parsers take them."""

from curation.judging.answers.reading.tokens import Token
from curation.judging.answers.reading.values import UnreadableError


class Stream:
    """Tokens and the place of the next one."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens, self.place = tokens, 0
        self.depth = self.bars = self.nested = 0
        self.counters: list[str] = []  # of the sums around

    def peek(self, ahead: int = 0) -> Token | None:
        place = self.place + ahead
        return self.tokens[place] if place < len(self.tokens) else None

    def sign(self, ahead: int = 0) -> str:
        """The next sign, or a command with its backslash; "" if another kind of token comes."""
        token = self.peek(ahead)
        if token is None:
            return ""
        return token.text if token.kind == "sign" else f"\\{token.text}" if token.kind == "command" else ""

    def take(self) -> Token:
        token = self.peek()
        if token is None:
            raise UnreadableError("it ends too early")
        self.place += 1
        return token

    def accept(self, *signs: str) -> str:
        """The next sign, taken if it is one of `signs`; else ""."""
        sign = self.sign()
        if sign and sign in signs:
            self.place += 1
            return sign
        return ""

    def expect(self, sign: str) -> None:
        if not self.accept(sign):
            raise UnreadableError(f"{sign!r} is missing")
