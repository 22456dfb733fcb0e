"""What `curation plan power` says of a study at hand. The kind of fault: results or contrasts that are passed over
without a word, and contrasts that count twice."""

import json
import shutil
from pathlib import Path
from typing import Any

import flow
import pytest
import world
from test_results_in import BETTER, RESULTS, write_study

from curation.commands import plan
from curation.experiment.pilot import FEWEST_PROMPTS

SAME = {"again": world.CONTRASTS[world.PRIMARY], "turned": {"plus": {"selection": "clear"}, "minus": "baseline"}}


@pytest.fixture
def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A study two of whose benchmarks other harnesses asked, of 24 prompts and of 14; nothing is imported yet."""
    raw = write_study(tmp_path)
    (tmp_path / "data/imported_results.parquet").unlink()
    monkeypatch.chdir(tmp_path)
    return raw


def power(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    capsys.readouterr()
    plan.main(["power", "--json"])
    return dict(json.loads(capsys.readouterr().out)["power"])


def test_contrasts_on_what_other_harnesses_asked_are_foreseen(
    measured: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """By their logs, with their prompts and samples; of runs that are measured there alone."""
    found = power(capsys)
    of = {row["contrast"]: row for row in found["contrasts"]}
    assert found["unforeseen"] == []
    assert (of["additions"]["prompts"], of["additions"]["samples"], of["additions"]["basis"]) == (
        24, 1, "2 runs, 24 prompts",
    )  # fmt: skip
    assert (of["chat"]["prompts"], of["chat"]["samples"], of["chat"]["scope"]) == (14, 2, "prompts")
    gains = {(row["contrast"], row["benchmark"]) for row in found["contrasts"] if row["kind"] == "baseline"}
    assert {benchmark for _, benchmark in gains} == {"held_sums", "letters"}  # where alone the student is asked
    assert not any("plain" in name or "noisy" in name for name, _ in gains)


def test_a_run_without_logs_is_told_and_so_are_logs_that_are_not_there(
    measured: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    raw = measured
    raw["contrasts"]["student"] = {"plus": {"model": "plain"}, "minus": "baseline", "benchmark": "additions"}
    flow.write(raw, Path("params.yaml"))
    assert power(capsys)["unforeseen"] == [
        {"contrast": "student", "why": "no run of baseline is measured on additions"}
    ]
    (logs,) = (path for run, path in RESULTS["additions"]["runs"].items() if run == "plain")
    shutil.rmtree(logs)
    raw["results"] = {"additions": RESULTS["additions"]}
    raw["contrasts"] = {world.PRIMARY: world.CONTRASTS[world.PRIMARY], "gone": BETTER | {"benchmark": "additions"}}
    flow.write(raw, Path("params.yaml"))
    assert power(capsys)["unforeseen"] == [
        {"contrast": "gone", "why": "results.additions: no log of it has two prompts"}
    ]


def test_results_of_few_prompts_are_passed_over_aloud(
    measured: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert power(capsys)["passed_over"] == {"held_sums": 2, "letters": 0, "chat": 14}
    plan.main(["power"])
    assert (
        f"passed over: results of fewer than {FEWEST_PROMPTS} prompts, which say less than what is assumed: held_sums "
        "(2), letters (0), chat (14)\n"
    ) in capsys.readouterr().out


def test_contrasts_that_ask_the_same_count_once(measured: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever they are called: declared twice, or declared and among the gains."""
    raw = measured
    raw["contrasts"] |= {name: one | {"benchmark": "held_sums"} for name, one in SAME.items()}
    raw["compare"]["detect"] = 0.03
    flow.write(raw, Path("params.yaml"))
    rows = power(capsys)["contrasts"]
    same = {row["contrast"]: row["same_as"] for row in rows if row["same_as"] and row["benchmark"] == "held_sums"}
    assert same == {
        "again": "direction",
        "dpo-clear-any-own-itself over reversed": "direction",
        "dpo-clear-any-own-itself over baseline": "turned",
    }
    plan.main(["power"])
    out = capsys.readouterr().out
    assert [line for line in out.splitlines() if "over reversed" in line and "held_sums" in line] == []
    assert "over reversed" in out and "over baseline (2)" in out
    assert f"as declared, 0 of {len(rows) - 3} distinct contrasts can see compare.detect: 0.03" in out
