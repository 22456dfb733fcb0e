"""Prompts generated procedurally by reasoning-gym, seeded, with the library's own scorer as verifier."""

import ast
import dataclasses
import importlib.util
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import polars as pl
from pydantic import Field

from curation.core.errors import CurationError
from curation.core.messages import did_you_mean
from curation.core.needs import find_uninstalled
from curation.core.params import Plain, Strict
from curation.core.ranges import Seed
from curation.core.study import Study
from curation.prompts.sources._rows import prompt_frame

DRAWN_PER_KEPT = 40  # prompts that reasoning-gym is asked for to get one that no other prompt equals


class Task(Strict):
    """One reasoning-gym data set; `config` is passed to it as it is."""

    prompts: Annotated[int, Field(ge=1, le=1_000_000, description="40 times as many are drawn")]
    config: dict[str, Plain]


class Params(Strict):
    """A source of kind reasoning_gym. `instruction` ends every prompt, unless null."""

    kind: Literal["reasoning_gym"]
    split: Literal["train", "in_domain", "out_of_domain"]
    seed: Seed
    instruction: str | None
    tasks: dict[str, Task]

    def mistakes(self, study: Study) -> Iterator[str]:
        """Each task that reasoning-gym does not know, and each unknown key of a config. Nothing where reasoning-gym is
        not installed: only `collect` needs it."""
        if _list_sources():
            yield from (
                f"tasks.{line}" for task, settings in self.tasks.items() if (line := unknown_name(task, settings))
            )

    def unmet(self, study: Study) -> Iterator[str]:
        """The library, where it is not installed."""
        yield from (f"kind: {line}" for line in find_uninstalled("reasoning_gym"))


def prompts(settings: Params, existing_texts: set[str]) -> pl.DataFrame:
    """`prompts` of each task, no two alike and none whose text is in `existing_texts`.

    Raises CurationError if the library is not installed, or if a task is unknown, refuses its config, has too few
    distinct prompts, or has a scorer that rejects the task's own answer.
    """
    if not _list_sources():
        raise CurationError(
            'a source of kind reasoning_gym: reasoning-gym is not installed; `pip install -e ".[tasks]"`'
        )
    rows = []
    seen = set(existing_texts)
    for task, task_settings in settings.tasks.items():
        fresh: list[tuple[str, str, list[str], str, str]] = []
        for entry in _create_entries(task, task_settings, settings.seed):
            text = entry["question"].strip() + (f"\n{settings.instruction}" if settings.instruction else "")
            if text not in seen and len(fresh) < task_settings.prompts:
                seen.add(text)
                body = json.dumps(entry, sort_keys=True, default=str)
                fresh.append((task, text, [entry["answer"]], f"reasoning_gym:{task}", body))
        if len(fresh) < task_settings.prompts:
            raise CurationError(
                f"reasoning_gym {task}: {len(fresh)} distinct unused prompts, {task_settings.prompts} wanted; "
                "widen its config or lower its size"
            )
        _check_scorer(task, fresh[0])
        rows += fresh
    return prompt_frame(rows)


def _check_scorer(task: str, row: tuple[str, str, list[str], str, str]) -> None:
    """Raises CurationError if the task's scorer rejects the task's own answer. A few do, or do once the entry was JSON:
    they would call every trace wrong."""
    import reasoning_gym

    _, _, (answer,), _, entry = row
    try:
        score = reasoning_gym.get_score_answer_fn(task)(answer, json.loads(entry))
    except Exception as error:  # whatever it raises, it cannot verify
        raise CurationError(
            f"reasoning_gym {task}: its scorer fails on its own answer ({type(error).__name__}); choose another task"
        ) from None
    if score < 1:
        raise CurationError(
            f"reasoning_gym {task}: its scorer gives {score} to its own answer {answer!r}; choose another task"
        )


def _create_entries(task: str, settings: Task, seed: int) -> Any:
    import reasoning_gym

    if line := unknown_name(task, settings):
        raise CurationError(f"reasoning_gym {line}")
    try:
        return reasoning_gym.create_dataset(task, size=settings.prompts * DRAWN_PER_KEPT, seed=seed, **settings.config)
    except (ValueError, TypeError, AssertionError) as error:
        raise CurationError(f"reasoning_gym {task}: {error}") from None


def unknown_name(task: str, settings: Task) -> str | None:
    """What reasoning-gym does not know, the task or a key of its config, with the nearest name that it knows; None if
    it knows all."""
    declared = _read_declared_keys(task)
    if declared is not None and declared >= settings.config.keys():
        return None
    from reasoning_gym.factory import DATASETS

    if task not in DATASETS:
        return f"{task}: no such task{did_you_mean(task, DATASETS)}"
    keys = [field.name for field in dataclasses.fields(DATASETS[task][1])]
    wrong = [key for key in settings.config if key not in keys]
    return f"{task}.config.{wrong[0]}: unknown key{did_you_mean(wrong[0], keys)}" if wrong else None


@cache
def _list_sources() -> dict[str, Path]:
    """The files of reasoning-gym by their stems, most of which are tasks; none where it is not installed."""
    spec = importlib.util.find_spec("reasoning_gym")
    return {file.stem: file for file in Path(spec.origin).parent.rglob("*.py")} if spec and spec.origin else {}


@cache
def _read_declared_keys(task: str) -> frozenset[str] | None:
    """The keys of a task's config as its source declares them, or None where the source does not show them plainly.
    (Importing the library takes a second of CPU.)"""
    if task not in _list_sources():
        return None
    body = ast.parse(_list_sources()[task].read_bytes()).body
    texts = {ast.unparse(node.targets[0]): node.value for node in body if isinstance(node, ast.Assign)}
    classes = {node.name: node for node in body if isinstance(node, ast.ClassDef)}
    for node in body:
        match node:
            case ast.Expr(ast.Call(ast.Name("register_dataset"), [ast.Name(name), _, ast.Name(config), *_])):
                registered = texts.get(name)
                if isinstance(registered, ast.Constant) and registered.value == task and config in classes:
                    return frozenset(
                        ast.unparse(part.target) for part in classes[config].body if isinstance(part, ast.AnnAssign)
                    )
    return None
