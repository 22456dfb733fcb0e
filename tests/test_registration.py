"""The primary contrast, registered before its results are seen.

Kinds of fault: a primary that is another than the one that was declared, by its name or by what its names stand for,
and nobody is told; a registration that takes another's place in silence, or comes after the results and does not say
so; a file that git changes or a hand edits, and that is believed.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flow
import pytest
import world
from conftest import fast
from ruamel.yaml import YAML

from curation.calls.call import Call, Reply
from curation.calls.ledger import Ledger
from curation.commands import params, register
from curation.core.errors import CurationError, Errors
from curation.core.params import BASELINE, read
from curation.experiment import registration
from curation.experiment.registration import find_absent, messages, metrics, read_registration, standing

ROOT = Path(__file__).parents[1]
FILE = Path(registration.FILE)


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Changes the params.yaml of the small world's study, which is in the working folder."""
    monkeypatch.chdir(tmp_path)
    flow.write(world.settings(), Path("params.yaml"))

    def change(edit: Callable[[dict[str, Any]], object]) -> None:
        raw = world.settings()
        edit(raw)
        flow.write(raw, Path("params.yaml"))

    return change


def test_the_repository_registers_its_own_study() -> None:
    assert standing(read(ROOT / "params.yaml")) in ("registered", "after_results")


EDITS: dict[str, Callable[[dict[str, Any]], object]] = {
    "contrast.benchmarks.held_sums": lambda raw: raw["contrasts"][world.PRIMARY].update(benchmark="letters"),
    "contrast.measure": lambda raw: raw["contrasts"][world.PRIMARY].update(measure="pass"),
    "contrast.margin": lambda raw: raw["contrasts"][world.PRIMARY].update(margin={"equivalence": 0.02}),
    "selections.clear.seed": lambda raw: raw["selections"]["clear"].update(seed=7),
    "controls.reversed.updates": lambda raw: raw["controls"]["reversed"].update(updates="as_all"),
    "generator_pairs.any.where": lambda raw: raw["generator_pairs"]["any"].update(where="chosen_model = 'large'"),
    "methods.dpo.beta": lambda raw: raw["methods"]["dpo"].update(beta=0.2),
    "evaluate.dtype": lambda raw: raw["evaluate"]["engine"].update(dtype="bfloat16"),
    "evaluate.sampling.samples": lambda raw: raw["evaluate"]["sampling"].update(samples=3),
    "runs": lambda raw: raw["grid"].update(seeds=[0, 1]),
    "judges.answer.extract": lambda raw: raw["judges"]["answer"].update(extract=[{"kind": "last_number"}]),
    "judges.rubric.repeats": lambda raw: raw["judges"]["rubric"].update(repeats=1),
    "delta.score": lambda raw: raw["delta"].update(score="sampled"),
    "pair.within_generator": lambda raw: raw["pair"].update(within_generator=False),
    "generators.large.sampling.temperature": lambda raw: raw["generators"]["large"]["sampling"].update(temperature=1),
    "sources.held_sums.seed": lambda raw: raw["sources"]["held_sums"].update(seed=9),
}
UNRELATED: dict[str, Callable[[dict[str, Any]], object]] = {
    "ledger": lambda raw: raw["ledger"].update(max_failed=0.5),
    "budget": lambda raw: raw["budget"].update(max_calls=9),
    "audit": lambda raw: raw["audit"].update(kto=9.0),
    "execution": lambda raw: raw["execution"].update(engine="ray"),
    "another benchmark": lambda raw: raw["sources"]["letters"].update(seed=9),
    "another judge": lambda raw: raw["judges"].update(second=raw["judges"]["rubric"] | {"repeats": 3}),
    "where the student answers": lambda raw: raw["evaluate"]["engine"].update(batch_size=7),
    "where a judge is": lambda raw: raw["judges"]["rubric"]["endpoint"].update(concurrency=9),
    "another generator": lambda raw: raw["generators"].update(third=raw["generators"]["large"]),
    "another contrast": lambda raw: raw["contrasts"].update(second=raw["contrasts"][world.PRIMARY]),
    "its name": lambda raw: (
        raw["contrasts"].update(renamed=raw["contrasts"].pop(world.PRIMARY)), raw["compare"].update(primary="renamed")
    ),
}  # fmt: skip


@pytest.mark.parametrize("place", fast(EDITS, 4))
def test_whatever_decides_the_primary_is_held_to_what_was_registered(place: str, study: Callable[..., None]) -> None:
    """And what differs is named."""
    register.main([])
    study(EDITS[place])
    edited = read()
    said, *changes = messages(edited)
    assert standing(edited) == "differs" and metrics(edited) == {"primary_registered": 0}
    assert said == "compare.primary: direction is not the one that is registered"
    assert changes[0].startswith(f"registered.yaml: {place}: ")


