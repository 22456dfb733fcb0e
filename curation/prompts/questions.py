"""What of a prompt is compared with others: its question.

Questions are compared as tokens, without the instruction that their source appends: words and numbers in lower case,
and the signs that make another question of them (`2 - 3`, `2 + 3`, `(2 + 3) * 4`, `1.5`, `5!`). Other punctuation and
white space count for nothing.

The question of a conversation is all its turns, the user's, the assistant's and the tools', with what was called.
System messages and tools are none of it: under another of these a benchmark's question is still that question, and a
long one that prompts share makes them no more alike. But near-duplicates are only prompts that have the same of both.
The n-grams of each of the user's turns are compared with benchmarks by themselves too, or what is said around it would
hide a benchmark's question. A turn of fewer tokens, `Go on.`, asks what the turns before it say.
"""

import json
from collections.abc import Iterable, Mapping

import polars as pl

from curation.tables.messages import Message, full_messages, list_calls

SIGNS = {"−": "-", "–": "-", "‐": "-", "×": "*", "÷": "/", "⁄": "/", "!=": "≠", "<=": "≤", ">=": "≥"}
PIECE = r"""(?x)
    \b(?:\p{Nd}+|\p{L})!+ | \)!+                # a factorial
  | \b\p{L}['′]+\(                              # a derivative
  | (?:[\p{L}\p{M}\p{N}]|\.\p{Nd})+             # a word or a number, with the point before its decimals
  | [\p{Sm}()\[\]{}⌈⌉⌊⌋*/%^°-]                  # an operator, a relation, a bracket
"""


def list_texts(prompts: pl.DataFrame, instructions: Mapping[str, str | None]) -> list[pl.Series]:
    """The `question` of each prompt, its turns without its source's instruction; its `frame`, its system messages and
    tools; and the user's `turns`, none where one is the question. Where there are no turns, the system messages are
    the question."""
    questions, frames, of_user = [], [], []
    for source, prompt, messages, tools in prompts.select("source", "prompt", "messages", "tools").iter_rows():
        turns = full_messages(prompt, messages)
        asked = [message for message in turns if message["role"] != "system"]
        system = [message["content"] for message in turns if message["role"] == "system"]
        said = _list_said(asked, instructions.get(source))
        questions.append("\n".join([text for texts in said for text in texts] or system))
        turns_of_user = [texts[0] for turn, texts in zip(asked, said, strict=True) if turn["role"] == "user"]
        of_user.append(turns_of_user if len(asked) > 1 else [])
        frames.append("\n".join([*system, *filter(None, [tools])]))
    lists = pl.Series("turns", of_user, pl.List(pl.String))
    return [pl.Series("question", questions, pl.String), pl.Series("frame", frames, pl.String), lists]


def _list_said(turns: list[Message], instruction: str | None) -> list[list[str]]:
    """All that is said in each turn, without the instruction that ends the last of the user's."""
    last = max((number for number, message in enumerate(turns) if message["role"] == "user"), default=None)
    said = []
    for number, message in enumerate(turns):
        ending = f"\n{instruction}" if instruction and number == last else ""
        calls = [json.dumps(call, ensure_ascii=False, sort_keys=True) for call in list_calls(message)]
        said.append([message["content"].removesuffix(ending), *calls])
    return said


def tokens(text: pl.Expr) -> pl.Expr:
    """A text's tokens with a space between, in Unicode's NFKC, in lower case; one of nothing but other signs, an emoji,
    is those signs."""
    apart = text.str.replace_all(r"(\p{No})", " $1")  # NFKC makes 22 of 2², and 31/2 of 3½
    plain = apart.str.normalize("NFKC").str.to_lowercase()
    found = plain.str.replace_many(SIGNS).str.extract_all(PIECE)
    return pl.when(found.list.len() == 0).then(plain.str.strip_chars()).otherwise(found.list.join(" "))


def ngrams(text: str, size: int) -> Iterable[tuple[str, ...]]:
    """The n-grams of `size` tokens of a question, in order; none where it has fewer tokens."""
    tokens = text.split()
    return zip(*(tokens[start:] for start in range(size)), strict=False)
