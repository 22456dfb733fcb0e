"""Options that a question is asked with, in a list or in a column for each letter: no text of them is a completion, and
a prompt that does not say them asks nothing."""

from collections.abc import Sequence
from itertools import takewhile

from curation.exchange.guess import Guess
from curation.exchange.looking import Column, Look
from curation.exchange.values import SEEN, as_number
from curation.exchange.words import split_name, swap_word

WORDS = {"choices", "choice", "options", "option", "endings"}  # of a question; a server's choices are objects
LETTERS = "abcdefghij"
FEWEST = 3  # columns of letters, two of which are sides


def find_options(look: Look) -> list[Column]:
    """The column of lists of options, or those of one option each; none where there are none."""
    listed = [one for one in look.of_kind("texts") if are_options(one)]
    if listed:
        return listed[:1]
    texts = {one.name: one for one in look.of_kind("text")}
    for name, column in texts.items():
        words = split_name(name)
        if words[-1:] == ["a"] and (words == ["a"] or WORDS & set(words)):
            swapped = ((swap_word(name, "a", letter, texts), letter) for letter in LETTERS[1:])
            others = [other for other, _ in takewhile(lambda both: both[0] is not None, swapped) if other]
            if 1 + len(others) >= FEWEST:
                return [column, *(texts[other] for other in others)]
    return []


def are_options(column: Column) -> bool:
    """Whether its lists are what a question has to choose from, or numbers and truths about these."""
    if column.kind != "texts":
        return False
    words = {word for part in column.name.split(".") for word in split_name(part)}
    flat = [text for value in column.given[:200] for one in value for text in (one if isinstance(one, list) else [one])]
    plain = all(as_number(text) is not None or str(text).lower() in ("true", "false") for text in flat)
    return bool(words & WORDS) or plain


def find_unsaid(guess: Guess) -> list[Column]:
    """The columns of options that the prompts of a file do not say."""
    prompt, options = guess.column("prompt"), find_options(guess.look)
    return [] if prompt is None or not options or are_asked(options, prompt) else options


def map_options(names: Sequence[str]) -> str | list[str]:
    """What params name: the column of lists, or all columns of one option each."""
    return names[0] if len(names) == 1 else list(names)


def find_first(answer: Column) -> int | None:
    """The number of the first option, if answers are numbers of options, null where they are none."""
    numbers = answer.numbers
    if answer.kind != "number" or any(number != int(number) or not 0 <= number < len(LETTERS) for number in numbers):
        return None
    return 0 if min(numbers) == 0 else 1


def are_asked(options: Sequence[Column], prompt: Column) -> bool:
    """Whether the prompts say the options themselves, in most of the rows that have some."""
    rows = list(zip(prompt.values, *(one.values for one in options), strict=True))[:SEEN]
    said = [
        all(str(text) in str(asked) for value in values for text in (value if isinstance(value, list) else [value]))
        for asked, *values in rows
        if asked and all(values)
    ]
    return sum(said) > len(said) / 2
