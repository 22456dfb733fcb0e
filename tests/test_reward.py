"""Reward models as judges, here: real networks of transformers with random weights.

Kinds of fault: a score that padding, a batch or what else is scored has changed; a score of another text than the one
that is shown; a head that was never trained; a text that was cut, scored as if it were whole.
"""

import json
import math
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from conftest import OpenLedger
from test_rubric import prompts, traces
from tiny import byte_tokenizer, save_tiny_llama, save_tiny_reward_model

from curation.calls.call import Call
from curation.calls.ledger import Ledger
from curation.core.errors import CurationError
from curation.judging.judge import judge
from curation.judging.judges import _reward_calls, reward
from curation.models import weights
from curation.tables.contracts import JUDGMENTS
from curation.tables.parquet import check

TEXTS = ("5", "It is 5.", "2 + 3 = 5", "x" * 40, "y" * 90, "no", "2 + 3 = 6, " * 12, "é✓", "yes")
HERE = {"kind": "transformers", "input": "chat", "dtype": "float32", "device": "cpu", "batch_size": 4,
        "max_length": 512}  # fmt: skip
STEPS = {"separator": r"\n+", "token": "<step>", "label": 1, "aggregate": "min"}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reward model that knows no padding token."""
    return save_tiny_reward_model(tmp_path_factory.mktemp("reward"))


@pytest.fixture(scope="module")
def step_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A process reward model of two labels."""
    return save_tiny_reward_model(tmp_path_factory.mktemp("steps"), labels=2, steps=True)


def settings(model: Path, engine: dict[str, Any] | None = None, **changes: Any) -> reward.Params:
    named = {"model": str(model), "revision": weights.fingerprint(model), "dimensions": ["reward"]}
    return reward.Params.model_validate({"kind": "reward", **named, "engine": HERE | (engine or {})} | changes)


def judged(judge_: reward.Params, ledger: Ledger, *completions: str | None) -> pl.DataFrame:
    rows = judge("reward", judge_, traces(*completions), prompts(), ledger)
    check(JUDGMENTS, rows, "judgments")
    return rows.sort("trace_id", "dimension")


