"""params.yaml: bad ones give every error at once, with the place, the value and the way out."""

from collections.abc import Callable
from datetime import date
from math import inf, nan
from pathlib import Path
from typing import Any

import flow
import pytest
from world import own

from curation.core import params
from curation.core.errors import CurationError, Errors
from curation.core.kinds import KIND_FOLDERS
from curation.core.params import read
from curation.core.parsed import parsed

ROOT = Path(__file__).parents[1]


def broken(folder: Path, change: Callable[[dict[str, Any]], object]) -> list[str]:
    """The error lines of the project's own params after `change`."""
    raw = own()
    change(raw)
    file = folder / "params.yaml"
    flow.write(raw, file)
    with pytest.raises(Errors) as caught:
        read(file)
    return [line.removeprefix(f"{file}: ") for line in caught.value.lines]


def test_a_file_that_tests_write_holds_what_they_say_it_holds(tmp_path: Path) -> None:
    """The kind of fault: a short-cut of the tests (flow.py) that says another thing than the long way; so it is
    parsed here."""
    odd = own() | {
        "odd": [
            nan,
            -inf,
            1e-7,
            1e22,
            True,
            None,
            "yes",
            "no: [",
            '\\ " é\n',
            date(2026, 1, 2),
            {1: {}, "1": []},
            2**70,
        ]
    }
    flow.write(odd, tmp_path / "params.yaml")
    body = (tmp_path / "params.yaml").read_bytes()
    assert repr(parsed(body, CurationError)) == repr(flow.KNOWN[body]) == repr(odd)


def test_the_projects_own_params_are_sound() -> None:
    study = read(ROOT / "params.yaml")
    assert study.judges["rubric"].dimension_names == [
        "factuality", "strategy_coherence", "step_coherence", "computational_precision", "signal_to_noise",
    ]  # fmt: skip


