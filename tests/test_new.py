"""`curation new`: what it finds in files of many shapes, and that what it writes is read back, checked and run.

Kinds of fault: a guess that the check of params refuses; a name of a file or a column that YAML, a terminal or a path
takes for something else; two files taken for one another's; a file written over.
"""

import gzip
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from curation.commands import new
from curation.core.errors import CurationError
from curation.core.params import read
from curation.core.study import Study

ROOT = Path(__file__).parents[1]
SYSTEM = {"role": "system", "content": "Think first. Put the answer in \\boxed{}."}
MODELS = {"qwen-7b": 8, "qwen-1.5b": 5, "llama-3b": 2}  # how many of ten sums each gets right


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def lines(file: Path | str, rows: Iterable[Any]) -> str:
    """The name of a file of JSON lines, packed if it says so, that is there now."""
    path = Path(file)
    path.parent.mkdir(parents=True, exist_ok=True)
    body = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(body) if path.suffix == ".gz" else body)
    return str(file)


def three_outputs(folder: Path) -> None:
    """What three served models answered: message lists, reasoning beside the answer, textual ids; one is packed."""
    for model, right in MODELS.items():
        rows = [
            {
                "id": f"sum-{number:02}",
                "messages": [
                    SYSTEM,
                    {"role": "user", "content": f"What is {number} + 5?"},
                    {
                        "role": "assistant",
                        "reasoning_content": f"{model}: {number} and 5 more.",
                        "content": f"\\boxed{{{number + 5 + (number >= right)}}}",
                    },
                ],
                "answer": str(number + 5),
            }
            for number in range(10)
        ]
        lines(folder / (f"{model}.jsonl.gz" if model == "llama-3b" else f"{model}.jsonl"), rows)


def written(*arguments: str) -> Study:
    """The study of the params.yaml that the command writes."""
    new.main(list(arguments))
    return read()


def test_three_outputs_are_three_generators_over_the_prompts_of_one() -> None:
    three_outputs(Path("out"))
    study = written("out")
    (source,) = study.sources.values()
    assert (source.columns.messages, source.columns.prompt_id, source.verifier.kind) == ("messages", "id", "math")
    assert list(study.generators) == ["llama-3b", "qwen-1-5b", "qwen-7b"]
    assert [one.scale_b for one in study.generators.values()] == [3.0, 1.5, 7.0]
    assert study.judges["answer"].extract[0].kind == "boxed"
    assert study.pair.order == "both" and not study.grid.runs()
    assert all(
        Path(one.path).resolve() == Path("out", Path(one.path).name).resolve() for one in study.generators.values()
    )


def test_nothing_is_written_over(capsys: pytest.CaptureFixture[str]) -> None:
    three_outputs(Path("out"))
    Path("params.yaml").write_text("mine\n")
    with pytest.raises(CurationError, match=r"params\.yaml: is there already; add --replace"):
        new.main(["out"])
    assert Path("params.yaml").read_text() == "mine\n" and not Path("data").exists()
    new.main(["out", "--replace"])
    assert Path("params.yaml.old").read_text() == "mine\n"
    assert capsys.readouterr().out.splitlines()[-4:-2] == [
        "params.yaml: written; no model is asked",
        "next: dvc repro select",
    ]


@pytest.mark.slow
def test_from_outputs_to_a_selected_subset_in_three_commands(folder: Path) -> None:
    for name in ("curation", "stages"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", ".dvcignore"):
        shutil.copy(ROOT / name, folder)
    for name in ("preferences", "pair_scores", "import"):
        (folder / "data" / name).mkdir(parents=True)
    three_outputs(folder / "out")
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(folder),
    }

    def run(*command: str) -> str:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run("dvc", "init", "-q", "--no-scm")
    run(sys.executable, "-m", "curation", "new", "out")
    run("dvc", "repro", "select")
    said = run(sys.executable, "-m", "curation", "sql", "--json", "select count(*) as n from pairs semi join "
               "'data/subsets/right_over_wrong.parquet' using (pair_id)")  # fmt: skip
    subset = pl.read_parquet(folder / "data/subsets/right_over_wrong.parquet")
    # sums 2 to 4 only llama gets wrong, 5 to 7 only the large one gets right
    assert json.loads(said) == [{"n": 12}] and subset.height == 12
    assert subset["prompt"].list.get(0).struct.field("content").unique().to_list() == [SYSTEM["content"]]
    assert subset["chosen_reasoning"].null_count() == 0
    # a change of a file behind its link is seen
    three = (folder / "out/qwen-7b.jsonl").read_text().replace("\\\\boxed{12}", "\\\\boxed{13}")
    (folder / "out/qwen-7b.jsonl").write_text(three)
    assert "generate@qwen-7b" in run("dvc", "repro", "select")
