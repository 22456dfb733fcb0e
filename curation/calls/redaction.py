"""Takes the API key out of a server's error messages, however it is written there."""

import base64
import re
from collections.abc import Iterator
from functools import lru_cache
from html.entities import html5
from string import ascii_lowercase, ascii_uppercase

PLACEHOLDER = "[key]"
# A key of fewer characters is a dummy like `x` or `EMPTY`. It is taken out where it is a word of its own, or "max"
# would become "ma[key]".
SHORT = 8
# The signs that begin an encoded character may be encoded themselves, once or again. `\\*+` is possessive: a run of
# backslashes is read once.
PERCENT = "%(?:25)*"
AND = rf"(?:&(?:amp;|#38;|#x26;)*|(?<=\\)u0026|{PERCENT}26)"
NUMBER, END = f"(?:#|{PERCENT}23)", f"(?:;|{PERCENT}3b)?"
BACKSLASHES = r"\\*+"
WORD_BEGINS, WORD_ENDS = r"(?:(?<!\w)|(?<=\\[bfnrt])|(?<=\\u[\da-fA-F]{4})|(?<=%[\da-fA-F]{2}))", r"(?!\w)"
TEXT_ENDS = r"(?:[\\%&]\S{0,9})?\Z"  # perhaps in the midst of an encoded character
BASE64 = r"[\w+/-]?"
# what is between white space, escaped line ends and other backslashes
PLAIN = re.compile(r"(?:(?<=\\)[nrt])?([^\s\\]*)")
LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)  # str.lower() makes two characters of some


def redact(text: str, key: str | None) -> str:
    """`text` with `[key]` wherever `key` stands in it.

    Each character of the key may be plain or encoded: by the escapes of JSON, Python or JavaScript, for a URL, for
    HTML, also nested. The key's base64 is taken out too, other letter cases, and what the end of the text cuts off
    after the eighth character. Where the key is cut elsewhere, or broken by white space, each run of eight or more
    plain characters of it, or of its base64, goes.

    A key of fewer than eight characters is looked for as a whole word in its own letter case. Without a key the text
    stays as it is.
    """
    if not key:
        return text
    rest = _pattern(key).sub(PLACEHOLDER, text)
    return rest if len(key) < SHORT else _without_parts(rest, _parts(key))


def _without_parts(text: str, parts: frozenset[str]) -> str:
    """`text` with `[key]` for each run of characters that the parts cover, white space and line ends within it
    counting for nothing."""
    places = [at for plain in PLAIN.finditer(text) for at in range(*plain.span(1))]
    run = "".join(text[at] for at in places).translate(LOWER)
    covered = bytearray(len(run))
    for at in range(len(run) - SHORT + 1):
        if run[at : at + SHORT] in parts:
            covered[at : at + SHORT] = b"x" * SHORT
    pieces, end = [], 0
    for hit in re.finditer(b"x+", covered):
        pieces += [text[end : places[hit.start()]], PLACEHOLDER]
        end = places[hit.end() - 1] + 1
    return "".join(pieces) + text[end:]


@lru_cache(maxsize=8)
def _parts(key: str) -> frozenset[str]:
    """Every eight characters in a row of `key` and of its base64, in lower case."""
    wholes = [
        "".join(PLAIN.findall(key)),
        *(form for whole in _base64(key) for form in (whole, whole.translate(str.maketrans("+/", "-_")))),
    ]
    return frozenset(
        whole.translate(LOWER)[at : at + SHORT] for whole in wholes for at in range(len(whole) - SHORT + 1)
    )


@lru_cache(maxsize=8)
def _pattern(key: str) -> re.Pattern[str]:
    if len(key) < SHORT:
        return re.compile(WORD_BEGINS + "".join(_characters(key)) + WORD_ENDS)
    in_base64 = (_signs(whole, shared=shift > 0) for shift, whole in enumerate(_base64(key)))
    return re.compile("|".join(map(_perhaps_cut_off, (_characters(key), *in_base64))))


def _perhaps_cut_off(parts: list[str]) -> str:
    """What matches all the parts, or the first of them up to the end of the text."""
    return "".join(parts[:SHORT]) + "".join(f"(?:{part}|{TEXT_ENDS})" for part in parts[SHORT:])


def _characters(key: str) -> list[str]:
    """What matches `key`, a part for each character or run of backslashes. Further backslashes before a character
    count for nothing, so that no depth of escaping hides it."""
    first, *others = re.findall(r"\\+|[^\\]", key)
    any_case, backslash = len(key) >= SHORT, _encodings("\\")
    begin = (
        rf"(?:\\|{backslash}){{{len(first)},{2 * len(first)}}}"
        if first[0] == "\\"
        else rf"\\?{_character(first, any_case)}"
    )
    return [begin] + [
        BACKSLASHES
        + (f"(?:{backslash}{BACKSLASHES}){{0,{len(part)}}}" if part[0] == "\\" else _character(part, any_case))
        for part in others
    ]


def _character(char: str, any_case: bool) -> str:
    encoded = _encodings(*((char.lower(), char.upper()) if any_case else char))
    # encoded first: `&` is also where `&amp;` begins
    return f"(?:{encoded}|{'(?i:' if any_case else '(?:'}{re.escape(char)}))"


def _encodings(*chars: str) -> str:
    """What matches one of the characters in every form but its own."""
    codes = {ord(char) for char in chars if len(char) == 1}
    hexadecimal = f"0*(?:{'|'.join(f'{code:x}' for code in codes)})"
    names = [name.rstrip(";") for name, meant in html5.items() if meant in chars and name.endswith(";")]
    numbers = f"{NUMBER}(?:0*(?:{'|'.join(map(str, codes))})|x{hexadecimal})"
    in_a_url = "".join(
        "|" + "".join(f"{PERCENT}{byte:02x}" for byte in chr(code).encode(errors="replace")) for code in codes
    )
    return rf"(?i:{AND}(?:{'|'.join([numbers, *names])}){END}|(?:(?<=\\)|{PERCENT})[ux]\{{?{hexadecimal}\}}?{in_a_url})"


def _base64(key: str) -> Iterator[str]:
    """`key` in base64, for each place of its first byte in a group of three, without the characters that it shares
    with its neighbours."""
    for shift in range(3):
        body = bytes(shift) + key.encode(errors="replace")
        yield base64.b64encode(body).decode()[-(-8 * shift // 6) : 8 * len(body) // 6]


def _signs(whole: str, shared: bool) -> list[str]:
    """What matches a run of base64 with the character after it, and the one before it if that is `shared`."""
    first, *others = map(_sign, whole)
    return [(BASE64 if shared else "") + first, *(BACKSLASHES + other for other in others), BASE64]


def _sign(char: str) -> str:
    """A character of base64, in its alphabet for URLs too."""
    other = {"+": "-", "/": "_"}.get(char)
    return f"(?:[{char}{other}]|{_encodings(char)})" if other else char
