"""The ranges of numbers and texts in params.yaml. A `description` says why a range ends where it does; docs/params.md
prints it.

Each bound is where something breaks: a library refuses the value, 32-bit arithmetic no longer holds it, or nothing is
left to learn. The range of a kind's own setting stands beside that setting.
"""

from datetime import date
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

IN_32_BITS = "tables and libraries count in 32 bits"
EXACT = "numbers of 32-bit arithmetic stay apart"

Positive = Annotated[int, Field(ge=1, le=2**31 - 1, description=IN_32_BITS)]
Natural = Annotated[int, Field(ge=0, le=2**31 - 1, description=IN_32_BITS)]
Share = Annotated[float, Field(gt=0, le=1, description="a share of a whole")]
Few = Annotated[int, Field(ge=1, le=1000, description="each costs as much as all the work done once")]
Factor = Annotated[float, Field(ge=1e-6, le=1e6, description=EXACT)]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1, description="what NumPy and torch take as a seed")]
HashedSeed = Annotated[int, Field(ge=-(2**63), le=2**63 - 1, description="64 bits, which is what is hashed")]
BatchSize = Annotated[int, Field(ge=1, le=65_536, description="a batch is in memory at once")]
Concurrency = Annotated[int, Field(ge=1, le=10_000, description="each call under way holds a connection")]
Tries = Annotated[int, Field(ge=0, le=100, description="the last of them wait a minute each")]
Length = Annotated[int, Field(ge=1, le=10_000_000, description="in tokens; no model reads more")]

Score = Annotated[float, Field(ge=-1e9, le=1e9, description="scores are kept with nine decimals")]
Scale = Annotated[list[Score], Field(min_length=2, max_length=2)]  # the lowest and the highest score


def _refuse_nearly_zero(value: float) -> float:
    if 0 < value < 0.001:
        raise ValueError(f"{value:g} divides logits until they overflow; write 0.0 for the best token each time")
    return value


Temperature = Annotated[
    float,
    Field(ge=0, le=10, description="0, or from 0.001: less overflows; more is as good as a draw of any token"),
    AfterValidator(_refuse_nearly_zero),
]


def _check_filled(text: str) -> str:
    if not text.strip():
        raise ValueError(f"{text!r} is blank; write it out")
    return text


def _check_word(text: str) -> str:
    if text.strip() != text or not text.isprintable():
        raise ValueError(f"{text!r} has blanks at its ends or characters that cannot be printed; take them out")
    return text


def _check_path(text: str) -> str:
    if len(text.encode()) > 4096 or any(len(part.encode()) > 255 for part in Path(text).parts):
        raise ValueError("too long for the name of a file; shorten it")
    if "://" in text:
        raise ValueError(f"{text!r} is an address and no path; download what it holds, and name that")
    return text


def _refuse_unquoted(value: Any) -> Any:
    if isinstance(value, date):
        raise ValueError(f"{value} is a date to YAML, not text; put it in quotes")
    return value


def _check_day(text: str) -> str:
    try:
        if date.fromisoformat(text).isoformat() == text:
            return text
    except ValueError:
        pass
    raise ValueError(f"{text!r} is no day; write it as in '2026-01-31'")


Filled = Annotated[str, AfterValidator(_check_filled)]  # a text of any number of lines
Word = Annotated[Filled, AfterValidator(_check_word)]  # a text that stands for something: the name of a model
FilePath = Annotated[Word, AfterValidator(_check_path)]  # of a file or a folder, which may be there or not
Day = Annotated[str, BeforeValidator(_refuse_unquoted), AfterValidator(_check_day)]  # as in 2026-01-31
