"""What a release must not hold: keys, and what tells of the machine that it was made on."""

import getpass
import hashlib
import os
import re
import socket
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pyarrow.parquet as pq

from curation.core.text import one_line, say_count
from curation.exchange.release.keys import KEYS, find_keys, name_keys
from curation.exchange.release.public import PLACES, find_private

ROWS = 20_000  # looked through at a time
TEXTS = (".md", ".svg", ".png")  # a card shows a row, whose texts may name any path
SHORTEST = 8  # of what is looked for word by word: a shorter one may be part of any text
ROOTS = (
    "Users|Volumes|ceph|cluster|content|data|efs|etc|export|fsx|gpfs|home|kaggle|lustre|media|mnt|net|nfs|opt|private|"
    "projects?|raid|root|scratch|srv|storage|tmp|usr|var|work|workspace"
)
LOCAL_PATH, PRIVATE_HOST = "a local path", "the URL of a private host"
OWN_PATH, OWN_NAME = "a path of this machine", "the name of this machine"
OWN_USER = "a path of this machine's user"
SHOWN = (LOCAL_PATH, PRIVATE_HOST, *PLACES, OWN_PATH, OWN_NAME, OWN_USER)  # in a message; anything else may be a key
BEFORE = r"(?:^|[\s\"'=(\[,:;`<>|#])"
PATHS = {  # where no text of a user's or a model's is expected
    LOCAL_PATH: rf"{BEFORE}(?:/(?:{ROOTS})/[^\s\"'),\]`<>|]+|~[\w.-]*/[^\s\"']+|[A-Za-z]:[\\/][^\s\"']+|"
    rf"(?:\$\{{?[A-Z_]{{3,}}\}}?|%[A-Z_]{{3,}}%)[\\/][^\s\"']+|\\\\[\w.-]{{2,}}\\{{1,2}}[\w.$-]{{2,}}\S*)",
    **PLACES,
}


class Found(NamedTuple):
    """Something that a release must not hold: where it stands, what it looks like, and the text itself."""

    where: str
    what: str
    text: str

    @property
    def mark(self) -> str:
        """What `--accept` calls it."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:8]

    def say(self, more: int) -> str:
        """A sentence that does not show a key; `more` is in how many other places the text stands."""
        shown = self.text if self.what in SHOWN else f"{self.text[:4]}…, {say_count(len(self.text), 'character')}"
        where = f"{self.where} and {say_count(more, 'more place')}" if more else self.where
        way_out = f"take it out, or --accept {self.mark} if it may leave this machine"
        return f"{where}: looks like {self.what}: {one_line(shown)}; {way_out}"


def say_found(found: Iterable[Found]) -> list[str]:
    """A sentence for each text that was found, with the first of its places."""
    places: dict[str, list[Found]] = {}
    for one in found:
        places.setdefault(one.mark, []).append(one)
    return [several[0].say(len(several) - 1) for several in places.values()]


def rules_of_machine(secrets: Collection[str]) -> dict[str, str]:
    """Rules for what is of this machine alone: its folders, its name, and the values of its keys."""
    homes = {str(path) for path in (Path.home(), Path.cwd()) if len(path.parts) > 2}
    host, user = socket.gethostname(), _user()
    named = [host] if len(host) >= SHORTEST else []
    known = [re.escape(secret) for secret in secrets if len(secret) >= SHORTEST]
    rules = {
        "a key that the environment of this machine holds": "|".join(sorted(known)),
        OWN_PATH: "|".join(sorted(map(re.escape, homes))),
        OWN_NAME: "|".join(rf"\b{re.escape(name)}\b" for name in named),
        OWN_USER: rf"/(?:home|Users)/{re.escape(user)}\b" if user else "",
    }
    return {what: rule for what, rule in rules.items() if rule}


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user has no name
        return ""


def read_secrets(names: Collection[str]) -> list[str]:
    """The values of those of these variables of the environment that are set, and of all whose names say that they hold
    a key."""
    return [value for name in sorted({*names, *name_keys(os.environ)}) if (value := os.environ.get(name))]


def list_variables(raw: Any) -> set[str]:
    """The variables of the environment that settings name: what stands under a key that ends in `_env`."""
    if isinstance(raw, list):
        return {name for inner in raw for name in list_variables(inner)}
    if not isinstance(raw, Mapping):
        return set()
    own = {value for key, value in raw.items() if str(key).endswith("_env") and isinstance(value, str)}
    return own | {name for inner in raw.values() for name in list_variables(inner)}


def scan(folder: Path, names: Collection[str], machine: Mapping[str, str]) -> Iterator[Found]:
    """What is found in the files of a folder, tables first: keys and what is of this machine, and in settings any local
    path too."""
    for name in sorted(names, key=lambda name: (not name.endswith(".parquet"), name)):
        rules = {**KEYS, **machine}
        if name.endswith(".parquet"):
            yield from _scan_table(folder / name, name, rules)
        else:
            yield from _scan_text(folder / name, name, rules if name.endswith(TEXTS) else rules | PATHS)


def _scan_text(file: Path, name: str, rules: dict[str, str]) -> Iterator[Found]:
    lines = file.read_text(errors="replace").splitlines()
    for what, rule in rules.items():
        for number, line in enumerate(lines, 1):
            for found in find_keys(what, rule, line):
                yield Found(f"{name}:{number}", what, found.lstrip(" \t\"'=([,:;`<>|#"))
    if not name.endswith(TEXTS):
        for number, line in enumerate(lines, 1):
            for url in find_private(line):
                yield Found(f"{name}:{number}", PRIVATE_HOST, url)


def _scan_table(file: Path, name: str, rules: dict[str, str]) -> Iterator[Found]:
    either = "|".join(f"(?:{rule})" for rule in rules.values())
    with pq.ParquetFile(file) as table:
        key, start = table.schema_arrow.names[0], 0
        for batch in table.iter_batches(ROWS):
            rows = pl.DataFrame(pl.from_arrow(batch))
            for column in rows.columns:
                texts = _texts(rows[column])
                hits = None if texts is None else texts.filter(texts.struct.field("text").str.contains(either))
                for row, text in [] if hits is None else hits.struct.unnest().rows():
                    for what, rule in rules.items():
                        for found in find_keys(what, rule, text):  # one that is accepted hides no other
                            where = f"{name}: {column} of row {start + row} ({key} {rows[key][row]})"
                            yield Found(where, what, found)
            start += rows.height


def _texts(column: pl.Series) -> pl.Series | None:
    """Every text of a column with the number of its row; None where it holds none."""
    rows = pl.DataFrame({"row": pl.int_range(len(column), eager=True), "text": column})
    while isinstance(rows.schema["text"], pl.List | pl.Struct):
        if isinstance(rows.schema["text"], pl.List):
            rows = rows.explode("text")
            continue
        fields = rows["text"].struct.fields
        rows = pl.concat(rows.select("row", pl.col("text").struct.field(field).alias("text")) for field in fields)
    if rows.schema["text"] != pl.String:
        return None
    return rows.drop_nulls().to_struct()
