"""When two texts are the same: in Unicode's normal form NFC, whatever ends their lines and whatever blanks stand
around them."""

import polars as pl

from curation.tables.ids import content_id, content_ids, database

BLANKS = (
    *range(0x09, 0x0E), *range(0x1C, 0x21), 0x85, 0xA0, 0x1680, *range(0x2000, 0x200C), 0x2028, 0x2029, 0x202F, 0x205F,
    0x2060, 0x3000, 0xFEFF,
)  # fmt: skip
BLANK = "".join(map(chr, BLANKS))  # what `str.strip` takes
EMPTY = content_id("")  # the id of a text of nothing but blanks
_LINE_ENDS = r"\r\n?|[\x{85}\x{2028}\x{2029}]"
# DuckDB's nfc_normalize ends a text that is not ASCII at its first U+0000
_NFC = """case when contains(text, chr(0))
    then array_to_string(list_transform(string_split(text, chr(0)), lambda part: nfc_normalize(part)), chr(0))
    else nfc_normalize(text) end"""
# ASCII without \r whose ends are no blanks: most texts, and three times as fast to look at as to change
_IS_NORMAL = """strlen(text) = length(text) and not contains(text, chr(13))
    and unicode(left(text, 1)) > 32 and unicode(right(text, 1)) > 32"""
# `normal_text(text)` in DuckDB
NORMAL_TEXT = (
    f"case when {_IS_NORMAL} then text else trim(regexp_replace({_NFC}, '{_LINE_ENDS}', chr(10), 'g'),"
    f" concat({', '.join(f'chr({code})' for code in BLANKS)})) end"
)


def trace_text_ids(reasoning: pl.Series, completion: pl.Series) -> pl.Series:
    """An id of both texts of each trace, equal for traces whose texts are the same; null where there is no completion.
    A reasoning of nothing but blanks counts as none, and then the id is that of the completion alone."""
    ids = text_ids(completion)
    thought = text_ids(reasoning)
    both = pl.DataFrame({"completion": ids, "reasoning": thought}).with_row_index()
    both = both.filter(pl.col("completion").is_not_null() & (pl.col("reasoning") != EMPTY))
    return ids.scatter(both["index"], content_ids(both.select("reasoning", "completion")))


def is_blank(text: str) -> bool:
    """Whether a text is nothing but blanks."""
    return not text.strip(BLANK)


def text_ids(texts: pl.Series) -> pl.Series:
    """`content_id` of each text's normal form, null for null: equal for texts that are the same."""
    ids = pl.DataFrame({"known": texts.is_not_null(), "id": content_ids(normal_texts(texts).to_frame())})
    return ids.select(pl.when("known").then("id")).to_series()


def normal_texts(texts: pl.Series) -> pl.Series:
    """Each text's normal form, "" for null: equal for texts that are the same."""
    with database().cursor() as connection:
        connection.register("texts", texts.alias("text").to_frame().to_arrow())
        normal: pl.Series = connection.sql(f"select coalesce({NORMAL_TEXT}, '') as text from texts").pl()["text"]
    return normal