CASES: list[tuple[Callable[[dict[str, Any]], object], list[str]]] = [
    (lambda p: p["selections"]["top_step_coherence"]["keep"].update(kind="up"), [
        "selections.top_step_coherence.keep.kind: 'up' is not one of top, bottom, random, band, quantiles, nearest"]),
    (lambda p: p["selections"]["top_step_coherence"].update(keep={"kind": "quantiles", "low": 0.5, "high": 0.5}), [
        "selections.top_step_coherence.keep: low 0.5 is not below high 0.5"]),
    (lambda p: p["selections"]["top_step_coherence"].update(value="rubric.delta_step_coherense", require={"a": "rubric.delta_logic >"}), [
        "selections.top_step_coherence.value: 'rubric.delta_step_coherense' is not a column; did you mean 'rubric.delta_step_coherence'?",
        "selections.top_step_coherence.require.a: 'rubric.delta_logic >' is not an SQL expression: syntax error at or near \")\""]),
    (lambda p: p["selections"]["all"].update(value="random()"), [
        "selections.all.value: 'random()' calls random(), which gives another value another time; draws are made by `seed`"]),
    (lambda p: p["selections"]["all"].update(value="(select 1)"), [
        "selections.all.value: '(select 1)' has a subquery; write one expression of a pair's own columns"]),
    (lambda p: p["selections"]["all"].update(value="avg(chosen.characters)"), [
        "selections.all.value: 'avg(chosen.characters)' is one value for all rows; write `over ()` after its aggregate"]),
    (lambda p: p["selections"]["all"].update(require={"long": "chosen.characters"}), [
        "selections.all.require.long: 'chosen.characters' is not true or false"]),
    (lambda p: p["selections"]["all"].update(order={"by": "prompt.source", "first": "lowest"}), [
        "selections.all.order.by: 'prompt.source' is not a number"]),
    (lambda p: p["selections"]["all"].update(require={"identical": "identical"}), [
        "selections.all: require.identical: that is a reason already; give it another name"]),
    (lambda p: p["selections"]["all"].update(require={"Long one": "identical"}), [
        "selections.all.require.Long one: 'Long one' is not a column name: lower-case letters, digits and '_'"]),
    (lambda p: p["selections"]["all"].update(budget={"pairs": 2, "share": 0.5}), ["selections.all.budget: give one of pairs, share and tokens"]),
    (lambda p: p["selections"]["all"].update(budget={"share": 1.5}), ["selections.all.budget: share 1.5 is not above 0 and up to 1"]),
    (lambda p: p["selections"]["all"].update(budget={"pairs": -1}), ["selections.all.budget: pairs -1 is not a whole number from 0"]),
    (lambda p: p["selections"]["all"].update(budget={"pears": 1}), [
        "selections.all.budget.pears: 'pears' is not one of 'pairs', 'share' or 'tokens'; did you mean 'pairs'?"]),
    (lambda p: p["selections"]["all"].update(strata={"by": "identical", "shares": "equal"}), [
        "selections.all: strata divide a budget of pairs or a share; give one"]),
    (lambda p: p["selections"]["top_step_coherence"].update(value=None), ["selections.top_step_coherence: keep top ranks by a value; give one"]),
    (lambda p: (p["tokens"].update(count=False), p["selections"]["all"].update(budget={"tokens": 100})), [
        "selections.all.budget.tokens: tokens are not counted; set tokens.count: true"]),
    (lambda p: p["pair"].update(chosen=["qwen-1500"]), ["pair.chosen: 'qwen-1500' is not in generators; did you mean 'qwen-1500m'?"]),
    (
        lambda p: p["generators"]["qwen-500m"]["endpoint"].update(base_url="127.0.0.1:8005"),
        ["generators.qwen-500m.endpoint.base_url: '127.0.0.1:8005' is no address; write it as http://HOST:PORT/v1"],
    ),
    (lambda p: p["student"].update(device="gpu"), ["student.device: 'gpu' is no device; one of cpu, cuda, cuda:N, mps, xpu"]),
    (
        lambda p: (p["budget"].update(max_usd=-1), p["ledger"].update(max_failed=2.0)),
        ["ledger.max_failed: 2.0 is more than 1", "budget.max_usd: -1 is less than 0"],
    ),
    (lambda p: p["judges"]["rubric"].update(repeats=0), ["judges.rubric.repeats: 0 is less than 1"]),
    (lambda p: p["selections"]["top_step_coherence"].update(vlaue="identical"), ["selections.top_step_coherence.vlaue: unknown key; did you mean 'value'?"]),
    (lambda p: p["selections"]["all"].pop("seed"), ["selections.all.seed: missing; add it"]),
    (lambda p: p["pair"].update(ladder=["qwen-1500"]), ["pair.ladder: 'qwen-1500' is not in generators; did you mean 'qwen-1500m'?"]),
    (lambda p: p["methods"]["dpo"].update(loss="hinge"), ["methods.dpo.loss: 'hinge' is not one of 'sigmoid', 'sigmoid_norm' or 'ipo'"]),
    (lambda p: p["judges"]["rubric"].update(kind="rubrik"), [
        "judges.rubric.kind: 'rubrik' is not one of answer, imported, process, rubric; did you mean 'rubric'?"]),
    (lambda p: p["judges"]["rubric"].pop("kind"), ["judges.rubric.kind: missing; one of answer, imported, process, rubric"]),
    (lambda p: p.update(selektions={}), ["selektions: unknown section; did you mean 'selections'?"]),
    (lambda p: p.pop("pair"), ["pair: missing; add this section"]),
    (lambda p: p["compare"]["primary"].update(control="randum"), ["compare.primary.control: 'randum' is not in the grid, which has itself, random"]),
    (lambda p: p["compare"]["primary"].update(method="sft"), ["compare.primary.method: 'sft' is not in the grid, which has dpo, kto"]),
    (lambda p: p["compare"]["primary"].update(budget=10, control="itself", benchmark="arithmetic"), [
        "compare.primary.budget: 10 is not in the grid, which has own",
        "compare.primary.control: 'itself' is the selection itself; name what it is compared with",
        "compare.primary.benchmark: 'arithmetic' is no source to evaluate on; did you mean 'arithmetic_held_out'?"]),
    (lambda p: p["pair"].update(ladder=["qwen-500m", "qwen-500m"]), ["pair.ladder: 'qwen-500m' is there twice"]),
    (lambda p: p["pair"].update(ladder=[]), ["pair.ladder: [] has no two rungs, so there would be no pair"]),
    (lambda p: p["grid"].update(seeds=[0, 0]), ["grid.seeds: '0' is there twice"]),
    (lambda p: p["methods"]["kto"].update(bf16=True), [
        "grid.methods: bf16 is false in dpo, true in kto; runs are compared, so give them one"]),
    (lambda p: p["grid"].update(budgets=["half"]), ["grid.budgets.0: 'half' is neither a number of pairs nor 'own'"]),
    (lambda p: p["grid"].update(selections=["topp"]), [
        "grid.selections: 'topp' is not in selections; known: all, bottom_step_coherence, top_generator_delta, top_step_coherence"]),
    (lambda p: p["controls"]["reversed"].update(match=["chosen_model"]), [
        "controls.reversed.match: pairs are 'own', and not drawn to match anything; leave it empty, or draw them"]),
    (lambda p: p["controls"]["length_matched"].update(match=["chosen.words"]), [
        "controls.length_matched.match.0: 'chosen.words' is not a column; did you mean 'chosen.tokens'?"]),
    (lambda p: p["generator_pairs"]["widest"].update(where="chosen_model"), ["generator_pairs.widest.where: 'chosen_model' is not true or false"]),
    (lambda p: p["selections"]["all"].update(require=["identical"]), ["selections.all.require: ['identical'] is not a mapping"]),
    (lambda p: p["selections"]["all"].update(keep={"kind": "band", "low": 2.0, "high": 1.0}), ["selections.all.keep: low 2 is above high 1"]),
    (lambda p: p["selections"]["all"].update(value="chosen.tokens > rejected.tokens"), [
        "selections.all.value: 'chosen.tokens > rejected.tokens' is true or false, not a number; end it with ::int"]),
    (lambda p: p["selections"]["all"].update(value="chosen.tokens - avg(chosen.tokens)"), [
        "selections.all.value: 'chosen.tokens - avg(chosen.tokens)' is one value for all rows; write `over ()` after its aggregate"]),
    (lambda p: p["selections"]["all"].update(budget={"pairs": 8}, strata={"by": "log2(chosen.tokens)", "shares": "equal"}), [
        "selections.all.strata.by: 'log2(chosen.tokens)' gives fractions, and each would be a stratum; end it with ::int"]),
    (lambda p: p["selections"]["all"].update(require={"strong": "chosen_model in ('qwen-500m', 'qwen-1500')"}), [
        "selections.all.require.strong: \"chosen_model in ('qwen-500m', 'qwen-1500')\": chosen_model is never 'qwen-1500'; did you mean 'qwen-1500m'?"]),
    (lambda p: p["selections"]["all"].update(value="rubric.delta_facts"), [
        "selections.all.value: 'rubric.delta_facts' is not a column; did you mean 'rubric.delta_factuality'?"]),
    (lambda p: p["selections"]["all"].update(value="margins.implicit"), [
        "selections.all.value: 'margins.implicit' is not a column; known: pair_id, prompt_id, chosen_trace_id, rejected_trace_id, chosen_model, "
        "rejected_model, identical, chosen.…, rejected.…, prompt.…, answer.…, rubric.…, rubric-500m.…, pairwise.…, panel.…"]),
    (lambda p: (p["judges"].update({"step-wise": p["judges"]["answer"]}), p["selections"]["all"].update(value="step-wise.delta_correct")), [
        "selections.all.value: 'step-wise.delta_correct': a name with '-' stands in quotes, \"step-wise\".…"]),
    (lambda p: p["selections"]["all"].update(value="rubric-500m.delta_factuality"), [
        "selections.all.value: 'rubric-500m.delta_factuality': a name with '-' stands in quotes, \"rubric-500m\".…"]),
    (lambda p: p["grid"].update(controls=["random"]), [
        "compare.primary: the grid has controls only; add the selection itself (pairs: own, labels: as_is) to grid.controls"]),
    (lambda p: p["selections"].update({"top_step_coherence-any-own-itself-0": p["selections"]["all"]}), [
        "grid.selections: 'top_step_coherence-any-own-itself-0' is an arm and a selection; rename the selection"]),
    (lambda p: p["audit"].update(kto=0.5), ["audit.kto: 0.5 is less than 1"]),
    (lambda p: p["judges"]["answer"].update(patterns=["(a"]), [
        "judges.answer.patterns.0: '(a' is not a regular expression: missing ), unterminated subpattern at position 0"]),
    (lambda p: p["judges"]["answer"].update(pass_at=1.5), ["judges.answer.pass_at: 1.5 is more than 1"]),
    (lambda p: p["methods"]["dpo"].update(beta=0.0), ["methods.dpo.beta: 0.0 is not greater than 0"]),
    (lambda p: p["methods"]["dpo"].update(max_length="long"), ["methods.dpo.max_length: 'long' is not a whole number"]),
    (lambda p: p["methods"]["dpo"].update(lora=p["methods"]["dpo"]["lora"] | {"rnk": 8}), ["methods.dpo.lora.rnk: unknown key; did you mean 'rank'?"]),
    (lambda p: p["decontaminate"].update(exact=1), ["decontaminate.exact: 1 is not true or false"]),
    (lambda p: p["decontaminate"].pop("ngram"), ["decontaminate.ngram: missing; add it"]),
    (lambda p: p["decontaminate"].update(ngram={"size": 0, "share": 1.0, "shar": 0.5}), [
        "decontaminate.ngram.size: 0 is less than 1", "decontaminate.ngram.share: 1.0 is not less than 1", "decontaminate.ngram.shar: unknown key; did you mean 'share'?"]),
    (lambda p: p["decontaminate"].update(near_duplicates={"shingle": 5.5, "permutations": 1, "threshold": 0.0, "seed": -1}), [
        "decontaminate.near_duplicates.shingle: 5.5 is not a whole number", "decontaminate.near_duplicates.permutations: 1 is less than 2",
        "decontaminate.near_duplicates.threshold: 0.0 is not greater than 0", "decontaminate.near_duplicates.seed: -1 is less than 0"]),
    (lambda p: p["generators"].update({"Qwen 2": {"kind": "openai"}}), [
        "generators.Qwen 2: a name is lower-case letters, digits, '-' and '_', and starts with a letter"]),
    (lambda p: p["generators"]["qwen-500m"]["endpoint"].update(timeout=3), [
        "generators.qwen-500m.endpoint.timeout: unknown key; did you mean 'timeout_s'?"]),
    (lambda p: p["pairwise_judges"]["pairwise"].update(kind="verdikt"), [
        "pairwise_judges.pairwise.kind: 'verdikt' is not one of imported, verdict; did you mean 'verdict'?"]),
    (lambda p: p["scorers"].update(own={"kind": "implicitt"}), [
        "scorers.own.kind: 'implicitt' is not one of implicit, reference; did you mean 'implicit'?"]),
    (lambda p: p["scorers"].update(own={"kind": "implicit", "folds": 1, "rounds": 1, "seed": 0, "train_pairs": None, "batch_size": 1, "training": {
        **p["x-training"], "loss": "hinge"}}), [
        "scorers.own.folds: 1 is less than 2",
        "scorers.own.training.loss: 'hinge' is not one of 'sigmoid', 'sigmoid_norm' or 'ipo'"]),
    (lambda p: p["delta"]["panels"]["panel"]["members"][0].update(judge="rubrik"), [
        "delta.panels.panel.members.0.judge: 'rubrik' is not in judges or pairwise_judges; did you mean 'rubric'?"]),
    (lambda p: p["delta"]["panels"]["panel"]["members"][3].update(dimension="quality"), [
        "delta.panels.panel.members.3.dimension: 'quality' is not rated by pairwise; known: preference"]),
    (lambda p: p["delta"]["panels"]["panel"].update(rule="median_z", members=[{**m, "weight": w + 1.0} for w, m in enumerate(
        p["delta"]["panels"]["panel"]["members"])]), ["delta.panels.panel: median_z does not weigh; give all members one weight"]),
    (lambda p: p["delta"]["panels"]["panel"].update(dimension="a-b"), [
        "delta.panels.panel.dimension: 'a-b' is not a column name: lower-case letters, digits and '_'"]),
    (lambda p: p["delta"]["panels"]["panel"]["members"].append(p["delta"]["panels"]["panel"]["members"][0]), [
        "delta.panels.panel: rubric factuality is a member twice; give it a weight instead"]),
    (lambda p: p["delta"]["panels"]["panel"].pop("rule"), ["delta.panels.panel.rule: missing; add it"]),
    (lambda p: p["delta"]["panels"].update({"My panel": p["delta"]["panels"]["panel"]}), [
        "delta.panels.My panel: 'My panel': string should match pattern '^[a-z][a-z0-9_-]*$'"]),
    (lambda p: p["delta"].update(prior=0.0), ["delta.prior: 0.0 is not greater than 0"]),
    (lambda p: p["pairwise_judges"].update(answer=p["pairwise_judges"]["pairwise"]), [
        "pairwise_judges.answer: judges has that name too; expressions go by name"]),
    (lambda p: p["reliability"].update(truth="anwser"), [
        "reliability.truth: 'anwser' is not in judges or pairwise_judges or delta.panels; did you mean 'answer'?"]),
    (lambda p: p["reliability"]["families"].update(rubrik="qwen"), ["reliability.families.rubrik: rates nothing; did you mean 'rubric'?"]),
    *[(lambda p, field=field: p["pair"].update({field: 5}), [f"pair.{field}: 5 is not a list"]) for field in ("chosen", "rejected", "ladder")],
    (lambda p: p["reliability"].update(families=None), ["reliability.families: None is not a mapping"]),
    (lambda p: p["judges"]["rubric"].update(dimensions=[[1]]), ["judges.rubric.dimensions: [[1]] is not a mapping"]),
    (lambda p: p["judges"].update({1: 2}), ["judges.1: a name is lower-case letters, digits, '-' and '_', and starts with a letter"]),
    (lambda p: p["decontaminate"].update({1: 2}), ["decontaminate.1: a key must be text; put it in quotes"]),
    (lambda p: p["compare"]["primary"].update(budget=1.5), ["compare.primary.budget: 1.5 is not a whole number"]),
    (lambda p: p["selections"]["all"].update(budget={"pairs": inf}), ["selections.all.budget.pairs: inf is not a finite number"]),
    (lambda p: p["selections"]["all"].update(value="1", keep={"kind": "nearest", "target": nan}), ["selections.all.keep.target: nan is not a finite number"]),
    (lambda p: p["selections"]["all"].update(value="1); select (2"), [
        "selections.all.value: '1); select (2' is more than one statement; write one expression"]),
    (lambda p: p["sources"]["arithmetic"]["tasks"]["products"]["config"].update(min_terms=[{"a": -inf}]), [
        "sources.arithmetic.tasks.products.config.min_terms: -inf is not a finite number"]),
    (lambda p: p["sources"]["arithmetic"]["tasks"]["products"]["config"].update(min_terms=date(2020, 1, 1)), [
        "sources.arithmetic.tasks.products.config.min_terms: 2020-01-01 is neither text nor a number; put it in quotes if it is text"]),
    (lambda p: p["generators"]["qwen-500m"].update(scale_b=nan), ["generators.qwen-500m.scale_b: nan is not a finite number"]),
    (lambda p: p["generators"]["qwen-500m"]["sampling"].update(temperature=inf), [
        "generators.qwen-500m.sampling.temperature: inf is not a finite number"]),
    (lambda p: p["methods"]["dpo"].update(beta=nan, epochs=inf, max_grad_norm=-inf), [
        "methods.dpo.epochs: inf is not a finite number", "methods.dpo.max_grad_norm: -inf is not a finite number",
        "methods.dpo.beta: nan is not a finite number"]),
    (lambda p: p["budget"].update(max_usd=nan), ["budget.max_usd: nan is not a finite number"]),
    (lambda p: p["delta"].update(noise=nan, prior=inf), ["delta.noise: nan is not a finite number", "delta.prior: inf is not a finite number"]),
    (lambda p: p["delta"]["panels"]["panel"]["members"][0].update(weight=nan), ["delta.panels.panel.members.0.weight: nan is not a finite number"]),
    (lambda p: p["pair"].update(order="y" * 9999), [f"pair.order: '{'y' * 97}...{'y' * 98}' is not one of 'ladder', 'scale' or 'both'"]),
    (lambda p: p["calibrate"].update(method="beta"), ["calibrate.method: 'beta' is not one of 'isotonic' or 'platt'"]),
]  # fmt: skip


