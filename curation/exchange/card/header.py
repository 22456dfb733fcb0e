"""The header of a card: YAML that the hub reads, so that its viewer and `load_dataset` know the configurations."""

import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from curation.exchange.card.facts import Config, Facts, Licence

SIZES = [("n<1K", 10**3), ("1K<n<10K", 10**4), ("10K<n<100K", 10**5), ("100K<n<1M", 10**6), ("1M<n<10M", 10**7),
         ("10M<n<100M", 10**8), ("100M<n<1B", 10**9)]  # fmt: skip
LARGEST = "1B<n<10B"
LICENCE = re.compile(r"[a-z0-9][a-z0-9.+-]*")  # an id of the hub's
PLAIN = re.compile(r"[A-Za-z][\w./<-]*")  # a text that no reader of YAML takes for anything else, but for WORDS
WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}
UNKNOWN, OTHER = "unknown", "other"  # of the hub's licences
TAGS = {"subsets": "dpo", "unpaired": "kto"}


def header(facts: Facts) -> list[str]:
    """The lines of the header, its marks among them."""
    tables = [pq.ParquetFile(facts.folder / config.file) for config in facts.configs]
    rows = sum(table.metadata.num_rows for table in tables)
    about = {
        "pretty_name": title(facts.configs),
        **licences(facts.licences),
        "task_categories": ["text-generation"],
        "size_categories": [size_category(rows)],
        "tags": [*_methods(facts), "preference", "rlhf", "curation"],
        "configs": configs(facts.configs),
        "dataset_info": [
            _info(config, table, facts.folder) for config, table in zip(facts.configs, tables, strict=True)
        ],
    }
    return ["---", *dump(about), "---", ""]


def _methods(facts: Facts) -> Iterator[str]:
    """What the rows are for, and whether their models reasoned."""
    yield from dict.fromkeys(TAGS[config.table] for config in facts.configs)
    if facts.ask("traces", "select 1 from traces where reasoning is not null limit 1"):
        yield "reasoning"


def dump(about: dict[str, Any]) -> list[str]:
    """The lines of YAML that say so, of which a reader of 1.1 takes every text for a text."""
    yaml, body = YAML(), io.StringIO()
    yaml.width, yaml.default_flow_style = 10_000, False
    yaml.dump(_quoted(about), body)
    return body.getvalue().splitlines()


def title(configs: Sequence[Config]) -> str:
    """What the release is called: by its first arms."""
    arms = list(dict.fromkeys(config.arm for config in configs))
    more = f" and {len(arms) - 2} more" if len(arms) > 2 else ""
    return f"Preference pairs: {', '.join(arms[:2])}{more}"


def size_category(rows: int) -> str:
    """The hub's word for so many rows."""
    return next((name for name, below in SIZES if rows < below), LARGEST)


def features(schema: pa.Schema) -> list[dict[str, Any]]:
    """The columns as `datasets` writes them in a header."""
    return [{"name": field.name, **_feature(field.type)} for field in schema]


def licences(declared: Sequence[Licence]) -> dict[str, Any]:
    """The keys that say under which licences the rows are: unknown where some entry declares none."""
    ids = list(dict.fromkeys(one.licence or UNKNOWN for one in declared)) or [UNKNOWN]
    foreign = [name for name in ids if not LICENCE.fullmatch(name)]
    known = [name for name in ids if name not in foreign] + ([OTHER] if foreign else [])
    named = {"license_name": ", ".join(foreign)} if foreign else {}
    return {"license": known[0] if len(known) == 1 else known, **named}


def _feature(kind: pa.DataType) -> dict[str, Any]:
    if pa.types.is_list(kind):
        inner = _feature(kind.value_type)
        return {"list": inner.get("struct", inner.get("dtype"))}
    if pa.types.is_struct(kind):
        return {"struct": features(pa.schema(list(kind)))}
    return {"dtype": {"double": "float64"}.get(str(kind), str(kind))}


def configs(of: Sequence[Config]) -> list[dict[str, Any]]:
    """What `load_dataset` is told of each, the first of which it takes where none is asked for."""
    return [_config(config, first=not at) for at, config in enumerate(of)]


def _config(config: Config, first: bool) -> dict[str, Any]:
    files = [{"split": "train", "path": config.file}]
    return {"config_name": config.name, "data_files": files} | ({"default": True} if first else {})


def _info(config: Config, table: pq.ParquetFile, folder: Path) -> dict[str, Any]:
    size = sum(table.metadata.row_group(at).total_byte_size for at in range(table.num_row_groups))
    return {
        "config_name": config.name,
        "features": features(table.schema_arrow),
        "splits": [{"name": "train", "num_bytes": size, "num_examples": table.metadata.num_rows}],
        "download_size": (folder / config.file).stat().st_size,
        "dataset_size": size,
    }


def _quoted(value: Any) -> Any:
    """`value` with quotes about each text that a reader of YAML 1.1 or 1.2 may take for something else."""
    if isinstance(value, dict):
        return {key: _quoted(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_quoted(inner) for inner in value]
    plain = isinstance(value, str) and PLAIN.fullmatch(value) and value.lower() not in WORDS
    return DoubleQuotedScalarString(value) if isinstance(value, str) and not plain else value
