"""A split of a published data set as a user's table, pinned to a commit. It is read through the library `datasets`,
from its cache where it is there: then without a network. No code of a data set is run.

The library takes whichever version its cache has where it reaches no hub, whatever revision it is asked for. So the
version is looked for here, and what was fetched must be the one that was asked for.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator

from curation.core.errors import CurationError
from curation.core.messages import did_you_mean
from curation.core.needs import find_uninstalled
from curation.core.params import Strict
from curation.core.ranges import Word
from curation.core.text import clip, one_line
from curation.tables.json_values import Fault
from curation.tables.user_blocks import BLOCK, Block, SeenColumns, arrow_blocks

NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
COMMIT = re.compile(r"[0-9a-f]{40}")
SPLIT = re.compile(r"\w+(\.\w+)*")
LONGEST_WAIT = 10.0  # seconds for a hub's first answer
MOST_SAID = 400  # characters of what the library says
DEFAULT = "default"  # what the library calls the configuration of a data set that names none


def _check_name(text: str) -> str:
    if not NAME.fullmatch(text):
        raise ValueError(f"{text!r} is not the name of a published data set; write ORG/SET")
    return text


def _check_revision(text: str) -> str:
    if not COMMIT.fullmatch(text):
        raise ValueError(
            f"{text!r} is no commit, so it may be other rows tomorrow; write the 40 hex digits of one, which the "
            "history of the data set's files lists"
        )
    return text


def _check_split(text: str) -> str:
    if not SPLIT.fullmatch(text):
        raise ValueError(f"{text!r} is not the name of a split; name one, and choose rows of it by `where`")
    return text


class DatasetParams(Strict):
    """A split of a published data set, ORG/SET, as of the commit `revision`. `config` is which of its configurations is
    meant, where it has several; it may be left out."""

    name: Annotated[str, AfterValidator(_check_name)]
    split: Annotated[str, AfterValidator(_check_split)]
    revision: Annotated[str, AfterValidator(_check_revision)]
    config: Word | None = None

    @property
    def title(self) -> str:
        """What messages call it."""
        config = "" if self.config is None else f"{self.config}, "
        return f"{self.name} ({config}{self.split}, revision {self.revision[:7]})"


class DatasetRows(SeenColumns):
    """The rows of a data set, as those of a file. It is looked for, and fetched, when the first is asked for."""

    declares = True

    def __init__(self, settings: DatasetParams) -> None:
        super().__init__(settings.title)
        self._settings = settings

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(Path(file["filename"]).stat().st_size for file in self._split.cache_files)

    def look(self, wanted: Sequence[str]) -> set[str] | None:
        """What it has of `wanted`. Raises Fault if it cannot be had."""
        self.see_schema(self._split.features.arrow_schema, list(wanted))
        return self.found

    def blocks(self, wanted: Sequence[str]) -> Iterator[Block]:
        """All rows, with the columns or fields of the names `wanted`. Raises Fault if it cannot be had."""
        places = self.see_schema(self._split.features.arrow_schema, list(wanted))
        columns = list(dict.fromkeys(str(place[0]) for place in places.values()))
        batches = self._split.select_columns(columns).with_format("arrow").iter(BLOCK)
        yield from arrow_blocks(self.name, batches, places)

    @cached_property
    def _split(self) -> Any:
        return load_split(self._settings)


def load_split(settings: DatasetParams) -> Any:
    """The split as the library's Dataset, from its cache, or else fetched. Raises Fault, which says what to do, if it
    is neither there nor can be fetched, or there is no such split."""
    _refuse_uninstalled()
    from datasets.packaged_modules.cache.cache import Cache

    try:
        folder = find_cached(settings) or _fetch(settings)
        *_, config, version, revision = folder.parts
        builder = Cache(
            repo_id=settings.name,
            dataset_name=_cached_name(settings.name),
            config_name=config,
            version=version,
            hash=revision,
        )
        splits = list(builder.info.splits or {})
        if settings.split not in splits:
            raise Fault(f"has no split {settings.split!r}{did_you_mean(settings.split, splits)}")
        return builder.as_dataset(split=settings.split)
    except Fault:
        raise
    except Exception as error:  # a damaged cache, a hub or a network makes the library raise whatever it comes upon
        raise Fault(f"cannot be read: {_said(error)}; {_way_out(settings)}") from None


def find_cached(settings: DatasetParams) -> Path | None:
    """The folder of the library's cache with the data set as of its revision; None if there is none."""
    return _cached_configs(settings).get(settings.config or DEFAULT)


