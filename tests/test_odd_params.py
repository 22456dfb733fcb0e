"""Whatever a params file holds, every mistake in it is one line `file: place: value; way out`: odd bytes, odd YAML,
odd values anywhere."""

import warnings
from collections.abc import Callable, Iterator
from copy import copy, deepcopy
from datetime import date
from hashlib import sha256
from math import inf, nan
from pathlib import Path
from typing import Any

import flow
import pytest
from test_params import broken
from world import own

from curation.core import params
from curation.core.errors import CurationError, Errors
from curation.core.kinds import KIND_FOLDERS
from curation.core.params import COLLECTIONS, read
from curation.core.text import LONGEST_LINE

ROOT = Path(__file__).parents[1]
BOMB = b"a0: &a0 [x]\n" + b"".join(
    b"a%d: &a%d [%s]\n" % (number, number, b", ".join([b"*a%d" % (number - 1)] * 9)) for number in range(1, 12)
)
TOO_MANY = "not YAML: aliases stand for more than 1,000,000 values, or one for itself; write them out"
BODIES: dict[str, tuple[bytes, str]] = {
    "a date in month 99": (
        b"x: 1\npair: 2020-99-99",
        "line 2: not YAML: '2020-99-99' is no timestamp; put it in quotes if it is text",
    ),
    "no whole number": (b"pair: !!int foo", "line 1: not YAML: 'foo' is no int; put it in quotes if it is text"),
    "no number": (b"pair: !!float ''", "line 1: not YAML: '' is no float; put it in quotes if it is text"),
    "too large": (b"pair: 0x" + b"f" * 251, f"line 1: not YAML: '0x{'f' * 95}...{'f' * 98}' is too large a number"),
    "deep": (b"[" * 500, "not YAML: nested too deep; write it flatter"),
    "deep mappings": (b"{a: " * 3000, "not YAML: nested too deep; write it flatter"),
    "no text": (b"x: 1\ny: \xff", "line 2: not YAML: invalid start byte; save it as UTF-8"),
    "another encoding": (
        "x: \u00e9\n\n".encode("latin1"),
        "line 1: not YAML: invalid continuation byte; save it as UTF-8",
    ),
    "a NUL": (
        "x: \u00e9\n".encode() + b"y: \0",
        "line 2: not YAML: special characters are not allowed; save it as UTF-8",
    ),
    "half a character": (
        b'x: "\\ud800"',
        "line 1: not YAML: '\\ud800' has half a character, which no file can hold; write \\U and eight digits",
    ),
    "UTF-16": ("\ufeffx: 1".encode("utf-16-le"), "line 1: not YAML: it is UTF-16; save it as UTF-8"),
    "UTF-16 without a mark": (
        "x: 1".encode("utf-16-le"),
        "line 1: not YAML: special characters are not allowed; save it as UTF-8",
    ),
    "a tab": (
        b"x: 1\n\ty: 1",
        "line 2: not YAML: found character '\\t' that cannot start any token; indent with spaces",
    ),
    "a key twice": (
        b"x: 1\nx: 2",
        'line 2: not YAML: found duplicate key "x" with value "2" (original value: "1"); keep one of them',
    ),
    "two documents": (
        b"x: 1\n---\nx: 1",
        "line 2: not YAML: but found another document; keep one document in the file",
    ),
    "an unknown alias": (
        b"x: *" + b"y" * 100_000,
        f"line 1: not YAML: found undefined alias '{'y' * 127}…{'y' * 148}'; "
        "write it out, or define it before as &NAME",
    ),
    "a tag": (
        b"x: !!python/object/apply:os.system [id]",
        "line 1: not YAML: could not determine a constructor for the tag "
        "'tag:yaml.org,2002:python/object/apply:os.system'; "
        "leave the tag out; values are text, numbers, true, false, null",
    ),
    "a mapping as a key": (
        b"x: {{a: 1}: 1}",
        "line 1: not YAML: found unhashable key; a key must be text; put it in quotes",
    ),
    "an equals sign": (
        b"x: =",
        "line 1: not YAML: could not determine a constructor for the tag 'tag:yaml.org,2002:value'; put '=' in quotes",
    ),
    "a merge of itself": (b"x: &a {<<: *a}", TOO_MANY),
    "a merge of no mapping": (
        b"x: {<<: 1}",
        "line 1: not YAML: expected a mapping or list of mappings for merging, but found scalar",
    ),
    "nothing": (b"", "not a mapping of sections; copy one of recipes/*.yaml to start from"),
    "a list": (b"- a", "not a mapping of sections; copy one of recipes/*.yaml to start from"),
    "itself": (b"pair: &a [*a]", TOO_MANY),
    "a bomb": (BOMB, TOO_MANY),
}


@pytest.mark.parametrize(("body", "line"), BODIES.values(), ids=BODIES.keys())
def test_what_is_no_yaml_is_one_line_that_says_where(tmp_path: Path, body: bytes, line: str) -> None:
    """Kind: a parser's own error, or one of Python's below it, that leaves as a traceback or as several lines."""
    file = tmp_path / "params.yaml"
    file.write_bytes(body)
    with pytest.raises(Errors) as caught:
        read(file)
    assert caught.value.lines == [f"{file}: {line}"]


def test_a_small_bomb_and_a_key_of_two_lines_are_one_short_line_each(tmp_path: Path) -> None:
    file = tmp_path / "params.yaml"
    file.write_bytes(
        b"x-a: &a [x, x, x, x, x, x, x, x, x]\nx-b: &b [*a, *a, *a, *a, *a]\nx-c: &c [*b, *b, *b, *b, *b]\n"
        b'pair: *c\n"a\\nb": 1\n'
    )
    with pytest.raises(Errors) as caught:
        read(file)
    said = [
        line.removeprefix(f"{file}: ")
        for line in str(caught.value).splitlines()
        if not line.endswith(": missing; add this section")
    ]
    assert [line[:26] for line in said] == ["a\\nb: unknown section; kno", "pair: [[['x', 'x', 'x', 'x"]
    assert max(map(len, said)) < 300


