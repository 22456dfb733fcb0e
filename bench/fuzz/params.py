"""The params files of this repository, mutated at random, through the whole check: each is valid, or refused in lines
that name the place, with no traceback, within CPU_SECONDS and MOST_MIB."""

import contextlib
import random
import re
import resource
import signal
import tempfile
from collections import Counter
from copy import deepcopy
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from curation.core.errors import CurationError, Errors, Outdated
from curation.core.needs import look_around
from curation.core.params import read
from curation.core.text import LONGEST_LINE, UNSEEN

ROOT = Path(__file__).parents[2]
FILES = [ROOT / "params.yaml", *sorted((ROOT / "recipes").glob("*.yaml"))]
CPU_SECONDS, MOST_MIB = 30, 1024
HOSTILE = [  # as YAML
    "", "~", "yes", "off", "true", "0", "-1", "1_000", "0o17", "0x1F", "1e400", "-1e400", ".inf", "-.inf", ".nan",
    "1.5", "1e-320", "9" * 5000, "0x" + "f" * 5000, "1." + "1" * 5000, "2024-01-01", "2024-13-45", "12:30",
    "2024-01-01T25:00:00Z", '""', '"\\0"', '"\\x1b[31m"', '"\\u202e"', '"\\ud800"', "a\tb", "x", "x" * 20_000,
    "'" + "y" * 20_000 + "'", "é", "日本語", "[]", "[[]]", "{}", "[1, ~, x]", "{1: 2}", "{~: 1}", "{[a]: 1}",
    "{2024-01-01: 1}", "{a: 1, a: 2}", "&z [*z]", "{<<: &m {<<: *m}}", "{<<: 1}", "*nosuch", "!!binary aGk=",
    "!!set {a, b}", "!!omap [a: 1]", "!!pairs [a: 1]", "!!timestamp x", "!!int x",
    "!!python/object/apply:os.system [id]", "!unknown x", "[" * 300, "{a: " * 300, "[" * 2000 + "]" * 2000,
    "&b [x, x, x, x, x, x, x, x, x]", "- a", "? a", "a: b: c", "---", "...", "%YAML 1.1", "|", ">", "@",
    "unnest([1, 2])", "interval 1 day", "1) union all select (2", "1), (2", "(select 1)", "random()", "avg(pair_id)",
    "repeat('a', 1000000000)", "chosen.characters / 0", "'a'::int", "1;", "'('", "'" + "(" * 2000 + "'",
    "'" + "1+" * 3000 + "1'", "null::blob", "'*'", "'?'", "'$1'", "'--'", "'/*'", "lambda x", "identical",
    "chosen.tokens > 1", "(a+)+$", "'['", "/etc/passwd", "/dev/zero", "/dev/stdin", "../../x", "data",
    "file:///etc/passwd", "http://", "https://[::1", "http://x\\ny", "cuda", "cuda:99", ":memory:", "\\n", "own",
    "baseline", "kind", "none", "None", "random", "__class__",
]  # fmt: skip
BYTES = [
    b"\0", b"\t", b"\r", b"\r\n", b"\n", b"\xff", b"\xfe\xff", b"\xef\xbb\xbf", b"\xc3", b"\xe2\x80\xa8", b"\x85",
    b"\xf0\x9f\x98\x80", b"\x1b", b'"', b"'", b":", b"#", b"{", b"}", b"[", b"]", b"&a ", b"*a ", b"<<: ", b"- ",
    b"  ", b"|", b">", b"!", b"%", b"@", b"`", b"\\",
]  # fmt: skip
VALUE = re.compile(r"(?<=: )[^\s,{}\[\]#][^,{}\[\]\n#]*")


def run(count: int, seed: int) -> Counter[str]:
    """How often each outcome came of `count` mutated files. Raises AssertionError with the file that a fault is of."""
    draw, outcomes = random.Random(seed), Counter[str]()  # noqa: S311
    texts = {file: file.read_text() for file in FILES}
    trees = {file: YAML(typ="safe").load(text) for file, text in texts.items()}
    highest = _peak_mib() + MOST_MIB  # what ran in this process before is not ours
    before = signal.signal(signal.SIGVTALRM, _give_up)
    try:
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            for _ in range(count):
                file = draw.choice(FILES)
                body = _of_tree(trees[file], draw) if draw.random() < 0.5 else _of_text(texts[file], draw)
                outcomes[_outcome(body)] += 1
                assert _peak_mib() < highest, body
    finally:
        signal.signal(signal.SIGVTALRM, before)
    return outcomes


def _give_up(*_: object) -> None:
    raise TimeoutError(f"more than {CPU_SECONDS} s of CPU")


