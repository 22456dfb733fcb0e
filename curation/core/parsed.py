"""A YAML file, read: whatever its bytes are, a plain mapping that is no larger than it looks, or one line that says
where and why not."""

from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import ConstructorError, SafeConstructor
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from curation.core.errors import CurationError
from curation.core.messages import show_value
from curation.core.text import one_line, shorten

MOST_BYTES = 200_000  # of a file: YAML is read at some 30 KB a second where it is all brackets
MOST_VALUES = 1_000_000  # that aliases may stand for
MOST_BITS = 1000  # of a whole number: Python writes none of more than 4,300 digits, so no message could show it
WAYS_OUT = {  # by what the library says begins with
    "found duplicate key": "keep one of them",
    "found character '\\t'": "indent with spaces",
    "found undefined alias": "write it out, or define it before as &NAME",
    "but found another document": "keep one document in the file",
    "found unhashable key": "a key must be text; put it in quotes",
    "could not determine a constructor for the tag 'tag:yaml.org,2002:value'": "put '=' in quotes",
    "could not determine a constructor for the tag 'tag:yaml.org,2002:merge'": "put '<<' in quotes",
    "could not determine a constructor": "leave the tag out; values are text, numbers, true, false, null",
}


class _Constructor(SafeConstructor):
    """ruamel's, that says of a value which line it is on, and lets no alias stand for itself or for more than memory
    holds."""

    def construct_document(self, node: Node) -> Any:
        if _size(node, {}) > MOST_VALUES:
            what = f"aliases stand for more than {MOST_VALUES:,} values, or one for itself; write them out"
            raise ConstructorError(None, None, what, None)
        return super().construct_document(node)

    def construct_yaml_int(self, node: Node) -> int:
        number = int(super().construct_yaml_int(node))
        if number.bit_length() > MOST_BITS:
            raise ConstructorError(None, None, f"{show_value(node.value)} is too large a number", node.start_mark)
        return number

    def construct_yaml_str(self, node: Node) -> str:
        text = str(super().construct_yaml_str(node))
        if any("\ud800" <= letter <= "\udfff" for letter in text):
            what = f"{show_value(text)} has half a character, which no file can hold; write \\U and eight digits"
            raise ConstructorError(None, None, what, node.start_mark)
        return text

    def construct_non_recursive_object(self, node: Node, tag: str | None = None) -> Any:
        try:
            return super().construct_non_recursive_object(node, tag)
        except (MarkedYAMLError, RecursionError):
            raise
        except Exception:  # whatever a tag's own parser raises: a date in month 99, `!!int foo`
            value = show_value(node.value) if isinstance(node, ScalarNode) else "this"
            what = f"{value} is no {str(node.tag).removeprefix('tag:yaml.org,2002:')}; put it in quotes if it is text"
            raise ConstructorError(None, None, what, node.start_mark) from None


_Constructor.add_constructor("tag:yaml.org,2002:int", _Constructor.construct_yaml_int)
_Constructor.add_constructor("tag:yaml.org,2002:str", _Constructor.construct_yaml_str)


def _size(node: Node, sizes: dict[int, float]) -> float:
    """How many values a node stands for once its aliases are followed."""
    if id(node) not in sizes:
        sizes[id(node)] = float("inf")  # which one that holds itself will find
        parts = node.value if isinstance(node, SequenceNode) else []
        if isinstance(node, MappingNode):
            parts = [part for pair in node.value for part in pair]
        sizes[id(node)] = 1 + sum(_size(part, sizes) for part in parts)
    return sizes[id(node)]


def read_bytes(path: Path) -> bytes:
    """The bytes of a params file. Raises CurationError if there is none or it cannot be read or is too large."""
    try:
        if path.is_file():
            with path.open("rb") as file:
                body = file.read(MOST_BYTES + 1)
            if len(body) <= MOST_BYTES:
                return body
            what = f"has more than the {MOST_BYTES:,} bytes of a params file; keep data in files that it names"
            raise CurationError(one_line(f"{path}: {what}"))
    except OSError as error:
        raise CurationError(one_line(f"{path}: cannot be read: {error.strerror}; name a file that can")) from None
    raise CurationError(
        one_line(f"{path}: is no file; run from the project's folder, or copy one of recipes/*.yaml to {path}")
    )


def parse_yaml(text: bytes, refuse: Callable[[str], CurationError]) -> dict[str, Any]:
    """What `text` holds, safely constructed. Raises what `refuse` makes of ` line N: not YAML: why` if that is not a
    mapping."""
    if text.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        raise refuse(" line 1: not YAML: it is UTF-16; save it as UTF-8")
    try:
        raw = _yaml().load(text)
    except ReaderError as error:
        raise refuse(f"{_line(_before(text, error))} not YAML: {error.reason}; save it as UTF-8") from None
    except MarkedYAMLError as error:
        mark, problem = error.problem_mark, str(error.problem or error.context or error)
        way_out = next((f"; {way}" for start, way in WAYS_OUT.items() if problem.startswith(start)), "")
        raise refuse(f"{_line(mark.line) if mark else ''} not YAML: {shorten(problem, 300)}{way_out}") from None
    except RecursionError:
        raise refuse(" not YAML: nested too deep; write it flatter") from None
    except Exception as error:  # the library's parser has faults of its own, and the file is what sets them off
        raise refuse(f" not YAML: {shorten(str(error)) or type(error).__name__}") from None
    if not isinstance(raw, dict):
        raise refuse(" not a mapping of sections; copy one of recipes/*.yaml to start from")
    return raw


def compose(text: str) -> Any:
    """The nodes of a file that `parse_yaml` has read."""
    return _yaml().compose(text)


def _yaml() -> YAML:
    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor = _Constructor
    yaml.composer.warn_double_anchors = False  # YAML allows to define one anew
    return yaml


def _before(text: bytes, error: ReaderError) -> int:
    """How many lines stand before the character that cannot be read. Its position is in bytes where bytes are no
    text, else in characters."""
    if isinstance(error.character, bytes):
        return text[: error.position].count(b"\n")
    return text.decode(errors="replace")[: error.position].count("\n")


def _line(before: int) -> str:
    return f" line {before + 1}:"
