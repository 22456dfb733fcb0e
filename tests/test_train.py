"""Training and evaluation with a real, tiny model through TRL: every kind of run, LoRA and full."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import world
from conftest import OpenLedger, Serve
from server import good
from tiny import read_by, save_tiny_llama
from world import own

from curation.calls.counts import count_calls
from curation.calls.ledger import Ledger
from curation.core.errors import CurationError
from curation.core.kinds import kind
from curation.judging.judges.answer import Params as Answer
from curation.models import weights
from curation.models.rendering import Renderer, rows_of_side
from curation.models.student import Params as Student
from curation.selection.subset import unpair
from curation.tables import contracts, measurements, parquet
from curation.training.evaluate import Params as Evaluate
from curation.training.evaluate import evaluate
from curation.training.train import train

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
PARAMS = own()
TOY = {
    "max_steps": 2,
    "bf16": False,
    "batch_size": 2,
    "accumulation": 1,
    "lora": {"rank": 2, "alpha": 4, "dropout": 0.0, "modules": ["q_proj"], "layers": 1},
}


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Student:
    tiny = save_tiny_llama(tmp_path_factory.mktemp("tiny"))
    return Student(model=str(tiny), revision=weights.fingerprint(tiny), dtype="float32", device="cpu")


@pytest.fixture(scope="module")
def paired() -> pl.DataFrame:
    """Six pairs: 'i + i' answered rightly and wrongly."""

    def said(role: str, text: str) -> list[dict[str, str]]:
        return [{"role": role, "content": text}]

    return world.rows_of(contracts.SUBSETS, [
        {
            "pair_id": i, "prompt_id": i, "chosen_trace_id": 100 + i, "rejected_trace_id": 200 + i,
            "prompt": said("user", f"{i} + {i}?"), "chosen": said("assistant", f"It is {2 * i}."),
            "rejected": said("assistant", f"{i}"), "margin": 1.0, "chosen_rating": 1.0, "rejected_rating": 0.0,
            "p_chosen": 0.6 + 0.08 * i, "chosen_truncated": False, "rejected_truncated": False,
        }
        for i in range(6)
    ])  # fmt: skip


OF_PAIRS = ("beta", "precompute", "loss")  # settings that SFT has no use for


def settings(run: str, **changes: Any) -> Any:
    """Those of a method of params.yaml, or of SFT, cut down to toy size, but for the changes."""
    body = PARAMS["methods"]["dpo" if run == "sft" else run] | TOY | changes
    if run == "sft":
        body = {name: value for name, value in body.items() if name not in OF_PAIRS} | {"kind": "sft"}
    return kind("methods", body["kind"]).Params.model_validate(body)


def test_an_adapter_lists_its_modules_in_order(student: Student, paired: pl.DataFrame, tmp_path: Path) -> None:
    """peft keeps them in a set, whose order differs from process to process, and with it the hash of the run."""
    modules = ["v_proj", "q_proj", "up_proj", "o_proj", "k_proj", "gate_proj", "down_proj"]
    train(
        "run",
        settings("dpo", lora=TOY["lora"] | {"modules": modules}),
        0,
        student,
        paired,
        tmp_path / "run",
    )
    assert json.loads((tmp_path / "run/adapter_config.json").read_text())["target_modules"] == sorted(modules)


CASES = {
    "sigmoid": settings("dpo"),
    "ipo": settings("dpo", loss="ipo", precompute=False),
    "length-normalised": settings("dpo", loss="sigmoid_norm"),
    "kto": settings("kto"),
    "dpo full": settings("dpo", lora=None),
}


@pytest.mark.parametrize("case", CASES)
def test_each_kind_trains_and_saves_safetensors_only(
    case: str, student: Student, paired: pl.DataFrame, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    metrics = train("run", CASES[case], 0, student, read_by(CASES[case], paired), out)
    files = {file.name for file in out.iterdir()}
    assert (metrics["steps"], metrics["arithmetic_bits"]) == (2, 32)
    assert (
        "model.safetensors" in files
        if case == "dpo full"
        else {"adapter_model.safetensors", "adapter_config.json"} <= files
    )
    assert not [name for name in files if name.endswith((".bin", ".pt", ".pkl"))]
    assert json.loads((out / "run.json").read_text()) == {"model": student.model, "revision": student.revision}


def test_sft_reads_each_chosen_trace_once(student: Student, paired: pl.DataFrame, tmp_path: Path) -> None:
    doubled = pl.concat([paired, paired.with_columns(pl.col("pair_id") + 50)])
    assert train("sft", settings("sft"), 0, student, doubled, tmp_path / "run")["examples"] == 6


def test_training_moves_the_weights_the_same_way_twice(student: Student, paired: pl.DataFrame, tmp_path: Path) -> None:
    for name in ("one", "two"):
        train(
            name,
            CASES["sigmoid"],
            0,
            student,
            paired.sample(fraction=1, shuffle=True),
            tmp_path / name,
        )
    one, two = ((tmp_path / name / "adapter_model.safetensors").read_bytes() for name in ("one", "two"))
    assert one == two
    assert weights.fingerprint(tmp_path / "one") == weights.fingerprint(tmp_path / "two")
    from safetensors.numpy import load

    assert any(tensor.any() for name, tensor in load(one).items() if "lora_B" in name)


@pytest.mark.parametrize("method", ["dpo", "kto"])
def test_a_curriculum_is_learnt_in_its_order_whatever_the_seed(
    method: str, student: Student, paired: pl.DataFrame, tmp_path: Path
) -> None:
    """All weights are trained, so that a seed decides nothing but the order; two other curricula are two other
    results."""
    prints = {}
    for name, places in (("up", range(6)), ("down", range(5, -1, -1))):
        rows = paired.with_columns(curriculum_position=pl.Series(list(places), dtype=pl.Int32))
        for seed in (0, 1):
            how = settings(method, lora=None, learning_rate=0.01)
            train("run", how, seed, student, read_by(how, rows), tmp_path / f"{name}{seed}")
            prints[name, seed] = weights.fingerprint(tmp_path / f"{name}{seed}")
    assert prints["up", 0] == prints["up", 1] and prints["down", 0] == prints["down", 1]  # the seed changes nothing
    assert prints["up", 0] != prints["down", 0]  # the curriculum does


@pytest.mark.parametrize("method", ["dpo", "kto", "sft"])
def test_what_is_trained_is_what_the_students_settings_make_of_a_trace(
    method: str, student: Student, paired: pl.DataFrame, tmp_path: Path
) -> None:
    """Another template, that would delete reasoning, and reasoning on some chosen sides alone: the tokens are counted
    that TRL reads, and the weights are saved with that template."""
    file = tmp_path / "deletes.jinja"
    file.write_text(
        "{% for m in messages %}{{ m.role }}: {{ m.content.split('</think>')[-1] }}</s>{% endfor %}"
        "{% if add_generation_prompt %}{{ strftime_now('%Y') }}<think>\n{% endif %}"
    )
    told = student.model_copy(update={
        "reasoning": "text", "system": "Add.", "template_date": "2026-01-31", "chat_template": str(file),
        "chat_template_revision": weights.fingerprint(file),
    })  # fmt: skip
    thought = pl.when(pl.col("pair_id") % 2 == 0).then(pl.lit("Twice the number."))
    rows = paired.with_columns(chosen_reasoning=thought, chosen_truncated=pl.col("pair_id") == 1)
    how = settings(method, lora=None)
    metrics = train("run", how, 0, told, read_by(how, rows), tmp_path / "r")
    tokenizer = weights.tokenizer(str(tmp_path / "r"), weights.fingerprint(tmp_path / "r"))
    assert tokenizer.chat_template == file.read_text()
    renderer = Renderer(weights.tokenizer(student.model, student.pinned), told)
    sides = ["chosen"] if method == "sft" else ["chosen", "rejected"]
    wholes = [renderer.render(*row) for side in sides for row in rows_of_side(rows, side)]
    assert metrics["tokens_max"] == max(len(whole.ids) for whole in wholes)
    assert metrics["tokens_mean"] == pytest.approx(sum(len(whole.ids) for whole in wholes) / len(wholes))
    assert wholes[0].whole == (
        "system: Add.</s>user: 0 + 0?</s>2026<think>\nTwice the number.\n</think>\n\nIt is 0.</s>"
    )
    assert wholes[1].whole.endswith("2026<think>\n\n</think>\n\nIt is 2."), "what was truncated does not end"


def test_a_row_that_the_template_refuses_is_named(student: Student, paired: pl.DataFrame, tmp_path: Path) -> None:
    reasons = paired.with_columns(chosen_reasoning=pl.when(pl.col("pair_id") == 3).then(pl.lit("Hm.")))
    with pytest.raises(CurationError, match=r"^pair_id 3: there is reasoning, and student\.reasoning is null; say how"):
        train("run", settings("dpo"), 0, student, reasons, tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_nothing_to_train_on_is_said_and_leaves_nothing(student: Student, paired: pl.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(
        CurationError, match="run dpo: its arm has nothing to train on; widen its selection, or take it out of the grid"
    ):
        train("dpo", CASES["sigmoid"], 0, student, paired.head(0), tmp_path / "dpo")
    assert list(tmp_path.iterdir()) == []


def test_cut_sides_are_counted(student: Student, paired: pl.DataFrame, tmp_path: Path) -> None:
    metrics = train("truncated", settings("dpo", max_length=30), 0, student, paired, tmp_path / "run")
    assert (metrics["examples"], metrics["dropped"], metrics["sides_truncated"]) == (6, 0, 6)


def test_pairs_equal_once_cut_are_dropped_and_none_left_is_said(
    student: Student, paired: pl.DataFrame, tmp_path: Path
) -> None:
    same = paired.with_columns(
        pl.when(pl.col("pair_id") < 2).then(pl.col("chosen")).otherwise(pl.col("rejected")).alias("rejected")
    )
    metrics = train("some", settings("dpo"), 0, student, same, tmp_path / "run")
    assert (metrics["examples"], metrics["dropped"]) == (4, 2)
    with pytest.raises(
        CurationError,
        match="max_length 5: no prompt leaves room for an answer, or the sides of all pairs are the same tokens; ",
    ):
        train("truncated", settings("dpo", max_length=5), 0, student, paired, tmp_path / "truncated")


@pytest.mark.parametrize("name", ["subsets", "unpaired"])
def test_a_table_loads_in_trl_as_it_is(name: str, student: Student, paired: pl.DataFrame, tmp_path: Path) -> None:
    """The Parquet file itself, no column renamed or dropped, through datasets into TRL's trainer."""
    from datasets import load_dataset
    from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer

    table, rows = (contracts.SUBSETS, paired) if name == "subsets" else (contracts.UNPAIRED, unpair(paired))
    parquet.write(table, rows, tmp_path / "rows.parquet")
    dataset = load_dataset(
        "parquet", data_files=str(tmp_path / "rows.parquet"), split="train", cache_dir=str(tmp_path / "cache")
    )
    network, tokenizer = weights.load(student.model, student.revision, "float32")
    trainer, config = (DPOTrainer, DPOConfig) if name == "subsets" else (KTOTrainer, KTOConfig)
    own = {
        "max_steps": 1,
        "per_device_train_batch_size": 2,
        "report_to": "none",
        "use_cpu": True,
        "bf16": False,
        "save_strategy": "no",
        "gradient_checkpointing": False,
    }
    ran = trainer(
        model=network, args=config(output_dir=str(tmp_path), **own), train_dataset=dataset, processing_class=tokenizer
    ).train()
    assert ran.global_step == 1