def alone(model: Path, text: str, steps: bool = False) -> Any:
    """The logits of one conversation as transformers' own pipeline would have them: no batch, no padding."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification, AutoTokenizer

    kind = AutoModelForTokenClassification if steps else AutoModelForSequenceClassification
    network, tokenizer = kind.from_pretrained(model), AutoTokenizer.from_pretrained(model)
    messages = [{"role": "user", "content": "What is 2 + 3?"}, {"role": "assistant", "content": text}]
    ids = tokenizer.apply_chat_template(messages, return_tensors="pt", return_dict=True)["input_ids"]
    with torch.no_grad():
        return ids[0], network(input_ids=ids).logits[0]


def test_a_score_is_what_transformers_gives_to_the_text_alone(model: Path, ledger: Ledger) -> None:
    rows = judged(settings(model), ledger, *TEXTS, None)
    expected = [alone(model, text)[1].item() for text in TEXTS[:4]]
    assert rows["score"].to_list()[:4] == pytest.approx(expected, abs=1e-5)
    assert rows["score"].n_unique() > 5 and rows["status"].to_list() == ["scored"] * len(TEXTS) + ["error"]


@pytest.mark.slow
def test_a_padding_token_that_is_none_is_not_read(tmp_path: Path, model: Path, ledger: Ledger) -> None:
    """Old Llamas have -1. One beyond the vocabulary is refused, as torch does."""
    folder = Path(shutil.copytree(model, tmp_path / "model"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"pad_token_id": -1}))
    expected = [alone(model, text)[1].item() for text in TEXTS]
    assert judged(settings(folder), ledger, *TEXTS)["score"].to_list() == pytest.approx(expected, abs=1e-5)
    (folder / "config.json").write_text(json.dumps(config | {"pad_token_id": 999_999}))
    with pytest.raises(CurationError, match="transformers cannot load it: Padding_idx must be within"):
        judged(settings(folder), ledger, "another")


@pytest.mark.slow
def test_a_text_beyond_what_the_model_reads_is_told_of(tmp_path: Path, ledger: Ledger) -> None:
    """Kind: a limit that no file says. A GPT-2 has no place for a token beyond its last."""
    import torch
    from transformers import GPT2Config, GPT2ForSequenceClassification

    torch.manual_seed(0)
    config = GPT2Config(vocab_size=259, n_positions=64, n_embd=32, n_layer=1, n_head=2, num_labels=1, eos_token_id=1)
    GPT2ForSequenceClassification(config).save_pretrained(tmp_path / "gpt2")
    byte_tokenizer().save_pretrained(tmp_path / "gpt2")
    long = settings(tmp_path / "gpt2")
    assert "engine.max_length: 512 is more than the 64 tokens" in "\n".join(long.unmet(None))  # type: ignore[arg-type]
    with pytest.raises(CurationError, match="index out of range"):
        judged(long, ledger, "x" * 100)


@pytest.mark.slow
@pytest.mark.parametrize("pad_token", [None, "</s>", "<s>"])
@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_changes_no_score(tmp_path: Path, ledger: Ledger, pad_token: str | None, side: str) -> None:
    """Kind: what a batch is filled with is taken for a text's last token, or moves it. The end of a turn is the padding
    token of many, and stands at the end of every text."""
    folder = save_tiny_reward_model(tmp_path / "model", pad_token=pad_token)
    config = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps(config | {"padding_side": side}))
    rows = judged(settings(folder), ledger, *TEXTS)
    expected = [alone(folder, text)[1].item() for text in TEXTS]
    assert rows["score"].to_list() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("dtype", ["float32", pytest.param("bfloat16", marks=pytest.mark.slow)])
def test_what_else_is_scored_changes_no_byte_of_a_score(model: Path, open_ledger: OpenLedger, dtype: str) -> None:
    """Kind: a score that depends on what happened to be missing from the ledger."""
    here = settings(model, {"dtype": dtype})
    whole = dict(judged(here, open_ledger("whole"), *TEXTS).select("trace_id", "score").rows())
    for number, some in enumerate((TEXTS[:1], (*TEXTS[::-1], "a", "z" * 100))):
        rows = judged(here, open_ledger(str(number)), *some)
        scores = dict(zip(some, rows["score"], strict=True))
        assert [scores[text] for text in TEXTS if text in scores] == [
            whole[10 + at] for at, text in enumerate(TEXTS) if text in scores
        ]


@pytest.mark.slow
def test_a_text_that_is_too_long_is_never_cut(model: Path, ledger: Ledger) -> None:
    """It has no score under its limit, is asked again under a higher one alone, and a lower one hides it again."""
    texts, asked = ("short", "long " * 20), []
    for limit in (64, 512, 512, 64):
        before = attempts(ledger)
        rows = judged(settings(model, {"max_length": limit}), ledger, *texts)
        asked.append(attempts(ledger) - before)
        assert rows["status"].to_list() == ["scored", "scored" if limit == 512 else "truncated"]
        assert (rows["score"][1] is None) == (limit == 64)
    assert asked == [2, 1, 0, 0]
    assert rows["rationale"][1] == "137 tokens, more than max_length: 64"


def attempts(ledger: Ledger) -> int:
    return int(ledger.db.execute("SELECT count(*) FROM calls").fetchone()[0])


def test_a_call_is_known_by_all_that_changes_its_score(model: Path, step_model: Path) -> None:
    """And by nothing else: not by how many rows a pass has, what its dimension is called or how steps are summed up."""
    steps = {"steps": STEPS}

    def key(made: reward.Params) -> str:
        call = _reward_calls.make_caller(made, prompts())(1, "5")
        assert isinstance(call, Call)
        return call.key

    apart = [
        settings(model), settings(model, {"dtype": "bfloat16"}), settings(model, {"input": "pair"}),
        settings(model, {"template_date": "2026-01-31"}), settings(model, **steps), settings(step_model),
        settings(model, steps=STEPS | {"token": "<other>"}),
    ]  # fmt: skip
    same = [
        settings(model, {"batch_size": 1, "max_length": 8}), settings(model, dimensions=["other"]),
        settings(model, shows="answer"), settings(model, scale={"reward": [-9.0, 9.0]}),
    ]  # fmt: skip
    assert len({key(made) for made in apart}) == len(apart)
    assert {key(made) for made in same} == {key(settings(model))}
    assert key(settings(model, steps=STEPS | {"aggregate": "mean", "label": 0})) == key(settings(model, **steps))


@pytest.mark.slow
def test_a_model_whose_head_was_never_trained_is_refused(tmp_path: Path, ledger: Ledger) -> None:
    """Kind: random numbers taken for scores. transformers makes up what the weights lack, and only warns."""
    folder = save_tiny_llama(tmp_path / "chat")
    with pytest.raises(CurationError, match=r"has no weights called score.weight, so it is no reward model"):
        judged(settings(folder), ledger, "5")
    [line] = settings(folder).unmet(None)  # type: ignore[arg-type]
    assert "is a LlamaForCausalLM, and what scores here is a …ForSequenceClassification" in line


@pytest.mark.slow
def test_a_model_of_another_number_of_labels_is_refused(model: Path, ledger: Ledger) -> None:
    two = settings(model, dimensions=["helpful", "harmless"])
    with pytest.raises(CurationError, match="gives 1 labels, and 2 dimensions are named"):
        judged(two, ledger, "5")
    [line] = two.unmet(None)  # type: ignore[arg-type]
    assert line.startswith("model: ") and "gives 1 labels, and 2 dimensions are named" in line


@pytest.mark.slow
def test_labels_are_dimensions_in_the_models_order(tmp_path: Path, ledger: Ledger) -> None:
    folder = save_tiny_reward_model(tmp_path / "two", labels=2)
    rows = judged(settings(folder, dimensions=["helpful", "brief"]), ledger, "It is 5.")
    assert dict(rows.select("dimension", "score").rows()) == pytest.approx(
        dict(zip(["helpful", "brief"], alone(folder, "It is 5.")[1].tolist(), strict=True)), abs=1e-5
    )


@pytest.mark.slow
def test_weights_that_are_no_numbers_score_nothing(tmp_path: Path, model: Path, ledger: Ledger) -> None:
    """Kind: a number that is none is a failed attempt, and asked again."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    network = AutoModelForSequenceClassification.from_pretrained(model)
    torch.nn.init.constant_(network.score.weight, math.nan)
    for part in (network, AutoTokenizer.from_pretrained(model)):
        part.save_pretrained(tmp_path / "broken")
    broken = settings(tmp_path / "broken")
    for count in (1, 2):
        assert judged(broken, ledger, "5").select("score", "status").row(0) == (None, "error")
        assert attempts(ledger) == count


