"""What trainers make of exports is what our own training makes of the same rows.

TRL reads them here. Of the other trainers it was recorded (tests/interop/run.py --record): as long as the rows that are
exported are the very ones that they read, what they made of them holds.

Kinds of fault: a row that a trainer drops, or reads as another; a shape that was changed without asking the trainer.
"""

import json
from pathlib import Path
from typing import Any

import pytest
import tiny
from exporting import CALLED, NAME, PLAIN, THOUGHT, save_study
from interop import run
from served import ran
from test_preflight import template

GOLDENS = sorted(run.GOLDENS.glob("*.json"))


def recorded(file: Path) -> dict[str, Any]:
    golden: dict[str, Any] = json.loads(file.read_text())
    return golden


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The studies that the trainers were asked about, each with its tokenizer."""
    return {name: run.save(tmp_path_factory.mktemp("studies") / name, of) for name, of in run.flavours().items()}


@pytest.mark.slow
@pytest.mark.parametrize("file", GOLDENS, ids=lambda file: file.stem)
def test_the_rows_are_those_that_the_trainer_read_and_it_made_of_them_what_we_do(
    studies: dict[str, Path], file: Path
) -> None:
    golden = recorded(file)
    assert golden["packages"] == list(run.TRAINERS[file.stem]), "another version was asked: record it again"
    for flavour, of in run.flavours().items():
        for method in of.asked[file.stem]:
            study, read = studies[flavour], golden[f"{flavour}-{method}"]
            out = study / f"out-{file.stem}-{method}"
            done = ran(study, "curation", "export", NAME, "--to", file.stem, "--method", method, "--out", str(out))
            assert done.returncode == 0, done.stderr
            (made,) = json.loads((out / "manifest.json").read_text())["sets"]
            manifest = json.loads((out / "manifest.json").read_text())["files"]
            assert manifest[f"{NAME}.{method}.jsonl"]["sha256"] == read["rows_sha256"], "record them again"
            lost = {row_id for ids in made["left_out"].values() for row_id in ids}
            assert run.in_order(run.rendered(study, of.way, method, lost)) == read["read"]


def test_six_trainers_were_asked() -> None:
    assert {file.stem for file in GOLDENS} == run.TRAINERS.keys()


@pytest.mark.slow
@pytest.mark.parametrize("way", ["reasoning_content", "inline"])
def test_trl_reads_every_row_as_we_do(tmp_path: Path, way: str) -> None:
    """With system prompts, turns, tools and their results, and reasoning, under a template that reads them all."""
    from datasets import load_dataset
    from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer

    save_study(tmp_path, PLAIN + THOUGHT + CALLED, reasoning=way)
    model = tiny.save_tiny_llama(tmp_path / "model")
    (model / "chat_template.jinja").write_text(template("qwen3").read_text())
    settings = {"output_dir": str(tmp_path / "run"), "use_cpu": True, "report_to": [], "max_length": 4096}
    for method, trainer, config in (("dpo", DPOTrainer, DPOConfig), ("kto", KTOTrainer, KTOConfig)):
        done = ran(tmp_path, "curation", "export", NAME, "--to", "trl", "--method", method, "--out", method)
        assert done.returncode == 0, done.stderr
        rows = load_dataset("json", data_files=str(tmp_path / f"{method}/{NAME}.{method}.jsonl"), split="train",
                            cache_dir=str(tmp_path / "cache"))  # fmt: skip
        tokenizer = tiny.byte_tokenizer()
        tokenizer.chat_template = template("qwen3").read_text()
        made = trainer(
            model=str(model), args=config(**settings), train_dataset=rows, processing_class=tokenizer
        ).train_dataset
        read = [
            {name.removesuffix("_ids"): tokenizer.decode(row[name]) for name in row if name.endswith("_ids")}
            | ({"label": row["label"]} if method == "kto" else {})
            for row in made
        ]
        for row in read:
            row.pop("KL_completion", None)
        assert run.in_order(read) == run.in_order(run.rendered(tmp_path, way, method, set()))
