"""How a command prints rows: as a table, JSON, CSV or Markdown. What rows hold is data, and neither a terminal, a
spreadsheet nor a browser acts on any of it."""

import csv
import json
import math
import re
import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from curation.commands.fitting import find_width, fit, list_cells
from curation.core.text import UNSEEN, neutralize, one_line

if TYPE_CHECKING:  # `curation params` prints no rows, and does not wait for it
    import polars as pl

DECIMALS_SHOWN, LETTERS_SHOWN, ROWS_SHOWN = 3, 80, 200  # of a table, or of one in Markdown
MOST_EXACT = 2**53  # whole numbers from which on readers of JSON round
P_VALUES = ("p", "p_holm")  # columns whose digits matter however small the number
FORMULA = re.compile(r"[=+\-@\t\r\n＝＋－＠]")  # what a spreadsheet takes the text after for one
NUMBER = re.compile(r"[+-]?\d+(\.\d+)?(e[+-]?\d+)?", re.IGNORECASE)
MARKDOWN = str.maketrans({letter: f"\\{letter}" for letter in "\\`|*[]~"} | {"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def print_rows(rows: "pl.DataFrame", form: str | None = None) -> None:
    """Print rows as a table, or as `json`, `csv` or `md`. 64-bit ids are texts in JSON and CSV."""
    import polars as pl

    if form in ("json", "csv"):
        ids = [name for name, dtype in rows.schema.items() if name.endswith(("_id", "against")) and dtype == pl.Int64]
        rows = rows.with_columns(pl.col(ids).cast(pl.String))
    match form:
        case "json":
            _print_json(rows)
        case "csv":
            _print_csv(rows)
        case "md":
            _print_markdown(rows)
        case _:
            _print_table(rows)


def _print_json(rows: "pl.DataFrame") -> None:
    """A list of objects."""
    print(dump_json(rows.to_dicts()))


def dump_json(value: Any) -> str:
    """`value` as JSON for standard output. What a terminal would act on is escaped as JSON escapes it, so that no
    reader of JSON sees a difference; NaN and infinity are null, and a whole number that not every reader of JSON holds
    is a text."""
    ascii_alone = not (sys.stdout.encoding or "utf-8").lower().startswith("utf")
    text = json.dumps(_plain(value), indent=1, ensure_ascii=ascii_alone, allow_nan=False)
    return UNSEEN.sub(lambda unseen: json.dumps(unseen[0])[1:-1], text)


def _plain(value: Any) -> Any:
    """`value` as JSON has it: what it has no form for as text."""
    match value:
        case dict():
            return {str(key): _plain(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_plain(inner) for inner in value]
        case float():
            return value if math.isfinite(value) else None
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case int() if abs(value) >= MOST_EXACT:
            return str(value)
        case None | str() | int():
            return value
        case _:
            return str(value)


def _print_csv(rows: "pl.DataFrame") -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(_field(name) for name in rows.columns)
    for row in rows.iter_rows():
        writer.writerow([_field(value) for value in row])


def _field(value: Any) -> Any:
    """A text that no spreadsheet takes for a formula: an apostrophe stands before one that begins like it."""
    if isinstance(value, list | dict | tuple):
        value = json.dumps(_plain(value), ensure_ascii=False)
    if not isinstance(value, str):
        return value
    text = neutralize(value)
    return f"'{text}" if FORMULA.match(text) and not NUMBER.fullmatch(text) else text


def _print_markdown(rows: "pl.DataFrame") -> None:
    """A table that shows every text as it is: no markup, link, picture or HTML of it is one."""
    lines = [[cell.translate(MARKDOWN) for cell in row] for row in ([*map(_text, rows.columns)], *_cells(rows))]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    head, *body = (" | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
    print(f"| {head} |")
    print("|" + "|".join("-" * (width + 2) for width in widths) + "|")
    for line in body:
        print(f"| {line} |")


def _print_table(rows: "pl.DataFrame") -> None:
    import polars as pl

    names = [_text(name) for name in rows.columns]
    unique = [name if names.index(name) == place else f"{name} ({place + 1})" for place, name in enumerate(names)]
    cells, width = _cells(rows), find_width()
    if (fitting := fit([unique, *cells], width)) is None:
        print("\n".join(list_cells(unique, cells, width)))
        return
    with pl.Config(
        tbl_formatting="UTF8_FULL_CONDENSED",
        tbl_hide_column_data_types=True,
        tbl_hide_dataframe_shape=True,
        tbl_rows=ROWS_SHOWN + 1,
        tbl_cols=-1,
        tbl_width_chars=2 * width,  # they are wrapped already
        fmt_str_lengths=LETTERS_SHOWN * 10,
    ):
        print(pl.DataFrame(fitting[1:], schema=dict.fromkeys(fitting[0], pl.String), orient="row"))


def _cells(rows: "pl.DataFrame") -> list[list[str]]:
    """The texts of each row's cells: the first and the last where there are many."""
    if rows.height > ROWS_SHOWN:
        half = ROWS_SHOWN // 2
        return [*_cells(rows.head(half)), ["…"] * rows.width, *_cells(rows.tail(half))]
    shows = [_p_value if name in P_VALUES else _cell for name in rows.columns]
    return [[show(value) for show, value in zip(shows, row, strict=True)] for row in rows.iter_rows()]


def _p_value(value: Any) -> str:
    """One that is never rounded to 0: 0.0003 is 0.0003."""
    return f"{value:.2g}" if isinstance(value, float) and value < 0.01 else _cell(value)


def _cell(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case float() if math.isnan(value):
            return "NaN"
        case float():
            return f"{value:.{DECIMALS_SHOWN}f}" if abs(value) < 1e15 or math.isinf(value) else f"{value:.6g}"
        case list() | dict() | tuple():
            return _text(json.dumps(_plain(value), ensure_ascii=False))
        case _:
            return _text(str(value))


def _text(text: str) -> str:
    """On one line, and cut after so many letters."""
    return one_line(text if len(text) <= LETTERS_SHOWN else f"{text[:LETTERS_SHOWN]}…")
