"""`curation gate`: metrics held to bounds, in a real repository of git.

Kinds of fault: a value that is worse and passes; a metric that is not there, has no number or is in two files, and
passes; one of another study, or of settings that are no longer declared, that passes; a bound of another metric; a
page whose examples or workflow are not what the command does.
"""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from ruamel.yaml import YAML
from served import ran

from curation.tables import contracts, measurements, parquet

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/gate.md").read_text()
BOTH = "--metric missing_runs --min 1 --metric contrasts.direction.ci_high --min 1"
OF_DIRECTION = "--metric contrasts.direction.estimate"
DIRECTION = {"estimate": 0.1, "ci_low": -0.3, "ci_high": 0.5}
CONTRAST = {
    "contrast": "direction", "family": "others", "terms": "", "benchmark": "held_sums", "measure": "avg@1", **DIRECTION,
    "n": 10, "runs": 2, "seeds": 1, "scope": "this run", "voided": 0, "primary": False,
}  # fmt: skip


def git(folder: Path, *arguments: str) -> None:
    """Run git there, as somebody."""
    subprocess.run(["git", "-c", "user.name=n", "-c", "user.email=e", *arguments], cwd=folder, check=True)


def put(folder: Path, name: str, metrics: dict[str, object]) -> None:
    """`data/metrics/NAME.json` holds these."""
    file = folder / f"data/metrics/{name}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(metrics))


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The metrics of a study, which were better at `main`; and its table of contrasts, one of which was refused."""
    folder = tmp_path_factory.mktemp("study")
    baseline = {"held_sums": {"missing": 0}}
    put(folder, "compare", {"contrasts": {"direction": DIRECTION | {"estimate": 0.15}}, "baseline": baseline})
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "before")
    put(folder, "compare", {"contrasts": {"direction": DIRECTION}, "baseline": baseline, "missing_runs": 0})
    put(
        folder,
        "judge/rubric",
        {"coverage": 0.9, "odd": None, "worded": "high", "not": float("nan"), "endless": float("inf")},
    )
    put(folder, "judge/answer", {"coverage": 1})
    refused = CONTRAST | dict.fromkeys(DIRECTION) | {"contrast": "helps", "scope": None, "refused": "no results of dpo"}
    rows = pl.DataFrame([CONTRAST, refused], contracts.empty(measurements.CONTRASTS).schema)
    parquet.write(measurements.CONTRASTS, rows, contracts.path("contrasts", data=folder / "data"))
    return folder


@pytest.mark.parametrize(
    ("arguments", "code", "printed"),
    [
        ("--metric contrasts.direction.ci_low --min -0.3", 0, "contrasts.direction.ci_low: -0.3\n"),
        ("--metric contrasts.direction.estimate --min 0 --max 0.1", 0, "contrasts.direction.estimate: 0.1\n"),
        ("--metric contrasts.direction.estimate --max 0.09", 1, "0.1 is more than 0.09"),
        (f"{OF_DIRECTION} --max-drop 0.05 --against main", 0, "contrasts.direction.estimate: 0.1\n"),
        ("--metric missing_runs --max-drop 0 --against main", 1, "is no metric of main; the nearest: "),
        ("--metric coverage --min 0", 1, "is in judge/answer, judge/rubric of data/metrics; say which"),
        ("--metric judge/rubric:coverage --min 0.5", 0, "judge/rubric:coverage: 0.9\n"),
        ("--metric odd --min 0", 1, "is null in data/metrics, which is no number"),
        ("--metric not --min 0", 1, "is nan in data/metrics, which is no number"),
        ("--metric endless --min 0", 1, "is inf in data/metrics, which is no number"),
        ("--metric worded --min 0", 1, "is 'high' in data/metrics, which is no number"),
        ("--metric contrasts.helps.ci_low --min 0", 1, "has no value, since helps has no result: no results of dpo"),
        (f"{OF_DIRECTION} --max-drop 0 --against nowhere", 1, "--against nowhere: git knows no such"),
        ("--metric contrasts.direction.estimate", 2, "has no bound; add --min, --max or --max-drop after it"),
        ("--min 0 --metric contrasts.direction.estimate", 2, "--min: stands before any --metric; name that first"),
        ("--metric missing_runs --max-drop 1", 2, "--max-drop is held against a revision"),
        ("--metric missing_runs --max 1 --against main", 2, "no metric has a --max-drop"),
        ("--metric missing_runs --max nan", 2, "invalid number value"),
        ("", 2, "name a metric"),
    ],
)  # fmt: skip
def test_a_metric_is_held_to_its_bounds(study: Path, arguments: str, code: int, printed: str) -> None:
    done = ran(study, "curation", "gate", *shlex.split(arguments))
    assert done.returncode == code, done.stderr
    assert printed in (done.stderr if code else done.stdout)
    assert "Traceback" not in done.stderr


def test_every_metric_that_is_worse_has_a_sentence(study: Path) -> None:
    """The first does not hide the second, and a bound is of the metric before it."""
    done = ran(study, "curation", "gate", *shlex.split(BOTH))
    assert (
        done.stderr == "error: missing_runs: 0 is less than 1\nerror: contrasts.direction.ci_high: 0.5 is less than 1\n"
    )


def test_the_page_shows_what_the_command_says(study: Path) -> None:
    shown = re.findall(r"^\$ (curation .*)\n((?:(?!\$ |```).*\n)*)", PAGE, re.MULTILINE)
    assert len(shown) == 4
    for command, printed in shown:
        done = ran(study, *shlex.split(command))
        assert (command, done.stdout + done.stderr) == (command, printed)


def test_the_workflow_is_one_and_its_gate_runs(study: Path) -> None:
    """The kind of fault: YAML that folds the command otherwise than it looks, an option that there is not."""
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    workflow = YAML(typ="safe", pure=True).load(text)
    assert {"name", "on", "permissions", "jobs"} == set(workflow)
    command = workflow["jobs"]["gate"]["steps"][-1]["run"]
    done = ran(study, *shlex.split(command.replace("origin/$GITHUB_BASE_REF", "main")))
    assert done.stderr == "error: contrasts.direction.estimate: 0.1 is 0.05 below 0.15 at main; 0.02 is allowed\n"


@pytest.mark.slow
def test_a_metric_that_was_made_by_other_settings_does_not_pass(tmp_path: Path) -> None:
    """As DVC itself writes its lock: after `dvc repro` the gate passes; where params.yaml was edited since, or the file
    was, it does not, whatever the value; and it does again where the edit is taken back."""
    asked = shlex.split("--metric top.accuracy --min 0.5 --metric other.loss --max 1")
    making = "import pathlib as p; p.Path('data/metrics/{0}.json').write_text('{{\"{0}\": {{\"{1}\": 0.7}}}}')"
    stages = {
        name: {
            "cmd": shlex.join(["python", "-c", making.format(name, metric)]),
            "params": params,
            "metrics": [{f"data/metrics/{name}.json": {"cache": False}}],
        }
        for name, metric, params in [("top", "accuracy", ["judges.rubric-1", "grid"]), ("other", "loss", ["student"])]
    }
    declared = "x-one: &one {kind: rubric, scores: {1: bad, 2: good}}\njudges: {rubric-1: {<<: *one, model: a}}\n"
    declared += "grid: {seeds: [0], budget: 0.5}\nstudent: {dtype: null}\nledger: {offline: false}\n"
    (tmp_path / "dvc.yaml").write_text(json.dumps({"stages": stages}))
    (tmp_path / "params.yaml").write_text(declared)
    (tmp_path / "data/metrics").mkdir(parents=True)
    for command in ("init --no-scm --quiet", "repro --quiet"):
        subprocess.run([sys.executable, "-m", "dvc", *command.split()], cwd=tmp_path, check=True)
    made, other = tmp_path / "data/metrics/top.json", "error: data/metrics/top.json: was made by other settings than "

    assert ran(tmp_path, "curation", "gate", *asked).returncode == 0
    for old, new, named in [
        ("model: a", "model: b", "judges.rubric-1"),
        ("2: good", "2: fair", "judges.rubric-1"),
        ("rubric-1:", "rubric-2:", "judges.rubric-1"),
        ("budget: 0.5", "budget: 0.6", "grid"),
        ("offline: false", "offline: true", None),
    ]:
        (tmp_path / "params.yaml").write_text(declared.replace(old, new))
        done = ran(tmp_path, "curation", "gate", *asked)
        assert (done.returncode, done.stderr.startswith(f"{other}params.yaml has: {named};")) == (
            (0, False) if named is None else (1, True)
        ), (new, done.stderr)
    (tmp_path / "params.yaml").write_text(declared)
    made.write_text(made.read_text().replace("0.7", "0.8"))
    done = ran(tmp_path, "curation", "gate", *asked)
    assert (done.returncode, "data/metrics/top.json: is not the file that dvc.lock tells of" in done.stderr) == (
        1,
        True,
    )
    (tmp_path / "dvc.lock").write_text("<<<<<<< HEAD\n")
    done = ran(tmp_path, "curation", "gate", *asked)
    assert (done.returncode, "dvc.lock: cannot be read" in done.stderr, "Traceback" in done.stderr) == (1, True, False)