THOUGHT = "{% for m in messages %}<|{{ m.role }}|>{{ m.content.split('</think>')[-1] }}</s>{% endfor %}"


@pytest.mark.slow
def test_a_template_that_deletes_what_is_shown_scores_nothing(tmp_path: Path, ledger: Ledger) -> None:
    """Kind: the score of another text. Templates of reasoning models drop what stands before `</think>`."""
    folder = save_tiny_reward_model(tmp_path / "model")
    (folder / "chat_template.jinja").write_text(THOUGHT)
    rows = traces("It is 5.").with_columns(reasoning=pl.lit("2 and 3"))
    marked = {"delimiters": ["<think>", "</think>"]}
    found = {
        shows or "none": judge("reward", settings(folder, shows=shows, **marks), rows, prompts(), ledger)["status"][0]
        for shows, marks in (("both", marked), ("answer", {}), (None, {}), ("reasoning", {}))
    }
    assert found == {"both": "error", "answer": "scored", "none": "scored", "reasoning": "scored"}
    [error] = ledger.db.execute("SELECT error FROM calls WHERE error IS NOT NULL").fetchall()
    assert error[0] == "the chat template leaves out some of what is to be scored; set shows or delimiters"


def test_what_is_shown_is_what_is_scored(model: Path) -> None:
    """The reasoning between its delimiters, which an answer alone has not; a blank line parts the two without any."""
    rows = traces("It is 5.", "5").with_columns(reasoning=pl.Series(["2 and 3", " "]))
    marks = {"delimiters": ["<t>\n", "\n</t>\n\n"]}
    said = {
        (shows, bool(marks)): [*_reward_calls.write_texts(settings(model, shows=shows, **marks), rows)]
        for shows, marks in ((None, {}), (None, marks), ("answer", {}), ("reasoning", marks))
    }
    assert said[None, False] == ["2 and 3\n\nIt is 5.", "5"]
    assert said[None, True] == ["<t>\n2 and 3\n</t>\n\nIt is 5.", "5"]
    assert said["answer", False] == ["It is 5.", "5"]
    assert said["reasoning", True] == ["<t>\n2 and 3\n</t>", ("missing", "no reasoning")]


