"""What is not a number is never a result: planted in loss, gradient, weights and logits, on the CPU, with a real, tiny
model.

On a GPU it comes from a kernel (pytorch#196678) or a learning rate; what matters is that it stops the run, says where,
and leaves nothing to evaluate.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from conftest import OpenLedger
from test_train import HERE, PARAMS, TOY, evaluated, paired, settings, student  # noqa: F401 (fixtures)
from tiny import read_by, save_tiny_llama

from curation.calls.call import Call
from curation.calls.counts import count_calls
from curation.core.errors import CurationError
from curation.core.kinds import kind
from curation.models import weights
from curation.models.logprobs import encode, log_probs
from curation.models.rendering import Renderer
from curation.models.student import Params as Student
from curation.selection.subset import unpair
from curation.training.train import train
from curation.training.trainers import _fitting

pytestmark = pytest.mark.slow

KINDS = ("dpo", "kto", "sft")
FULL = {"lora": None, "max_steps": 3}


def method(name: str) -> Any:
    if name != "sft":
        return settings(name, **FULL)
    own = {
        key: value
        for key, value in (PARAMS["methods"]["dpo"] | TOY | FULL).items()
        if key not in ("beta", "precompute", "loss")
    }
    return kind("methods", "sft").Params.model_validate(own | {"kind": "sft"})


def in_loss(network: Any) -> None:
    """Every hidden state is NaN from the second training batch on."""
    seen = iter(range(10_000))
    network.model.norm.register_forward_hook(
        lambda module, given, out: out * math.nan if module.training and next(seen) >= 1 else out
    )


def in_gradient(network: Any) -> None:
    """The forward pass is sound and the backward pass is not, as with cuDNN's attention."""

    def spoil(module: Any, given: Any, out: Any) -> None:
        if out.requires_grad:
            out.register_hook(lambda gradient: gradient * math.nan)

    network.model.layers[0].register_forward_hook(spoil)


def in_weights(network: Any) -> None:
    """Training ends well, and what is saved is not finite."""
    save = network.save_pretrained

    def spoilt(*where: Any, **how: Any) -> None:
        network.model.norm.weight.data[3] = math.inf
        save(*where, **how)

    network.save_pretrained = spoilt


