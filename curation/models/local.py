"""What lies in a local model's folder, looked at without loading it: whole headers are read, no weights."""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from curation.core.errors import CurationError
from curation.models import weights

MOST_HASHED = 2**30  # bytes; larger weights are hashed when they are loaded
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "tokenizer_config.json", "vocab.json")
GENERATION = "generation_config.json"
LENGTHS = ("max_position_embeddings", "n_positions")  # the second of GPT-2 and its like
TEMPLATES = ("chat_template.jinja", "chat_template.json")


def find_too_long(setting: str, tokens: int, model: str) -> Iterator[str]:
    """What to say of a limit in tokens that a local model cannot reach."""
    context = context_length(model)
    if context is not None and tokens > context:
        yield f"{setting}: {tokens} is more than the {context} tokens that {model} reads; lower it"


def find_model_faults(model: str, revision: str | None, chats: bool = True) -> Iterator[str]:
    """What is wrong with local weights, by the key that says so: not there, not of that hash, without a tokenizer or,
    where it `chats`, a chat template. Nothing is said of a model on the hub."""
    try:
        path = weights.locate(model)
    except CurationError as error:
        yield f"model: {error}"
        return
    if path is None:
        return
    faults = list(find_folder_faults(path, chats)) if path.is_dir() else []
    yield from (f"model: {model}: {line}" for line in faults)
    if not faults and _size(path) <= MOST_HASHED and revision != (actual := weights.fingerprint(path)):
        yield f"revision: {revision!r} is not the hash of {model}, which is {actual}; correct the one that is wrong"


def find_folder_faults(folder: Path, chats: bool) -> Iterator[str]:
    """What a folder lacks to be a model that transformers can load or, where it `chats`, that can be asked."""
    if not (folder / "config.json").is_file():
        yield "has no config.json, so it is no model that transformers can load; name its folder"
    elif not any(folder.glob("*.safetensors")):
        yield "has no *.safetensors, so it has no weights; name the folder that has them"
    elif cut := find_cut(folder):
        yield cut
    elif not any((folder / name).is_file() for name in TOKENIZERS):
        yield "has no tokenizer (tokenizer.json); save one with the model"
    elif chats and not _has_template(folder):
        yield "its tokenizer has no chat template (chat_template.jinja); save one with it"


def _has_template(folder: Path) -> bool:
    named = any((folder / name).is_file() for name in TEMPLATES)
    return named or bool(read_json(folder / "tokenizer_config.json").get("chat_template"))


def find_head_fault(model: str, heads: tuple[str, ...], labels: int | None) -> str | None:
    """What to say of a local model with none of the `heads`, as in ForSequenceClassification, or that gives another
    number of labels; None where it is one, or nothing local says what it is."""
    config = read_json(folder / "config.json") if (folder := _folder(model)) else {}
    named = config.get("architectures")
    if isinstance(named, list) and named and not str(named[0]).endswith(heads):
        way_out = "name one, or serve it (engine kind served)"
        return f"{model} is a {named[0]}, and what scores here is a …{heads[0]}; {way_out}"
    ids = config.get("id2label")
    given = len(ids) if isinstance(ids, dict) else 2  # as transformers has it
    if named and labels is not None and labels != given:
        return f"{model} gives {given} labels, and {labels} dimensions are named; name one for each label, in its order"
    return None


def find_unknown_token(model: str, token: str) -> str | None:
    """What to say of a token that a local model's tokenizer does not have; None where it has it, or nothing local says
    which it has."""
    folder = _folder(model)
    said = read_json(folder / TOKENIZERS[0]) if folder else {}
    added = {one.get("content") for one in said.get("added_tokens") or [] if isinstance(one, dict)}
    vocabulary = (said.get("model") or {}).get("vocab")
    if not said or token in added or (isinstance(vocabulary, dict) and token in vocabulary):
        return None
    return f"{token!r} is no token of {model}; name the one that its steps end in"