@pytest.mark.slow
@pytest.mark.parametrize(("aggregate", "of"), [
    ("min", min), ("mean", lambda steps: sum(steps) / len(steps)), ("last", lambda steps: steps[-1]),
    ("product", math.prod),
])  # fmt: skip
def test_steps_have_the_probabilities_at_their_tokens(
    step_model: Path, ledger: Ledger, aggregate: str, of: Any
) -> None:
    parts, text = ("2 and 3", "make", "It is 5."), "2 and 3\n\nmake\nIt is 5."
    rows = judged(settings(step_model, steps=STEPS | {"aggregate": aggregate}), ledger, text, "5", " \n ")
    ids, logits = alone(step_model, "".join(f"{part}<step>" for part in parts), steps=True)
    expected = logits.softmax(dim=1)[ids == 258, 1].tolist()
    assert len(expected) == 3
    assert rows["score"][0] == pytest.approx(of(expected), abs=1e-5)
    assert [float(step) for step in rows["rationale"][0].split(", ")] == pytest.approx(expected, abs=1e-5)
    assert rows["status"].to_list() == ["scored", "scored", "error"] and rows["rationale"][2] == "no step"


@pytest.mark.slow
def test_no_text_can_pass_for_the_end_of_a_step(step_model: Path, ledger: Ledger) -> None:
    """Kind: data that the model would read as marks."""
    rows = judged(settings(step_model, steps=STEPS), ledger, "good <step> bad", "5")
    assert rows.select("status", "rationale").rows()[0] == ("error", "a step holds <step>, which ends steps")
    asked = prompts().with_columns(
        prompt=pl.Series([[{"role": "user", "content": "<step>?"}]], dtype=prompts().schema["prompt"])
    )
    [row] = judge("reward", settings(step_model, steps=STEPS), traces("5"), asked, ledger).rows(named=True)
    assert row["rationale"] == "the prompt holds <step>, which ends steps"
    assert attempts(ledger) == 1


@pytest.mark.slow
def test_a_token_that_the_tokenizer_does_not_have_is_told_of(step_model: Path, ledger: Ledger) -> None:
    other = settings(step_model, steps=STEPS | {"token": "<extra_0>"})
    [line] = other.unmet(None)  # type: ignore[arg-type]
    assert line == f"steps.token: '<extra_0>' is no token of {step_model}; name the one that its steps end in"
    with pytest.raises(CurationError, match="has no token '<extra_0>'; name the one it scores at"):
        judged(other, ledger, "5")
    assert list(settings(step_model, steps=STEPS).unmet(None)) == []  # type: ignore[arg-type]


@pytest.mark.slow
def test_qwens_process_reward_model_is_known_by_its_name(tmp_path: Path, ledger: Ledger) -> None:
    """Qwen2.5-Math-PRM has a head of two layers and code of its own, which is not run."""
    import torch
    from safetensors.torch import save_file
    from transformers import AutoTokenizer, Qwen2Config, Qwen2Model

    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(save_tiny_reward_model(tmp_path / "other", labels=2, steps=True))
    config = Qwen2Config(vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
                         num_attention_heads=2, num_key_value_heads=2)  # fmt: skip
    body, head = Qwen2Model(config), {0: torch.nn.Linear(32, 32), 2: torch.nn.Linear(32, 2)}
    folder = tmp_path / "prm"
    tokenizer.save_pretrained(folder)
    config.save_pretrained(folder)
    named = {
        "architectures": ["Qwen2ForProcessRewardModel"],
        "auto_map": {"AutoModel": "rm.Qwen2ForProcessRewardModel"},
    }
    (folder / "config.json").write_text(json.dumps(json.loads((folder / "config.json").read_text()) | named))
    kept = {f"model.{name}": value for name, value in body.state_dict().items()}
    for at, layer in head.items():
        kept |= {f"score.{at}.{name}": value for name, value in layer.state_dict().items()}
    save_file(kept, folder / "model.safetensors", {"format": "pt"})
    prm = settings(folder, steps=STEPS)
    assert list(prm.unmet(None)) == []  # type: ignore[arg-type]
    [row] = judged(prm, ledger, "2 and 3\nIt is 5.").rows(named=True)
    messages = [
        {"role": "user", "content": "What is 2 + 3?"},
        {"role": "assistant", "content": "2 and 3<step>It is 5.<step>"},
    ]
    ids = tokenizer.apply_chat_template(messages, return_tensors="pt", return_dict=True)["input_ids"]
    with torch.no_grad():
        logits = head[2](head[0](body.eval()(ids).last_hidden_state).relu())[0]
    assert row["score"] == pytest.approx(logits.softmax(dim=1)[ids[0] == 258, 1].min().item(), abs=1e-5)


