"""recipes/reasoning_small.yaml from the ledger to a subset: real replies of small models that think, built from what
is recorded, without a call.

Kinds of fault: a reply of which a part is in no column; reasoning that a stage on the way does not hand on; a pair of a
trace that thinks and one that does not, where both were asked for.
"""

import shlex
import shutil
from pathlib import Path

import polars as pl
import pytest
from served import ran
from test_shown import COMMAND

from curation.core.params import read
from curation.tables.texts import BLANK

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
RECORDED = ROOT / "data/recorded/reasoning_small"
ARM = "both_think-thinkers-own-itself"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reasoning")
    shutil.copytree(RECORDED, folder / "data/recorded/reasoning_small")
    shutil.copy(ROOT / "recipes/reasoning_small.yaml", folder / "params.yaml")
    weights = ROOT / ".curation/weights"  # unpacked once for all tests
    weights.mkdir(parents=True, exist_ok=True)
    (folder / ".curation").mkdir()
    (folder / ".curation/weights").symlink_to(weights)
    study = read(folder / "params.yaml")
    each = {"generate": study.generators, "judge": study.judges, "prefer": study.pairwise_judges,
            "select": study.selections}  # fmt: skip
    for stage in (
        "collect", "generate", "renderings", "judge", "pair", "prefer", "delta", "calibrate", "reliability", "select",
        "arms",
    ):  # fmt: skip
        for name in each.get(stage, [None]):
            done = ran(folder, f"stages.{stage}", *filter(None, [name]))
            assert done.returncode == 0, done.stderr
    return folder


def traces(study: Path) -> pl.DataFrame:
    return pl.concat(pl.read_parquet(file) for file in sorted((study / "data/traces").glob("*.parquet")))


def seen(text: str | None) -> str:
    """The characters of a text that are no blanks."""
    return "".join(one for one in text or "" if one not in BLANK)


def test_every_reply_is_in_a_trace_to_the_last_character(study: Path) -> None:
    for name, rows in traces(study).group_by("generator"):
        calls = pl.read_parquet(RECORDED / f"generate-{name[0]}.parquet")
        replies = set(calls["text"].map_elements(seen, pl.String))
        for thought, answer in rows.select("reasoning", "completion").iter_rows():
            opened = "" if thought is None else f"<think>{seen(thought)}"
            assert {f"{opened}{closed}{seen(answer)}" for closed in ("", "</think>")} & replies
        assert rows.height == 24


def test_a_trace_says_how_it_ended_and_what_it_has(study: Path) -> None:
    rows = traces(study).with_columns(
        pl.col("reasoning").is_not_null().alias("thinks"), pl.col("completion").is_not_null().alias("answers")
    )
    counts = rows.group_by("generator", "status", "thinks", "answers").len().sort(pl.all()).rows()
    assert counts == [
        ("answers-500m", "complete", False, True, 24),
        ("thinks-1500m", "complete", True, True, 17),
        ("thinks-1500m", "truncated", True, False, 4),
        ("thinks-1500m", "truncated", True, True, 3),
        ("thinks-500m", "complete", False, True, 2),
        ("thinks-500m", "complete", True, True, 20),
        ("thinks-500m", "truncated", True, True, 1),
        ("thinks-500m", "unfinished", True, False, 1),
    ]


def test_every_trace_that_answers_is_judged_and_reaches_the_student(study: Path) -> None:
    answered = traces(study).filter(pl.col("completion").is_not_null())
    judged = pl.read_parquet(study / "data/judgments/rubric.parquet").filter(status="scored")
    assert set(judged["trace_id"]) == set(answered["trace_id"])
    rendered = pl.read_parquet(study / "data/renderings.parquet").join(answered, on="trace_id")
    assert rendered.height == answered.height and rendered["fault"].null_count() == rendered.height
    assert rendered["completion_kept"].all() and rendered.filter(pl.col("reasoning") != "")["reasoning_kept"].all()


def test_both_sides_of_the_subset_think(study: Path) -> None:
    subset = pl.read_parquet(study / f"data/arms/subsets/{ARM}.parquet")
    texts = {row["trace_id"]: row for row in traces(study).iter_rows(named=True)}
    assert subset.height == 8
    for row in subset.iter_rows(named=True):
        for side in ("chosen", "rejected"):
            trace = texts[row[f"{side}_trace_id"]]
            assert row[f"{side}_reasoning"] == trace["reasoning"] != "" and trace["reasoning"] is not None
            assert row[side] == [{"role": "assistant", "content": trace["completion"]}]
            assert (trace["generator"], trace["status"]) == (
                "thinks-1500m" if side == "chosen" else "thinks-500m", "complete",
            )  # fmt: skip


def test_every_answer_on_the_page_is_the_tables(study: Path) -> None:
    asked = COMMAND.findall((ROOT / "docs/reasoning.md").read_text())
    assert asked
    for command, shown in asked:
        done = ran(study, *shlex.split(command))
        assert (command, done.stdout) == (command, shown), done.stderr