def context_length(model: str, revision: str | None = None) -> int | None:
    """How many tokens a model reads at most; None where no config.json says so. With a `revision` that of a model on
    the hub is looked for in the cache, where loading its tokenizer leaves it; nothing is fetched."""
    folder = _folder(model)
    config = read_json(folder / "config.json") if folder else cached_config(model, revision) if revision else {}
    parts = [config, config.get("text_config")]  # where a model reads images too, of its text
    lengths = [part.get(name) for part in parts if isinstance(part, dict) for name in LENGTHS]
    return next((length for length in lengths if isinstance(length, int)), None)


def read_chat_template(model: str) -> str | None:
    """The text of a local model's chat template; None where no file of Jinja or JSON says it."""
    folder = _folder(model)
    if folder is None:
        return None
    if (file := folder / TEMPLATES[0]).is_file():
        return file.read_text("utf-8", errors="replace")
    texts = [read_json(folder / name).get("chat_template") for name in (TEMPLATES[1], "tokenizer_config.json")]
    return next((text for text in texts if isinstance(text, str)), None)


def end_ids(model: str, revision: str) -> frozenset[int]:
    """The ids of the tokens that end a model's answers, as its own files say beside its tokenizer: as Gemma's
    <end_of_turn>, which is not its eos_token. Of a model on the hub they are fetched, or found in the cache."""
    folder = _folder(model)
    said = read_json(folder / GENERATION) if folder else _hub_generation_config(model, revision)
    named = said.get("eos_token_id")
    return frozenset(one for one in (named if isinstance(named, list) else [named]) if isinstance(one, int))


def module_names(model: str) -> frozenset[str]:
    """The last names of a local model's modules, such as q_proj; empty where no safetensors say so."""
    folder = _folder(model)
    names = [name for file in sorted(folder.glob("*.safetensors")) for name in read_header(file)] if folder else []
    return frozenset(name.split(".")[-2] for name in names if name.count(".") > 1)


def _folder(model: str) -> Path | None:
    try:
        path = weights.locate(model)
    except CurationError:
        return None
    return path if path is not None and path.is_dir() else None


def _is_on_hub(model: str) -> bool:
    try:
        return weights.locate(model) is None
    except CurationError:
        return False


def cached_config(model: str, revision: str) -> dict[str, Any]:
    """The config.json of a model on the hub as the cache has it; an empty one where it has none. Nothing is fetched."""
    if not _is_on_hub(model):
        return {}
    from huggingface_hub import try_to_load_from_cache

    file = try_to_load_from_cache(model, "config.json", revision=revision)
    return read_json(Path(file)) if isinstance(file, str) else {}


def _hub_generation_config(model: str, revision: str) -> dict[str, Any]:
    if not _is_on_hub(model):
        return {}
    from huggingface_hub import hf_hub_download

    try:
        return read_json(Path(hf_hub_download(model, GENERATION, revision=revision)))
    except (OSError, ValueError):  # it has none, or cannot be reached
        return {}


def find_cut(folder: Path) -> str | None:
    """What to say of a file of weights in the folder that is not whole, as a copy that was interrupted leaves it; None
    where all have the sizes that their headers say."""
    for file in sorted(folder.glob("*.safetensors")):
        with file.open("rb") as body:
            length = int.from_bytes(body.read(8), "little")
        tensors = [tensor for name, tensor in read_header(file).items() if name != "__metadata__"]
        with suppress(TypeError, KeyError, IndexError):  # of another header than one of tensors
            if file.stat().st_size == 8 + length + max((tensor["data_offsets"][1] for tensor in tensors), default=0):
                continue
        return f"has {file.name}, which is not whole: its size is not what its header says; copy it again"
    return None


def read_header(file: Path) -> dict[str, Any]:
    """The header of a safetensors file: its length in eight bytes, then JSON."""
    with file.open("rb") as body:
        length = int.from_bytes(body.read(8), "little")
        return _loads(body.read(length)) if length <= file.stat().st_size else {}


def read_json(file: Path) -> dict[str, Any]:
    """The object that a file of JSON holds; an empty one where there is none."""
    return _loads(file.read_bytes()) if file.is_file() else {}


def _loads(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _size(path: Path) -> int:
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files)
