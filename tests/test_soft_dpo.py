# ruff: noqa: F811 (fixtures)
"""DPO with a soft label for each pair: its loss and gradient are the formulas', TRL's own where all labels are one, and
plain DPO where all are 1; pairs without a label are refused or left out, and never given one.

Kinds of fault: a label that reaches another pair; a smoothing that is right at one p alone; a pair that is trained on
though nobody knows its p; a changed p that trains nothing anew, or a plain arm that it trains anew.
"""

import math
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import world
from test_memory import tensors
from test_train import PARAMS, TOY, paired, student  # noqa: F401 (fixtures)

from curation.core.errors import Errors
from curation.core.kinds import kind
from curation.models import weights
from curation.models.student import Params as Student
from curation.training.run_key import Machine, digest_rows, run_key
from curation.training.soft_labels import find_refused, why_unusable
from curation.training.train import train
from curation.training.trainers import soft_dpo

pytestmark = pytest.mark.slow

P = [1.0, 0.0, 0.8, 0.3, 0.56, 0.95]
BODY = {name: value for name, value in PARAMS["methods"]["dpo"].items() if name not in ("kind", "loss")}


def soft(loss: str = "conservative", unusable: str = "refuse", **changes: Any) -> soft_dpo.Params:
    own = {"kind": "soft_dpo", "loss": loss, "unusable": unusable}
    return soft_dpo.Params.model_validate(BODY | TOY | own | changes)


def plain(**changes: Any) -> Any:
    return kind("methods", "dpo").Params.model_validate(PARAMS["methods"]["dpo"] | TOY | changes)


def with_p(rows: pl.DataFrame, values: list[float | None]) -> pl.DataFrame:
    return rows.with_columns(p_chosen=pl.Series(values, dtype=pl.Float64))


def by_hand(loss: str, p: float, h: float) -> float:
    """The formulas of the papers, with a p for each pair."""
    of_chosen, of_rejected = math.log1p(math.exp(-h)), math.log1p(math.exp(h))
    if loss == "conservative":
        return p * of_chosen + (1 - p) * of_rejected
    return (p * of_chosen - (1 - p) * of_rejected) / (2 * p - 1)


def slope(loss: str, p: float, h: float) -> float:
    """Of the same, in h: d/dh of -log sigmoid(h) is -sigmoid(-h)."""
    of_chosen, of_rejected = -1 / (1 + math.exp(h)), 1 / (1 + math.exp(-h))
    if loss == "conservative":
        return p * of_chosen + (1 - p) * of_rejected
    return (p * of_chosen - (1 - p) * of_rejected) / (2 * p - 1)


@pytest.mark.parametrize("loss", ["conservative", "robust"])
@pytest.mark.parametrize("p", [1.0, 0.95, 0.75, 0.56, 0.5, 0.44, 0.2, 0.0])
@pytest.mark.parametrize("h", [-3.0, -0.1, 0.0, 0.4, 5.0])
def test_trls_losses_with_our_smoothing_are_the_formula(loss: Any, p: float, h: float) -> None:
    """TRL's two terms, as `dpo_trainer.py` has them, weighed as TRL is told."""
    import torch
    from torch.nn import functional

    if loss == "robust" and p == 0.5:
        return  # which is refused
    margin = torch.tensor(h, dtype=torch.float64, requires_grad=True)
    eps = soft_dpo.smoothing(loss, torch.tensor(p, dtype=torch.float64))
    sigmoid = -functional.logsigmoid(margin)
    robust = (-(1 - eps) * functional.logsigmoid(margin) + eps * functional.logsigmoid(-margin)) / (1 - 2 * eps)
    told = soft_dpo.TOLD[loss]
    terms = {"sigmoid": sigmoid, "robust": robust}
    whole = sum(
        weight * terms[name] for name, weight in zip(told["loss_type"], told.get("loss_weights", [1.0]), strict=True)
    )
    whole.backward()
    assert whole.item() == pytest.approx(by_hand(loss, p, h), rel=1e-9, abs=1e-12)
    assert margin.grad is not None and margin.grad.item() == pytest.approx(slope(loss, p, h), rel=1e-9, abs=1e-12)