def test_an_expression_too_deep_to_look_at_and_a_line_too_long(tmp_path: Path) -> None:
    """Kind: a text of the user's own, sound in its sort, that is larger than what reads it."""
    (line,) = broken(tmp_path, {"selections.all.value": "1" + "+1" * 1000})
    assert line.startswith("selections.all.value: '1+1+1+1") and "..." in line and len(line) < 400
    assert broken(tmp_path, {"selections.all.value": "1" + "+1" * 400})[0].endswith(
        "+1+1' is nested too deep; write it flatter, as with `in` or a case of several arms"
    )


def test_a_file_that_is_too_large_or_is_none(tmp_path: Path) -> None:
    """Kind: what takes minutes to read, or never ends."""
    large, link = tmp_path / "large.yaml", tmp_path / "link.yaml"
    large.write_bytes(b"x: [" + b"a, " * 4_000_000 + b"]")
    link.symlink_to(tmp_path / "nowhere")
    what = "has more than the 200,000 bytes of a params file; keep data in files that it names"
    for file, said in {
        large: what,
        link: "is no file; ",
        tmp_path: "is no file; ",
        Path("/dev/zero"): "is no file",
    }.items():
        with pytest.raises(CurationError) as caught:
            read(file)
        assert str(caught.value).startswith(f"{file}: {said}")


@pytest.mark.parametrize("change", [lambda body: b"\xef\xbb\xbf" + body, lambda body: body.replace(b"\n", b"\r\n")])
def test_a_mark_of_utf_8_and_other_line_ends_are_sound(tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
    file = tmp_path / "params.yaml"
    file.write_bytes(change((ROOT / "params.yaml").read_bytes()))
    assert read(file).selections == read(ROOT / "params.yaml").selections


def test_an_anchor_may_be_defined_anew(tmp_path: Path) -> None:
    """Kind: a warning of the library's, over nine lines."""
    file = tmp_path / "params.yaml"
    file.write_bytes((ROOT / "params.yaml").read_bytes() + b"x-a: &again {a: 1}\nx-b: &again {a: 2}\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read(file)


def test_a_file_name_that_the_system_refuses(tmp_path: Path) -> None:
    with pytest.raises(CurationError, match=r"x: cannot be read: File name too long; name a file that can$"):
        read(tmp_path / ("x" * 300))
    with pytest.raises(CurationError, match=r"/a\\nb: is no file"):
        read(tmp_path / "a\nb")


ODD: list[Any] = [
    None, 5, -1, 1.5, nan, inf, -inf, "", "x", "a\nb", "(" * 400, "'", "\0", [], [[1]], [None], {}, {1: 2},
    {"kind": [1]}, {"a\nb": {"c": nan}}, True, date(2020, 1, 1), b"\xff", 10**300, "y" * 100_000,
]  # fmt: skip
FAST = 500  # of the combinations


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where each mapping, list and leaf stands."""
    yield from [at] if at else []
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(inner, (*at, key))


def put(value: Any, at: tuple[Any, ...], new: Any) -> Any:
    """`value` with `new` at that place, where the old one is not changed."""
    if not at:
        return new
    changed = copy(value)
    changed[at[0]] = put(value[at[0]], at[1:], new)
    return changed


@pytest.mark.slow
@pytest.mark.parametrize("share", [pytest.param("some"), pytest.param("all", marks=pytest.mark.long)])
def test_any_value_anywhere_is_sound_or_a_mistake_of_one_line(share: str) -> None:
    """Kind: a check that takes for granted what another check has not established yet."""
    raw = {key: value for key, value in own().items() if not key.startswith("x-")}
    combinations = [(at, number) for at in places(raw) for number in range(len(ODD))]
    combinations.sort(key=lambda one: sha256(repr(one).encode()).digest())
    assert len(combinations) > 10 * FAST
    refused = 0
    for at, number in combinations if share == "all" else combinations[:FAST]:
        changed = put(raw, at, ODD[number])
        try:
            params._check(params._study(Path("P"), changed), changed)
        except Errors as error:
            refused += 1
            assert str(error).splitlines() == error.lines, (at, number)
            assert all(
                line.startswith("P: ") and line.isprintable() and len(line) <= LONGEST_LINE for line in error.lines
            ), (at, number)
        except Exception as error:
            raise AssertionError(f"{'.'.join(map(str, at))}: {str(ODD[number])[:40]!r}") from error
    assert refused > FAST / 2


@pytest.mark.parametrize("odd", ["a; touch x", "$(x)", "${item}", "../x", "A", "a" * 101])
def test_a_name_of_any_kind_is_one_that_a_file_and_a_shell_can_have(odd: str, tmp_path: Path) -> None:
    """All of one file at once: DVC puts names into commands and the names of files."""
    raw = own()
    named = {"delta.panels": raw["delta"]["panels"], "judges.rubric.dimensions": raw["judges"]["rubric"]["dimensions"]}
    named |= {section: raw[section] for section in (*KIND_FOLDERS, *COLLECTIONS) if raw.get(section)}
    assert len(named) > 8
    for entries in named.values():
        entries[odd] = deepcopy(next(iter(entries.values())))
    flow.write(raw, tmp_path / "params.yaml")
    with pytest.raises(CurationError) as refused:
        read(tmp_path / "params.yaml")
    lines = str(refused.value).splitlines()
    assert [place for place in named if not any(f" {place}" in line and odd[:40] in line for line in lines)] == []