SAMPLING = PARAMS["evaluate"]["sampling"] | {"samples": 3, "max_tokens": 4}
HERE = {"kind": "transformers", "dtype": "bfloat16", "device": "cpu", "batch_size": 2}


def evaluated(engine: dict[str, Any], run: str, student: Student, model: Path, ledger: Ledger) -> pl.DataFrame:
    """Results of three samples for one held-out prompt."""
    prompt = [{"role": "user", "content": "1 + 1?"}]
    shared = {"source": "sums", "task": "", "prompt": prompt, "answer": "2", "verifier": "math"}
    prompts = world.rows_of(
        contracts.PROMPTS,
        [{"prompt_id": 7, "split": "in_domain", **shared}, {"prompt_id": 8, "split": "train", **shared}],
    )
    how = Evaluate.model_validate({"sampling": SAMPLING, "engine": engine, "judge": "answer"})
    return evaluate(how, run, student, model, Answer.model_validate(PARAMS["judges"]["answer"]), prompts, ledger)


@pytest.mark.parametrize("case", ["sigmoid", "dpo full"])
def test_a_trained_student_is_evaluated_once(
    case: str, student: Student, paired: pl.DataFrame, ledger: Ledger, tmp_path: Path
) -> None:
    train("run", CASES[case], 0, student, read_by(CASES[case], paired), tmp_path / "run")
    first = evaluated(HERE, "run", student, tmp_path / "run", ledger)
    parquet.check(measurements.RESULTS, first, "results")
    assert first["sample_index"].to_list() == [0, 1, 2]
    assert first["benchmark"].unique().to_list() == ["sums"]
    calls = count_calls(ledger)[0]["attempts"]
    again = evaluated(HERE, "run", student, tmp_path / "run", ledger)
    assert again.equals(first)
    assert count_calls(ledger)[0]["attempts"] == calls == 3