@pytest.fixture(scope="module")
def trained(student: Student, paired: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What a method makes of the six pairs with these labels: its metrics, and its weights."""
    folder = tmp_path_factory.mktemp("trained")

    def run(how: Any, values: list[float | None]) -> tuple[dict[str, float], dict[str, Any]]:
        out = folder / f"run{len(list(folder.iterdir()))}"
        figures = train("run", how, 0, student, with_p(paired, values), out)
        return figures, tensors(out)

    return run


def same(one: dict[str, Any], other: dict[str, Any], within: float = 0.0) -> bool:
    return one.keys() == other.keys() and all(float((one[name] - other[name]).abs().max()) <= within for name in one)


WHOLE = {"lora": None, "learning_rate": 0.01, "max_steps": None}


@pytest.mark.parametrize("loss", ["conservative", "robust"])
@pytest.mark.parametrize("precompute", [True, False])
def test_where_every_p_is_one_it_is_plain_dpo(trained: Any, loss: str, precompute: bool) -> None:
    changes = WHOLE | {"precompute": precompute}
    (figures, weights_), (own, of_dpo) = trained(soft(loss, **changes), [1.0] * 6), trained(plain(**changes), [1.0] * 6)
    assert same(weights_, of_dpo, within=1e-6)
    assert figures["loss"] == pytest.approx(own["loss"], abs=1e-6) and figures["left_out"] == 0


def test_one_p_for_all_is_trls_own_robust_dpo(trained: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """TRL's scalar label_smoothing, which is for its robust loss alone."""
    import trl

    own = trl.DPOConfig

    def told(**arguments: Any) -> Any:
        return own(**{**arguments, "loss_type": ["robust"], "label_smoothing": 0.2})

    ours, with_ours = trained(soft("robust", **WHOLE), [0.8] * 6)
    monkeypatch.setattr(trl, "DPOConfig", told)
    theirs, with_theirs = trained(plain(**WHOLE), [0.8] * 6)
    assert ours["loss"] == pytest.approx(theirs["loss"], abs=1e-6) and same(with_ours, with_theirs, within=1e-6)


@pytest.mark.parametrize("loss", ["conservative", "robust"])
def test_each_pair_has_its_own(trained: Any, loss: str) -> None:
    """Before the first step h is 0, where a pair's loss is log 2 whatever p: so the gradient tells. Turning one pair's
    p moves the weights, and the same labels in another order of rows do not."""
    _, learnt = trained(soft(loss, **WHOLE), P)
    _, again = trained(soft(loss, **WHOLE), P)
    assert same(learnt, again)
    _, other = trained(soft(loss, **WHOLE), [*P[:-1], 0.6])
    assert not same(learnt, other, within=1e-6)
    _, elsewhere = trained(soft(loss, **WHOLE), [P[-1], *P[1:-1], P[0]])
    assert not same(learnt, elsewhere, within=1e-6)


@pytest.mark.parametrize("loss", ["conservative", "robust"])
def test_a_wrong_label_that_is_known_to_be_wrong_is_the_pair_turned_round(
    trained: Any,
    student: Student,
    paired: pl.DataFrame,
    loss: str,
    tmp_path: Path,
) -> None:
    """p = 0 of every pair is DPO on the pairs with their sides exchanged."""
    _, learnt = trained(soft(loss, **WHOLE), [0.0] * 6)
    turned = paired.with_columns(chosen=pl.col("rejected"), rejected=pl.col("chosen"))
    train("turned", plain(**WHOLE), 0, student, turned, tmp_path / "run")
    assert same(learnt, tensors(tmp_path / "run"), within=1e-5)


def test_a_batch_that_is_taken_in_parts_makes_the_same_step(
    student: Student,
    paired: pl.DataFrame,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from curation.training.trainers import _training

    how, rows = soft("conservative", **WHOLE | {"batch_size": 4}), with_p(paired, P)
    train("whole", how, 0, student, rows, tmp_path / "whole")
    monkeypatch.setattr(_training, "halve_until_it_fits", lambda size, label, attempt: attempt(1))
    train("parts", how, 0, student, rows, tmp_path / "parts")
    assert same(tensors(tmp_path / "whole"), tensors(tmp_path / "parts"), within=1e-5)


def test_a_pair_without_a_label_is_refused_or_left_out_as_is_declared(trained: Any) -> None:
    values = [None, *P[1:]]
    with pytest.raises(Errors, match=r"^run run: 1 of 6 pairs have no p_chosen \(pair_id 0\): `require` in the sel"):
        trained(soft(), values)
    figures, without = trained(soft(unusable="leave_out", **WHOLE), values)
    assert (figures["left_out"], figures["examples"]) == (1, 5)
    with pytest.raises(Errors, match="6 of 6 pairs have no p_chosen"):
        trained(soft(unusable="leave_out"), [None] * 6)
    _, half = trained(soft(**WHOLE), [0.5, *P[1:]])
    assert not same(without, half, within=1e-6), "an unknown p is not one half"


def test_robust_dpo_has_no_use_for_a_pair_near_one_half(trained: Any) -> None:
    with pytest.raises(Errors, match=r"1 of 6 pairs have a p_chosen within 0\.05 of 0\.5, where robust DPO weighs a"):
        trained(soft("robust"), [0.52, *P[1:]])
    assert trained(soft("robust", "leave_out"), [0.52, *P[1:]])[0]["left_out"] == 1
    near = pl.DataFrame({"p_chosen": [0.5, 0.4501, 0.45, 0.55, 0.5499, None]})
    assert near.select(why_unusable("robust")).to_series().to_list() == [
        "undecided", "undecided", None, None, "undecided", "uncalibrated",
    ]  # fmt: skip
    assert near.select(why_unusable("conservative")).to_series().to_list() == [*[None] * 5, "uncalibrated"]


def test_a_changed_p_is_another_run_and_leaves_the_plain_one(student: Student, paired: pl.DataFrame) -> None:
    """`dpo` reads no p: what was trained before there were soft labels is found as it was."""
    keys = {}
    for name, how in (("soft", soft()), ("plain", plain())):
        columns = kind("methods", how.kind).COLUMNS
        for p in (0.7, 0.8):
            digest = digest_rows(with_p(paired, [p] * 6).select(columns))
            keys[name, p] = run_key(digest, how, 0, student, Machine("cpu", 1, 4))[0]
    assert keys["plain", 0.7] == keys["plain", 0.8] and keys["soft", 0.7] != keys["soft", 0.8]
    assert "p_chosen" not in kind("methods", "dpo").COLUMNS


def test_an_arm_with_pairs_that_a_method_refuses_is_named_before_training() -> None:
    rows = pl.DataFrame({
        "arm": ["a"] * 4 + ["b"] * 2, "method": ["soft"] * 6, "row_id": [1, 1, 2, 2, 3, 3],
        "dropped": ["uncalibrated", "uncalibrated", None, None, None, None],
    })  # fmt: skip
    (line,) = find_refused(rows, {"soft": soft()})
    assert line.startswith("arm a: methods.soft: 1 of 2 pairs have no p_chosen (pair_id 1): ")
    assert line.endswith("p_chosen is not null, or set the method's unusable: leave_out")
    assert find_refused(rows, {"soft": soft(unusable="leave_out")}) == find_refused(rows, {"soft": plain()}) == []
    (line,) = find_refused(rows.head(2), {"soft": soft(unusable="leave_out")})
    assert "1 of 1 pair have no p_chosen" in line and "leave_out" not in line


def test_a_selection_without_soft_labels_is_refused_with_the_params_file() -> None:
    from curation.core import params

    raw = world.settings()
    raw["methods"]["dpo"] = soft().model_dump(mode="json")
    study = params._study(Path("params.yaml"), raw)
    (line,) = study.methods["dpo"].mistakes(study)  # type: ignore[attr-defined]
    assert line.startswith(
        "kind: soft_dpo learns from p_chosen, which selections.clear does not say; give it one, as in"
    )
    raw["selections"]["clear"]["p_chosen"] = "rubric.p_chosen_logic"
    assert [*soft().mistakes(params._study(Path("params.yaml"), raw))] == []


def test_the_weights_are_saved_as_those_of_any_method(trained: Any, student: Student, tmp_path: Path) -> None:
    figures, _ = trained(soft(), P)
    assert figures["steps"] == 2 and math.isfinite(figures["loss"]) and "rewards_margins" in figures
    assert weights.fingerprint(Path(student.model)) == student.revision
