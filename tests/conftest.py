"""What several test files start from."""

import atexit
import gc
import os
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import flow
import hypothesis
import pytest
from server import ChatServer, Script, endpoint
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

from curation.calls.budget import UNLIMITED
from curation.calls.call import Engine
from curation.calls.ledger import Ledger, Params, locally
from curation.core import params
from curation.judging.judges import rubric

os.environ.pop("COLUMNS", None)  # xdist sets 80, and tables are then as narrow

Serve: TypeAlias = Callable[[Script], ChatServer]
OpenLedger: TypeAlias = Callable[..., Ledger]
RubricSettings: TypeAlias = Callable[..., rubric.Params]

HEAVY = ("torch", "transformers", "trl", "datasets", "sklearn", "matplotlib", "reasoning_gym", "openai", "ray")
OF_TORCH = {
    f"tests/test_{name}.py"
    for name in (
        "dresses",
        "examples",
        "extra",
        "lost_reasoning",
        "openings",
        "plan",
        "preflight",
        "rendering",
        "renderings",
        "reward",
        "reward_served",
    )
}  # whose fast tests load torch or transformers
LONGEST = [
    f"test_{name}.py"
    for name in (
        "pipeline",
        "edges",
        "workers",
        "score_pairs",
        "train",
        "new",
        "reliability",
        "reasoning_small",
        "ten_minutes",
        "memory",
        "launched",
        "listed_study",
        "labelled_study",
        "cluster",
        "shown",
        "reward",
        "given",
        "examples",
        "extending",
        "lean_training",
        "dresses",
        "kill",
        "experiments",
        "duration",
    )
]  # whose slow tests take longest, the longest first
kept: list[str] = []  # libraries that no search for garbage looks through
collected: list[str] = []  # those of HEAVY that were loaded before the first test ran

SCORES = {1: "wrong", 2: "poor", 3: "fair", 4: "good", 5: "right"}
RUBRIC: dict[str, Any] = {
    "kind": "rubric",
    "model": "judge-model",
    "revision": "r1",
    "endpoint": endpoint("http://127.0.0.1:9/v1").model_dump(),
    "sampling": {"temperature": 0.0, "max_tokens": 64, "seed": 0, "top_logprobs": 0},
    "repeats": 1,
    "calls": "together",
    "reference": False,
    "rationale": False,
    "instructions": "Rate the solution.",
    "dimensions": {
        name: {"description": f"How good is its {name}?", "scores": SCORES}
        for name in ("facts", "plan", "steps", "sums", "noise")
    },
}


def pytest_configure(config: pytest.Config) -> None:
    """Fewer examples where the slow tests are left out; and a core for each process of pytest-xdist, or their
    threads would wait for one another. To import and collect makes no garbage worth the search. What is compiled is
    kept: each process would compile all tests again, and each stage in a process of its own all of our source. What
    such a process has in memory goes with it: to take it apart takes a second."""
    gc.disable()
    sys.dont_write_bytecode = False
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    if "PYTEST_XDIST_WORKER" in os.environ:
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        atexit.register(os._exit, 0)  # the first registered is the last called
    for name, examples in (("few", 25), ("many", 100)):
        hypothesis.settings.register_profile(name, max_examples=examples, deadline=None)
    hypothesis.settings.load_profile("few" if "not slow" in config.option.markexpr else "many")


class TorchInOneProcess(LoadFileScheduling):  # type: ignore[misc]
    """The files that load torch go to one process as if they were one file: to load it takes longer than most files."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return "torch" if file in OF_TORCH else str(file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling:
    """Where the slow tests run too, what a process loads is the least of it, and their files are shared out."""
    return (TorchInOneProcess if "not slow" in config.option.markexpr else LoadFileScheduling)(config, log)


def pytest_itemcollected(item: pytest.Item) -> None:
    """What is long is slow too, or `-m "not slow"` would run it."""
    if item.get_closest_marker("long"):
        item.add_marker("slow")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take long first, then those with many slow tests, then those that go to one process: what begins last
    is then quick, and no process ends long after the others."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    place = {name: number for number, name in enumerate(LONGEST)}

    def rank(item: pytest.Item) -> tuple[int, int, bool]:
        name, many = item.path.name, slow[item.path]
        return (place.get(name, len(place)) if many else len(place), -many, f"tests/{name}" not in OF_TORCH)

    items.sort(key=rank)


def pytest_collection_finish() -> None:
    """What is there now stays to the end, and is not looked through for garbage again and again."""
    gc.enable()
    gc.freeze()
    collected.extend(name for name in HEAVY if name in sys.modules)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown() -> None:
    """So does what the largest libraries made as they were loaded: a trainer looks for garbage when it has ended."""
    if "trl" in sys.modules and not kept:
        gc.collect()
        gc.freeze()
        kept.append("trl")


def pytest_unconfigure() -> None:
    """Extensions of C++ look for what is left of them as a process ends by itself, and print it."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        gc.unfreeze()


@pytest.fixture(scope="session", autouse=True)
def parsed_once() -> Iterator[None]:
    """The YAML of a params file is parsed once, which takes longer than all else that a command does with it; each
    reader gets a copy."""
    parse = params._parse

    def parsed(path: Path, body: bytes) -> dict[str, Any]:
        if body not in flow.KNOWN:
            flow.KNOWN[body] = parse(path, body)
        return deepcopy(flow.KNOWN[body])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(params, "_parse", parsed)
        yield


def fast(names: Iterable[str], first: int) -> list[Any]:
    """Parameters of a test of many cases, slow but for the first: all of them take as long as a stage."""
    return [pytest.param(name, marks=[pytest.mark.slow] * (at >= first)) for at, name in enumerate(names)]


class Unsynced(sqlite3.Connection):
    """A ledger's connection that leaves to the system when what it wrote reaches the disk: no test pulls the plug."""

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        """As SQLite's own, but that nothing waits for the disk."""
        if sql.startswith("PRAGMA journal_mode"):
            super().execute("PRAGMA synchronous=OFF")
        return super().execute("PRAGMA synchronous=OFF" if sql.startswith("PRAGMA synchronous") else sql, *parameters)


@pytest.fixture(scope="session", autouse=True)
def unsynced() -> Iterator[None]:
    """A disk that others write to would make a test of many ledgers the longest of all."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Unsynced))
        yield


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a chat server for a script; all end with the test."""
    with ExitStack() as running:
        yield lambda script: running.enter_context(ChatServer(script))


@pytest.fixture
def open_ledger(tmp_path: Path) -> Iterator[OpenLedger]:
    """Opens the ledger called `name` in the test's folder; all close with the test."""
    with ExitStack() as opened:

        def opens(
            name: str = "ledger", offline: bool = False, distribute: Callable[[Engine], Engine] = locally, **budget: Any
        ) -> Ledger:
            settings = Params(
                path=str(tmp_path / f"{name}.sqlite"),
                recorded=str(tmp_path / "recorded"),
                offline=offline,
                max_failed=1.0,
            )
            return opened.enter_context(Ledger(settings, UNLIMITED.model_copy(update=budget), distribute))

        yield opens


@pytest.fixture
def ledger(open_ledger: OpenLedger) -> Ledger:
    """An empty ledger."""
    return open_ledger()


@pytest.fixture
def rubric_settings() -> RubricSettings:
    """A judge of five dimensions, five scores each, but for the changes given."""
    return lambda **changes: rubric.Params.model_validate(RUBRIC | changes)