def test_a_served_student_is_asked_under_its_runs_name(
    serve: Serve, student: Student, paired: pl.DataFrame, ledger: Ledger, open_ledger: OpenLedger, tmp_path: Path
) -> None:
    """The same calls over HTTP: what one engine sampled, another does not ask again."""
    train("run", CASES["dpo full"], 0, student, paired, tmp_path / "run")
    server = serve([good("It is 2.")])
    served = {"kind": "openai", "endpoint": server.endpoint().model_dump()}
    results = evaluated(served, "run", student, tmp_path / "run", ledger)
    parquet.check(measurements.RESULTS, results, "results")
    assert results["score"].to_list() == [1.0, 1.0, 1.0]
    assert [request.body["model"] for request in server.requests] == ["run"] * 3
    assert evaluated(HERE, "run", student, tmp_path / "run", ledger).equals(results)
    evaluated(served, "renamed", student, tmp_path / "run", ledger)
    assert len(server.requests) == 3
    evaluated(HERE, "run", student, tmp_path / "run", open_ledger("another"))
    keys = "SELECT key FROM calls ORDER BY key"
    assert open_ledger("another").db.execute(keys).fetchall() == ledger.db.execute(keys).fetchall()
    told = student.model_copy(update={"system": "Add.", "template_kwargs": {"enable_thinking": False}})
    evaluated(served, "run", told, tmp_path / "run", ledger)
    body = server.requests[-1].body
    assert body["messages"][0] == {"role": "system", "content": "Add."}
    assert body["chat_template_kwargs"] == {"enable_thinking": False}