def _cached_configs(settings: DatasetParams) -> dict[str, Path]:
    from datasets import config

    of_set = Path(config.HF_DATASETS_CACHE) / f"{settings.name.split('/')[0]}___{_cached_name(settings.name)}"
    infos = sorted(of_set.glob(f"*/*/{settings.revision}/dataset_info.json"))
    return {info.parts[-4]: info.parent for info in infos}


def _cached_name(name: str) -> str:
    from datasets.naming import camelcase_to_snakecase

    return str(camelcase_to_snakecase(name.split("/")[1]))


def is_cached(settings: DatasetParams) -> bool:
    """Whether the data set can be read without a network. Raises CurationError if it cannot, and none may be used."""
    try:
        _refuse_uninstalled()
        return find_cached(settings) is not None or _refuse_offline(settings)
    except Fault as fault:
        raise CurationError(one_line(f"{settings.title}: {fault}")) from None


def _refuse_uninstalled() -> None:
    for uninstalled in find_uninstalled("datasets"):
        raise Fault(uninstalled)


def _refuse_offline(settings: DatasetParams) -> bool:
    """False. Raises Fault if the environment says that there is no network."""
    from datasets import config

    if config.HF_HUB_OFFLINE:
        raise Fault(_describe_absence(settings, "HF_HUB_OFFLINE is set"))
    return False


def _fetch(settings: DatasetParams) -> Path:
    """Where the data set is in the cache once it is fetched. Raises Fault where the hub cannot be reached."""
    from datasets import load_dataset_builder, logging
    from datasets.exceptions import DatasetNotFoundError

    _refuse_offline(settings)
    _refuse_unreachable(settings)
    logging.set_verbosity_error()  # or it warns that it takes another version, which is refused below
    try:
        builder = load_dataset_builder(f"hf://datasets/{settings.name}", settings.config, revision=settings.revision)
    except DatasetNotFoundError as error:
        raise Fault(f"{_said(error)}; correct its name or revision, or set HF_TOKEN if it is not public") from None
    except (OSError, ValueError) as error:
        raise Fault(_describe_absence(settings, _said(error))) from None
    if builder.hash != settings.revision:
        raise Fault(_describe_absence(settings, "the hub cannot be reached"))
    builder.download_and_prepare()
    return Path(builder.cache_dir)


def _refuse_unreachable(settings: DatasetParams) -> None:
    """Nothing. Raises Fault if no hub answers one request, of any kind: the library would ask six times, and wait half
    a minute in all. What a hub that answers has to say is left to the library."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    try:
        HfApi().dataset_info(settings.name, revision=settings.revision, timeout=LONGEST_WAIT)
    except HfHubHTTPError:
        return
    except Exception as error:  # whatever the network, a proxy or its library makes of it
        raise Fault(_describe_absence(settings, f"the hub cannot be reached: {_said(error)}")) from None


def _describe_absence(settings: DatasetParams, why: str) -> str:
    configs = _cached_configs(settings)
    if configs:
        meant = "null may mean another" if settings.config is None else f"not {settings.config}"
        cached = f"; its configurations in the cache are {', '.join(configs)}, {meant}: write one as config"
    else:
        cached = ""
    return f"is not in the cache of datasets, and cannot be fetched: {why}{cached}; {_way_out(settings)}"


def _way_out(settings: DatasetParams) -> str:
    config = "" if settings.config is None else f", {settings.config!r}"
    return (
        f"where there is a network, load_dataset({settings.name!r}{config}, revision={settings.revision!r}) of the "
        "library puts it into the cache (HF_HOME); or fetch its files and name their folder as path, not dataset"
    )


def _said(error: Exception) -> str:
    """What the library says of a fault, on one line."""
    return clip(" ".join(str(error).split()) or type(error).__name__, MOST_SAID)