@pytest.mark.parametrize("edit", fast(UNRELATED, 2))
def test_what_does_not_decide_it_may_change(edit: str, study: Callable[..., None]) -> None:
    register.main([])
    study(UNRELATED[edit])
    edited = read()
    assert standing(edited) == "registered" and list(messages(edited)) == []
    assert metrics(edited) == {"primary_registered": 1}


def test_the_page_shows_what_the_small_study_registers(
    study: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """Before its results, and of another benchmark after them."""
    page = (ROOT / "docs/grid.md").read_text()
    register.main([])
    assert f"$ curation register\n{capsys.readouterr().out}" in page
    study(EDITS["contrast.benchmarks.held_sums"])
    Path("data/results").mkdir(parents=True)
    for run in world.RUNS:
        Path(f"data/results/{run}.parquet").touch()
    register.main(["--replace"])
    said = capsys.readouterr()
    assert f"$ curation register --replace\n{said.out}{said.err}" in page


def test_a_primary_that_is_given_up_beside_a_registration_is_marked(study: Callable[..., None]) -> None:
    register.main([])
    study(lambda raw: raw["compare"].update(primary=None))
    assert metrics(read()) == {"primary_registered": 0}
    assert list(messages(read())) == [
        "compare.primary: null, but registered.yaml registers direction; name that, or `curation register --replace` "
        "registers that there is none"
    ]
    register.main(["--replace"])
    assert metrics(read()) == {} and list(messages(read())) == []


def test_a_primary_that_is_not_registered_is_told_and_none_is_no_fault(study: Callable[..., None]) -> None:
    (said,) = messages(read())
    assert said == (
        "compare.primary: direction is not registered; `curation register` does that, before its results are seen"
    )
    study(lambda raw: raw["compare"].update(primary=None))
    assert list(messages(read())) == [] and metrics(read()) == {}


def test_a_study_without_a_primary_registers_that(
    study: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """DVC wants the file. The kind of fault: a study that cannot have what a stage depends on; and a primary that is
    named once results are there, where it was said that there is none."""
    study(lambda raw: raw["compare"].update(primary=None))
    assert list(find_absent(read())) == []
    Path("dvc.yaml").touch()
    (told,) = find_absent(read())
    assert told == (
        "registered.yaml: does not exist, and `dvc repro` stops before it compares; `curation register` writes that "
        "there is no primary contrast"
    )
    params.main(["--file-only"])
    assert capsys.readouterr().err == ""
    register.main([])
    assert capsys.readouterr().out.startswith("registered.yaml: registers no primary contrast, sha256:")
    assert list(find_absent(read())) == [] and metrics(read()) == {} and list(messages(read())) == []
    register.main([])
    assert "no primary contrast is registered already" in capsys.readouterr().out
    study(lambda raw: None)
    assert standing(read()) == "differs" and metrics(read()) == {"primary_registered": 0}
    assert 'registered.yaml: primary: null → "direction"' in list(messages(read()))


def test_results_that_were_put_aside_were_seen_all_the_same(study: Callable[..., None]) -> None:
    """Their answers are in the ledger, and make them again in a moment. The kind of fault: a folder that is moved away
    while the primary is registered."""
    call = Call("student", "sha", [{"role": "user", "content": "2 + 2?"}], {"max_tokens": 8}, 0)
    settings = read()
    for name, marked in ((BASELINE, False), ("dpo-of-another-study", False), (world.TUNED, True)):
        with Ledger(settings.ledger) as ledger:
            ledger.append(call, Reply(name, "stop"), "evaluate", name)
        register.main(["--replace"])
        assert read_registration(FILE).after_results is marked  # type: ignore[union-attr]
        FILE.unlink()


def test_another_registration_is_replaced_only_when_that_is_asked_for(
    study: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    register.main([])
    before, sha = FILE.read_bytes(), read_registration(FILE).sha256[:19]  # type: ignore[union-attr]
    assert capsys.readouterr().out == f"registered.yaml: registers direction, {sha}; commit it\n"
    register.main([])
    assert capsys.readouterr().out == f"registered.yaml: direction is registered already, {sha}\n"
    study(EDITS["methods.dpo.beta"])
    with pytest.raises(Errors) as refused:
        register.main([])
    assert refused.value.lines == [
        "registered.yaml: registers another primary; `curation register --replace` replaces it",
        "registered.yaml: methods.dpo.beta: 0.1 → 0.2",
    ]
    assert FILE.read_bytes() == before
    register.main(["--replace"])
    assert capsys.readouterr().out.startswith("changed: methods.dpo.beta: 0.1 → 0.2\nregistered.yaml: registers dir")
    assert standing(read()) == "registered"


def test_what_is_registered_after_its_results_is_marked_so(
    study: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """The baseline's results are of the student alone, and say nothing of a contrast."""
    Path("data/results").mkdir(parents=True)
    Path("data/results/baseline.parquet").touch()
    register.main([])
    assert standing(read()) == "registered" and capsys.readouterr().err == ""
    Path(f"data/results/{world.TUNED}.parquet").touch()
    register.main([])
    assert standing(read()) == "registered", "what was registered before stays so"
    study(EDITS["methods.dpo.beta"])
    register.main(["--replace"])
    assert capsys.readouterr().err == (
        "warning: 1 run has results already, so it is registered after the fact, and marked so\n"
    )
    assert list(messages(read())) == ["compare.primary: direction was registered when there were results already"]
    assert metrics(read()) == {"primary_registered": 0}


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        (lambda text: text.replace("beta: 0.1", "beta: 0.3"), "was edited: its sha256 is not that of what it holds"),
        (lambda text: text.replace("false", "true", 1), "was edited: its sha256 is not that of what it holds"),
        (lambda text: text.replace('"direction"', '"another"', 1), "was edited: its sha256 is not that of what it ho"),
        (lambda text: text.replace("after_results: false", "after: 1"), "is no registration"),
        (lambda text: text.replace("primary:", "primary: ["), "line 4: not YAML: "),
        (lambda text: "<<<<<<< ours\n" + text, "line 4: not YAML: "),
        (lambda text: "", "is empty"),
    ],
)  # fmt: skip
def test_a_file_that_a_hand_or_a_merge_changed_is_not_believed(
    edit: Callable[[str], str], why: str, study: Callable[..., None]
) -> None:
    register.main([])
    whole = FILE.read_text()
    FILE.write_text(edit(whole))
    for asks in (lambda: standing(read()), lambda: register.main([])):
        with pytest.raises(
            CurationError, match=f"^registered.yaml: {why}.*; `curation register --replace` writes it anew"
        ):
            asks()
    register.main(["--replace"])
    assert FILE.read_text() == whole


def test_a_declaration_is_read_as_it_was_written(tmp_path: Path) -> None:
    odd = [
        "true",
        "1e5",
        "0x1F",
        "2026-01-31",
        "~",
        "- a",
        "a: b # c",
        "é😀\u2028\x85\x00\U000e0001",
        "two\nlines\n",
        " ",
        "x" * 300,
        "true: 1",
        "'\"",
    ]
    numbers = [1.0, 1, 1e-300, 0.1 + 0.2, -0.0, 1 / 3, 10**15]
    declaration = {"texts": odd, "by": dict.fromkeys(odd, None), "numbers": numbers, "no": {}, "none": [], "yes": True}
    made = registration.register("odd", declaration, True, tmp_path / FILE)
    assert read_registration(tmp_path / FILE) == made


STAGE: Any = YAML(typ="safe", pure=True).load(ROOT / "dvc.yaml")["stages"]["compare"]


@pytest.mark.slow
def test_a_primary_that_changes_after_registration_is_marked(study: Callable[..., None]) -> None:
    """With DVC for real: the registration is a dependency of `compare`, which runs again when either changes."""
    world.write(world.sound(), Path())
    Path("data/metrics").mkdir(exist_ok=True)
    Path("data/metrics/arms.json").write_text(json.dumps({world.ARM: {"pairs": 3}}))
    deps = [dep for dep in STAGE["deps"] if Path(dep).exists() or dep == registration.FILE]
    assert registration.FILE in deps
    flow.write({"stages": {"compare": STAGE | {"deps": deps}}}, Path("dvc.yaml"))
    Path("data/results").rename("results_to_come")
    register.main([])
    Path("results_to_come").rename("data/results")
    dvc("init", "--no-scm", "-q")

    def registered() -> tuple[int, str]:
        said = dvc("repro", "-q")
        return json.loads(Path("data/metrics/compare.json").read_text())["primary_registered"], said

    assert registered()[0] == 1
    study(EDITS["contrast.benchmarks.held_sums"])
    marked, said = registered()
    assert marked == 0 and "direction is not the one that is registered" in said
    register.main(["--replace"])
    marked, said = registered()
    assert marked == 0 and "was registered when there were results already" in said


def dvc(*arguments: str) -> str:
    """What DVC and the stages that it runs print, on both streams."""
    paths = {"PYTHONPATH": str(ROOT), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = [sys.executable, "-m", "dvc", *arguments]
    done = subprocess.run(command, env=os.environ | paths, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