@pytest.mark.slow
def test_a_pair_of_texts_is_read_as_its_tokenizer_joins_them(tmp_path: Path, ledger: Ledger) -> None:
    """A BERT, which is told which text each token is of, and has no chat template."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, BertConfig, BertTokenizerFast

    letters = [chr(code) for code in range(33, 127)]
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{letter}" for letter in letters)]
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    torch.manual_seed(0)
    config = BertConfig(vocab_size=len(words), hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
                        intermediate_size=64, max_position_embeddings=512, num_labels=1)  # fmt: skip
    made = AutoModelForSequenceClassification.from_config(config)
    torch.nn.init.normal_(made.classifier.weight)
    made.save_pretrained(tmp_path / "bert")
    BertTokenizerFast(str(tmp_path / "vocab.txt")).save_pretrained(tmp_path / "bert")
    judge_ = settings(tmp_path / "bert", {"input": "pair"})
    assert list(judge_.unmet(None)) == []  # type: ignore[arg-type]
    rows = judged(judge_, ledger, *TEXTS)
    network = AutoModelForSequenceClassification.from_pretrained(tmp_path / "bert")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "bert")
    with torch.no_grad():
        expected = [network(**tokenizer("What is 2 + 3?", text, return_tensors="pt")).logits.item() for text in TEXTS]
    assert rows["score"].to_list() == pytest.approx(expected, abs=1e-5)


def test_a_plan_counts_the_models_own_tokens(model: Path) -> None:
    """What it would read, where the model is here; a served one's are guessed as ever."""
    calls = [_reward_calls.make_caller(settings(model), prompts())(1, text) for text in TEXTS]
    counted = settings(model).count_tokens([call for call in calls if isinstance(call, Call)])
    assert counted == sum(len(text.encode()) + len("<|user|>What is 2 + 3?<|assistant|>") + 2 for text in TEXTS)


@pytest.mark.parametrize(("engine", "changes", "why"), [
    ({}, {"steps": STEPS, "dimensions": ["a", "b"]}, "dimensions: 2 are named, and steps give one score; name one"),
    ({"input": "pair"}, {"steps": STEPS}, "engine.input: pair has no place for step tokens; write chat"),
    ({}, {"scale": {"other": [0.0, 1.0]}}, "scale.other: is none of its dimensions; known: reward"),
    ({}, {"scale": {"reward": [1.0, 1.0]}}, "scale.reward: lowest 1 is not below highest 1"),
    ({}, {"shows": "answer", "delimiters": ["a", "b"]},
     "delimiters: it shows no reasoning; leave them out, or write shows: both"),
])  # fmt: skip
def test_settings_that_do_not_go_together(
    model: Path, engine: dict[str, Any], changes: dict[str, Any], why: str
) -> None:
    assert list(settings(model, engine, **changes).mistakes(None)) == [why]  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_score_off_its_scale_is_an_error(model: Path, ledger: Ledger) -> None:
    with pytest.raises(CurationError, match=r"judges.reward.scale.reward: trace_id 10 has .*, off the scale"):
        judged(settings(model, scale={"reward": [-1000.0, -999.0]}), ledger, "5")