FEW = [
    pytest.param(*case, marks=[pytest.mark.slow] * (number % 5 > 0), id=case[1][0].split(":")[0])
    for number, case in enumerate(CASES)
]  # fast: one in five


@pytest.mark.parametrize(("change", "lines"), FEW)
def test_one_mistake_one_exact_line(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], lines: list[str]
) -> None:
    assert broken(tmp_path, change) == lines


def test_all_mistakes_at_once(tmp_path: Path) -> None:
    def change(params: dict[str, Any]) -> None:
        params["judges"]["rubric"]["repeats"] = 0
        params["pair"]["order"] = "random"
        params["selections"]["all"]["budgt"] = 3
        params["grid"]["selections"] = ["al"]

    lines = broken(tmp_path, change)
    assert lines == [
        "pair.order: 'random' is not one of 'ladder', 'scale' or 'both'",
        "judges.rubric.repeats: 0 is less than 1",
        "selections.all.budgt: unknown key; did you mean 'budget'?",
        "grid.selections: 'al' is not in selections; did you mean 'all'?",
    ]


def test_a_missing_file_and_bad_yaml(tmp_path: Path) -> None:
    file = tmp_path / "params.yaml"
    with pytest.raises(
        CurationError, match=r"is no file; run from the project's folder, or copy one of recipes/\*\.yaml"
    ):
        read(file)
    file.write_text("pair:\n  order: [ladder\n")
    with pytest.raises(CurationError, match=r"params\.yaml: line 3: not YAML: "):
        read(file)
    file.write_text("- a\n")
    with pytest.raises(CurationError, match="not a mapping of sections"):
        read(file)


def test_no_default_is_hidden_in_python() -> None:
    """DVC cannot see a default, so no settings class has one."""
    from pydantic import BaseModel

    def fields(value: BaseModel) -> list[str]:
        found = [
            f"{type(value).__name__}.{name}"
            for name, info in type(value).model_fields.items()
            if not info.is_required()
        ]
        for name in type(value).model_fields:
            inner = getattr(value, name)
            for one in inner.values() if isinstance(inner, dict) else [inner]:
                found += fields(one) if isinstance(one, BaseModel) else []
        return found

    study = read(ROOT / "params.yaml")
    members = [one for section in (*KIND_FOLDERS, *params.COLLECTIONS) for one in getattr(study, section).values()]
    settings = members + [getattr(study, name) for name in params.SECTIONS]
    assert [name for one in settings for name in fields(one)] == []