def test_an_adapter_is_merged_where_its_dtype_holds_what_it_adds(
    student: Student, paired: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In float32, once for engines that want a folder. In bfloat16 the rounding of the weights is as large as what a
    short training adds to them, so the adapter stays beside them, and nothing of it is lost."""
    import torch

    train("run", settings("dpo"), 0, student, paired, tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    model = weights.Weights(student.model, student.revision, tmp_path / "run")
    folder = weights.merge_adapter(model)
    assert weights.merge_adapter(model) == folder and [file.suffix for file in folder.glob("*.bin")] == []

    def load(dtype: str, adapter: Path | None = None) -> Any:
        return weights.load(student.model, student.pinned, dtype, adapter)[0]

    merged, tokenizer = weights.load(str(folder), weights.fingerprint(folder), "float32")
    ids = tokenizer("1 + 1?", return_tensors="pt").input_ids
    with torch.inference_mode():
        assert torch.equal(merged(ids).logits, load("float32", tmp_path / "run")(ids).logits)
        assert not torch.equal(merged(ids).logits, load("float32")(ids).logits)
        # all in float32 from here, so that weights are rounded and nothing else is
        wanted = weights.adapt(load("bfloat16").float(), tmp_path / "run", merge=True)(ids).logits
        beside = load("bfloat16", tmp_path / "run").float()(ids).logits
        rounded = weights.adapt(load("bfloat16"), tmp_path / "run", merge=True).float()(ids).logits
        changed = (wanted - load("bfloat16").float()(ids).logits).norm()
        assert (beside - wanted).norm() < 0.01 * changed < 0.05 * changed < (rounded - wanted).norm()


def test_wrong_weights_are_refused(student: Student) -> None:
    with pytest.raises(
        CurationError, match=r"its revision is sha256:.*, params.yaml says sha256:0; correct the one that is wrong"
    ):
        weights.load(student.model, "sha256:0", "float32")
    with pytest.raises(CurationError, match="no package nosuch is installed"):
        weights.load("package:nosuch/x.gguf", "sha256:0", "float32")
    with pytest.raises(CurationError, match=r"device: cuda:99: .*; set another device, or install a torch that has it"):
        weights.load(student.model, student.revision, "float32", device="cuda:99")