def _outcome(body: bytes) -> str:
    """What the check of a file comes to."""
    path = Path("params.yaml")
    path.write_bytes(body)
    signal.setitimer(signal.ITIMER_VIRTUAL, CPU_SECONDS)
    try:
        study = read(path)
        return "valid, and this machine lacks something" if look_around(study).unmet else "valid"
    except CurationError as error:
        lines = error.report().splitlines()
        told = [line for line in lines if line.startswith("error: ")]
        assert told and all(len(line) <= LONGEST_LINE + 7 and not UNSEEN.search(line) for line in told), body
        if isinstance(error, Outdated):
            return "refused: of version 0.1, with the lines to write"
        assert told == lines and len(lines) <= 101, body
        if isinstance(error, Errors) and " not YAML: " in lines[0]:
            return "refused: not YAML"
        return "refused: one mistake" if len(lines) == 1 else "refused: several mistakes"
    except BaseException as error:
        raise AssertionError(body) from error
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def _peak_mib() -> float:
    """The most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _of_text(text: str, draw: random.Random) -> bytes:
    """A file with lines gone, doubled or moved, a value of another sort, other bytes, or no end."""
    lines = text.split("\n")
    for _ in range(draw.choice([1, 1, 1, 2, 5])):
        at = draw.randrange(len(lines))
        match draw.randrange(7):
            case 0:
                lines[at : at + draw.choice([1, 1, 1, 5, 50])] = []
            case 1:
                lines.insert(at, draw.choice(lines or [""]))
            case 2:
                lines.insert(draw.randrange(len(lines)), lines.pop(at))
            case 3:
                lines[at] = " " * draw.randrange(6) + lines[at].lstrip()
            case 4:
                lines[at : at + 1] = [
                    VALUE.sub(lambda _: draw.choice(HOSTILE), lines[at], count=draw.choice([1, 1, 0]))
                ]
            case 5:
                lines[at] = lines[at].partition(":")[0] + ": " + draw.choice(HOSTILE)
            case _:
                lines[at] = draw.choice(HOSTILE) + ": " + lines[at].partition(":")[2]
        lines = lines or [""]
    body = "\n".join(lines).encode("utf-8", "replace")
    match draw.randrange(8):
        case 0:
            at = draw.randrange(len(body) + 1)
            return body[:at] + draw.choice(BYTES) * draw.choice([1, 1, 2, 300]) + body[at:]
        case 1:
            flipped = bytearray(body)
            for _ in range(draw.choice([1, 1, 4, 40])):
                flipped[draw.randrange(len(flipped))] = draw.randrange(256)
            return bytes(flipped)
        case 2:
            return body[: draw.randrange(len(body) + 1)]
        case 3 if draw.random() < 0.3:
            return body.decode(errors="replace").encode(
                draw.choice(["utf-16", "utf-32", "utf-16-le", "latin-1"]), "replace"
            )
        case 4 if draw.random() < 0.3:
            return (
                body * draw.choice([2, 3, 30])
                if draw.random() < 0.5
                else body.replace(b"\n", draw.choice([b"\r\n", b"\r"]))
            )
    return body


def _of_tree(tree: dict[str, Any], draw: random.Random) -> bytes:
    """A file of flow style in which one place or a few hold another value, are gone, or have another name."""
    changed, hostile = deepcopy(tree), dict[str, str]()
    for number in range(draw.choice([1, 1, 1, 2, 6])):
        places = list(_places(changed))
        holder, key = draw.choice(places)
        name = f"hostile value {number}"
        hostile[name] = draw.choice(HOSTILE)
        match draw.randrange(6):
            case 0:
                del holder[key]
            case 1 if isinstance(holder, dict):
                holder[name] = holder.pop(key)
            case 2:
                other, place = draw.choice(places)
                holder[key] = deepcopy(other[place])
            case _:
                holder[key] = name
    text = _flow(changed)
    for name, value in hostile.items():
        text = text.replace(f'"{name}"', value)
    return text.encode("utf-8", "replace")


def _places(value: Any) -> Any:
    for key, inner in list(value.items() if isinstance(value, dict) else enumerate(value)):
        yield value, key
        if isinstance(inner, dict | list) and inner:
            yield from _places(inner)


def _flow(value: Any, top: bool = True) -> str:
    """YAML of a tree: a section a line."""
    if isinstance(value, dict):
        parts = [f"{_flow(key, False)}: {_flow(inner, False)}" for key, inner in value.items()]
        return "\n".join(parts) + "\n" if top else "{" + ", ".join(parts) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(inner, False) for inner in value) + "]"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    return (
        {None: "~", True: "true", False: "false"}.get(value, str(value))
        if not isinstance(value, float)
        else repr(value)
    )