PLANTED: dict[str, tuple[Callable[[Any], None], str]] = {
    "loss": (
        in_loss,
        r"run {kind}: step \d: the loss is nan, in \d x \d+ tokens \(sequences x length\); nothing is kept; ",
    ),
    "gradient": (in_gradient, r"run {kind}: step 1: the gradient norm is nan, in \d x \d+ tokens"),
    "weights": (in_weights, r"run {kind}: model.safetensors: model.norm.weight holds values that are not finite"),
}


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("place", PLANTED)
def test_a_run_that_is_not_finite_stops_and_leaves_what_was_there(
    place: str,
    name: str,
    student: Student,  # noqa: F811
    paired: pl.DataFrame,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plant, words = PLANTED[place]
    load = weights.load

    def planted(*what: Any, **how: Any) -> Any:
        network, tokenizer = load(*what, **how)
        plant(network)
        return network, tokenizer

    out = tmp_path / name
    out.mkdir()
    (out / "before").write_text("an older run")
    monkeypatch.setattr(weights, "load", planted)
    with pytest.raises(CurationError, match=words.format(kind=name)):
        train(name, method(name), 0, student, read_by(method(name), paired), out)
    assert [file.name for file in tmp_path.iterdir()] == [name] and [file.name for file in out.iterdir()] == ["before"]


def test_a_learning_rate_that_is_too_high_is_stopped_too(
    student: Student,  # noqa: F811
    paired: pl.DataFrame,  # noqa: F811
    tmp_path: Path,
) -> None:
    """Nothing planted: the weights overflow by themselves."""
    too_high = {"learning_rate": 1e30, "max_grad_norm": 1e30}  # params.yaml may not say so
    wild = settings("dpo", lora=None, max_steps=4).model_copy(update=too_high)
    with pytest.raises(
        CurationError, match=r"run wild: .*not finite|run wild: step \d: the (loss|gradient norm) is (nan|inf)"
    ):
        train("wild", wild, 0, student, read_by(wild, paired), tmp_path / "wild")
    assert list(tmp_path.iterdir()) == []


def test_an_example_that_ktos_loss_leaves_out_is_seen(
    student: Student,  # noqa: F811
    paired: pl.DataFrame,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The mean of its losses is `nanmean`, and nothing of one row that is NaN shows in loss or rewards; forward
    only, it does not in the gradient either."""
    load = weights.load

    def planted(*what: Any, **how: Any) -> Any:
        network, tokenizer = load(*what, **how)

        def spoil(module: Any, given: Any, out: Any) -> Any:
            mask = torch.zeros_like(out).index_fill_(0, torch.tensor([0]), math.nan)
            return out + mask if module.training else out

        network.model.norm.register_forward_hook(spoil)
        return network, tokenizer

    import torch

    monkeypatch.setattr(weights, "load", planted)
    with pytest.raises(
        CurationError,
        match=r"run kto: step 1: the (mean logit of (chosen|rejected)|gradient norm|loss) is nan"
        ".*so it is not the learning rate",
    ):
        train("kto", method("kto"), 0, student, unpair(paired), tmp_path / "kto")


def test_a_figure_that_is_not_a_number_in_some_step_is_left_out() -> None:
    """A batch of KTO's with no desirable example has no margin, and a metric of NaN would fail the run after its
    weights are in place."""
    steps = [{"loss": 1.0, "kl": 0.5, "rewards/margins": math.nan}, {"loss": 0.5, "rewards/margins": 1.0}] * 4
    assert _fitting._final_metrics(steps) == {"steps": 8.0, "loss": 0.75}


def spoilt(folder: Path, value: float = math.nan) -> Student:
    """A student one of whose weights is `value`."""
    from safetensors.torch import load_file, save_file

    where = save_tiny_llama(folder) / "model.safetensors"
    tensors = load_file(where)
    tensors["model.norm.weight"][0] = value
    save_file(tensors, where, metadata={"format": "pt"})
    return Student(model=str(folder), revision=weights.fingerprint(folder), dtype="float32", device="cpu")


def test_a_run_whose_weights_are_not_finite_is_not_evaluated(
    student: Student,  # noqa: F811
    open_ledger: OpenLedger,
    tmp_path: Path,
) -> None:
    """It may lie there from an earlier version, or come from another trainer. Nothing is asked of it."""
    spoilt(tmp_path / "run")
    ledger = open_ledger()
    with pytest.raises(
        CurationError,
        match=r"run dpo-x: model.safetensors: model.norm.weight holds values that are not finite, .*; train it again",
    ):
        evaluated(HERE, "dpo-x", student, tmp_path / "run", ledger)
    assert count_calls(ledger) == []


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_a_model_whose_logits_are_not_finite_answers_nothing(temperature: float, value: float, tmp_path: Path) -> None:
    """Its every token would be the first of the vocabulary, and `!!!!` graded as wrong."""
    from curation.models.engines.transformers import sample

    bad = spoilt(tmp_path / "bad", value)
    sampling = {"temperature": temperature, "top_p": 1.0, "top_k": 5, "max_tokens": 4, "seed": 1}
    heard: list[Any] = []
    with pytest.raises(CurationError, match="the model's logits are not finite, so it answers nothing"):
        network, tokenizer = weights.load(bad.model, bad.revision, "float32")
        sample(
            network,
            tokenizer,
            [Call("m", "r", [{"role": "user", "content": "1+1?"}], sampling, 0)],
            1,
            lambda call, reply: heard.append(reply),
        )
    assert heard == []


def test_a_log_probability_that_is_not_finite_is_no_score(tmp_path: Path) -> None:
    bad = spoilt(tmp_path / "bad")
    network, tokenizer = weights.load(bad.model, bad.revision, "float32")

    def said(role: str, text: str) -> list[dict[str, str]]:
        return [{"role": role, "content": text}]

    pairs = pl.DataFrame({"pair_id": [1], "chosen_trace_id": [1], "rejected_trace_id": [2]})
    texts = pl.DataFrame(
        {
            "trace_id": [1, 2],
            "prompt": [said("user", "1+1?")] * 2,
            "completion": [said("assistant", "2"), said("assistant", "3")],
            "truncated": [False, False],
        }
    ).with_columns(pl.lit(None, pl.String).alias(name) for name in ("prompt_messages", "tools", "reasoning"))
    with pytest.raises(CurationError, match="scorer x: the log-probability of a trace is not finite"):
        log_probs(network, encode(Renderer(tokenizer, bad), pairs, texts, 64), 2, "scorer x")


def test_the_kernel_that_gives_nan_is_kept_clear_of(student: Student) -> None:  # noqa: F811
    import torch

    torch.backends.cuda.enable_cudnn_sdp(True)
    weights.load(student.model, student.revision, "float32")
    assert not torch.backends.cuda.cudnn_sdp_enabled()
