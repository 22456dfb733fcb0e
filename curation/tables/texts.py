"""When two texts are the same: in Unicode's normal form NFC, whatever ends their lines and whatever blanks stand
around them."""

import re
import unicodedata

import polars as pl

from curation.tables.ids import compute, content_id, sql_id

BLANKS = (
    *range(0x09, 0x0E), *range(0x1C, 0x21), 0x85, 0xA0, 0x1680, *range(0x2000, 0x200C), 0x2028, 0x2029, 0x202F, 0x205F,
    0x2060, 0x3000, 0xFEFF,
)  # fmt: skip
BLANK = "".join(map(chr, BLANKS))  # what `str.strip` takes
EMPTY = content_id("")  # the id of a text of nothing but blanks
_LINE_ENDS = r"\r\n?|[\x{85}\x{2028}\x{2029}]"
_LINE_END = re.compile("\r\n?|[\x85\u2028\u2029]")


def normal_form(text: str) -> str:
    """The normal form of a text: equal for texts that are the same."""
    return _LINE_END.sub("\n", unicodedata.normalize("NFC", text)).strip(BLANK)


def normal_text(text: str) -> str:
    """The normal form of a text in DuckDB, where `text` is a column or a parameter."""
    # nfc_normalize ends a text that is not ASCII at its first U+0000
    nfc = f"""case when contains({text}, chr(0))
        then array_to_string(list_transform(string_split({text}, chr(0)), lambda part: nfc_normalize(part)), chr(0))
        else nfc_normalize({text}) end"""
    # ASCII without CR whose ends are no blanks: most texts, and three times as fast to look at as to change
    is_normal = f"""strlen({text}) = length({text}) and not contains({text}, chr(13))
        and unicode(left({text}, 1)) > 32 and unicode(right({text}, 1)) > 32"""
    return f"""case when {is_normal} then {text}
        else trim(regexp_replace({nfc}, '{_LINE_ENDS}', chr(10), 'g'), '{BLANK}') end"""


def trace_text_ids(reasoning: pl.Series, completion: pl.Series) -> pl.Series:
    """An id of both texts of each trace, equal for traces whose texts are the same; null where there is no completion.
    A reasoning of nothing but blanks counts as none, and then the id is that of the completion alone."""
    texts = pl.DataFrame({"reasoning": reasoning, "completion": completion})
    both = (
        f"case when reasoning <> {EMPTY} and completion is not null then {sql_id(*texts.columns)} else completion end"
    )
    ids = ", ".join(f"{_id(name)} as {name}" for name in texts.columns)
    return compute(f"select {both} from (select {ids} from rows)", texts)


def is_blank(text: str) -> bool:
    """Whether a text is nothing but blanks."""
    return not text.strip(BLANK)


def text_ids(texts: pl.Series) -> pl.Series:
    """`content_id` of each text's normal form, null for null: equal for texts that are the same."""
    return compute(f"select {_id('text')} from rows", texts.alias("text").to_frame())


def normal_texts(texts: pl.Series) -> pl.Series:
    """Each text's normal form, "" for null: equal for texts that are the same."""
    return compute(f"select coalesce({normal_text('text')}, '') from rows", texts.alias("text").to_frame())


def _id(text: str) -> str:
    return f"case when {text} is not null then {sql_id(normal_text(text))} end"
