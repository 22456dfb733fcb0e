"""Mistakes in params.yaml: what is changed in the project's own, by where it stands, and the lines that tell of it."""

from copy import copy
from datetime import date
from functools import reduce
from math import inf, nan
from typing import Any, NamedTuple

from world import own

GONE = object()  # the value of what is taken out


class CopyOf(NamedTuple):
    """The value of what is put in again under another name."""

    place: str


def changed(changes: dict[str, Any]) -> dict[str, Any]:
    """The project's own params with each place of `changes` holding another value, and no other place, be it another
    alias of the same thing."""
    raw = own()
    for place, value in changes.items():
        *outer, last = keys(place)
        holder: Any = raw
        for key in outer:
            holder[key] = copy(holder[key])
            holder = holder[key]
        if value is GONE:
            del holder[last]
        else:
            same = isinstance(value, CopyOf)
            holder[last] = reduce(lambda part, key: part[key], keys(value.place), raw) if same else value
    return raw


def keys(place: str) -> list[Any]:
    """The keys of `delta.panels.panel.members.0`."""
    return [int(key) if key.isdecimal() else key for key in place.split(".")]


SCORER: dict[str, Any] = {
    "kind": "implicit",
    "folds": 1,
    "rounds": 1,
    "seed": 0,
    "train_pairs": None,
    "batch_size": 1,
    "training": {**own()["x-training"], "loss": "hinge"},
}
LISTS = ("chosen", "rejected", "ladder")
MISTAKES: list[tuple[dict[str, Any], list[str]]] = [
    ({"selections.top_step_coherence.keep.kind": "up"},
     ["selections.top_step_coherence.keep.kind: 'up' is not one of top, bottom, random, band, quantiles, nearest"]),
    ({"selections.top_step_coherence.keep.kind": "quantiles", "selections.top_step_coherence.keep.low": 0.5,
      "selections.top_step_coherence.keep.high": 0.5},
     ["selections.top_step_coherence.keep: low 0.5 is not below high 0.5"]),
    ({"selections.top_step_coherence.value": "rubric.delta_step_coherense",
      "selections.top_step_coherence.require": {"a": "rubric.delta_logic >"}},
     ["selections.top_step_coherence.value: 'rubric.delta_step_coherense' is not a column; did you mean "
      "'rubric.delta_step_coherence'?",
      "selections.top_step_coherence.require.a: 'rubric.delta_logic >' is not an SQL expression: syntax error at "
      "or near \")\""]),
    ({"selections.all.value": "random()"},
     ["selections.all.value: 'random()' calls random(), which gives another value another time; draws are made "
      "by `seed`"]),
    ({"selections.all.value": "(select 1)"},
     ["selections.all.value: '(select 1)' has a subquery; write one expression of a row's own columns"]),
    ({"selections.all.value": "avg(chosen.characters)"},
     ["selections.all.value: 'avg(chosen.characters)' is one value for all rows; write `over ()` after its aggregate"]),
    ({"selections.all.require": {"long": "chosen.characters"}},
     ["selections.all.require.long: 'chosen.characters' is not true or false"]),
    ({"selections.all.order": {"by": "prompt.source", "first": "lowest"}},
     ["selections.all.order.by: 'prompt.source' is not a number"]),
    ({"selections.all.require": {"unscored": "identical"}},
     ["selections.all: require.unscored: that is a reason already; give it another name"]),
    ({"selections.all.require": {"Long one": "identical"}},
     ["selections.all.require.Long one: 'Long one' is not a column name: lower-case letters, digits and '_'"]),
    ({"selections.all.budget": {"pairs": 2, "share": 0.5}},
     ["selections.all.budget: give one of pairs, share and tokens"]),
    ({"selections.all.budget": {"share": 1.5}}, ["selections.all.budget: share 1.5 is not above 0 and up to 1"]),
    ({"selections.all.budget": {"pairs": -1}}, ["selections.all.budget.pairs: -1 is less than 0"]),
    ({"selections.all.budget": {"pears": 1}},
     ["selections.all.budget.pears: 'pears' is not one of 'pairs', 'share' or 'tokens'; did you mean 'pairs'?"]),
    ({"selections.all.strata": {"by": "identical", "shares": "equal"}},
     ["selections.all: strata divide a budget of pairs or a share; give one"]),
    ({"selections.top_step_coherence.value": None},
     ["selections.top_step_coherence: keep top ranks by a value; give one"]),
    ({"selections.all.budget": {"tokens": 100}, "renderings.count": False},
     ["selections.all.budget.tokens: tokens are not counted; set renderings.count: true"]),
    ({"selections.all.unpaired": {"label": "rubric.logik = 1", "require": {"kept": "true"}}},
     ["selections.all.unpaired: require.kept: that is a reason already; give it another name"]),
    ({"selections.all.unpaired": {"label": "chosen.tokens > 1", "require": {"a": "rubric.delta_step_coherence > 0",
      "b": "pairwise.preference = 1", "c": "generator = 'qwen-1500'", "d": "characters"}}},
     ["selections.all.unpaired.label: 'chosen.tokens' is of a pair; of a single trace it is 'tokens'",
      "selections.all.unpaired.require.a: 'rubric.delta_step_coherence' is no score of a single trace; did you mean "
      "'rubric.step_coherence'?",
      "selections.all.unpaired.require.b: 'pairwise.preference' is of pairs, and a single trace is in none; name a "
      "judge of traces",
      "selections.all.unpaired.require.c: \"generator = 'qwen-1500'\": generator is never 'qwen-1500'; did you mean "
      "'qwen-1500m'?",
      "selections.all.unpaired.require.d: 'characters' is not true or false"]),
    ({"selections.all.unpaired": {"label": "true", "budget": {"pairs": 1}}},
     ["selections.all.unpaired.budget.pairs: 'pairs' is not one of 'traces' or 'share'"]),
    ({"selections.all.unpaired": {"label": "true"}, "selections.all.order": {"by": "chosen.tokens", "first": "lowest"}},
     ["selections.all: order is of pairs, and unpaired takes single traces, in no order; leave one of them out"]),
    ({"pair.chosen": ["qwen-1500"]}, ["pair.chosen: 'qwen-1500' is not in generators; did you mean 'qwen-1500m'?"]),
    ({"generators.qwen-500m.endpoint.base_url": "127.0.0.1:8005"},
     ["generators.qwen-500m.endpoint.base_url: '127.0.0.1:8005' is no address; write it as http://HOST:PORT/v1"]),
    ({"student.device": "gpu"}, ["student.device: 'gpu' is no device; one of cpu, cuda, cuda:N, mps, xpu"]),
    ({"ledger.max_failed": 2.0, "budget.max_usd": -1},
     ["ledger.max_failed: 2.0 is more than 1",
      "budget.max_usd: -1 is less than 0"]),
    ({"judges.rubric.repeats": 0}, ["judges.rubric.repeats: 0 is less than 1"]),
    ({"judges.rubric.shows": "thinking"},
     ["judges.rubric.shows: 'thinking' is not one of 'answer', 'reasoning' or 'both'"]),
    ({"judges.rubric.shows": "Both"},
     ["judges.rubric.shows: 'Both' is not one of 'answer', 'reasoning' or 'both'; did you mean 'both'?"]),
    ({"selections.top_step_coherence.vlaue": "identical"},
     ["selections.top_step_coherence.vlaue: unknown key; did you mean 'value'?"]),
    ({"selections.all.seed": GONE}, ["selections.all.seed: missing; add it"]),
    ({"pair.ladder": ["qwen-1500"]}, ["pair.ladder: 'qwen-1500' is not in generators; did you mean 'qwen-1500m'?"]),
    ({"methods.dpo.loss": "hinge"}, ["methods.dpo.loss: 'hinge' is not one of 'sigmoid', 'sigmoid_norm' or 'ipo'"]),
    ({"judges.rubric.kind": "rubrik"},
     ["judges.rubric.kind: 'rubrik' is not one of answer, imported, listed, process, reward, rubric; did you mean "
      "'rubric'?"]),
    ({"judges.rubric.kind": GONE},
     ["judges.rubric.kind: missing; one of answer, imported, listed, process, reward, rubric"]),
    ({"selektions": {}}, ["selektions: unknown section; did you mean 'selections'?"]),
    ({"pair": GONE}, ["pair: missing; add this section"]),
    ({"compare.primary": "step_coherense"},
     ["compare.primary: 'step_coherense' is not in contrasts; did you mean 'step_coherence'?"]),
    ({"compare.primary": "helps_at_all"},
     ["compare.primary: 'helps_at_all' is several contrasts; name one of helps_at_all.dpo-top_step_coherence, "
      "helps_at_all.dpo-top_generator_delta, helps_at_all.kto-top_step_coherence, "
      "helps_at_all.kto-top_generator_delta, helps_at_all.all"]),
    ({"pair.ladder": ["qwen-500m", "qwen-500m"]}, ["pair.ladder: 'qwen-500m' is there twice"]),
    ({"pair.ladder": []}, ["pair.ladder: [] has no two rungs, so there would be no pair"]),
    ({"grid.seeds": [0, 0]}, ["grid.seeds: '0' is there twice"]),
    ({"methods.kto.bf16": True},
     ["grid.methods: bf16 is false in dpo, true in kto; runs are compared, so give them one"]),
    ({"grid.arms": [{"selection": "all", "controls": "random"}, {"control": "random", "budget": 0}]},
     ["grid.arms.0.controls: unknown key; did you mean 'control'?",
      "grid.arms.1.selection: missing; add it",
      "grid.arms.1.budget.0: 0 is no number of pairs to learn from; give one from 1 to 2147483647"]),
    ({"grid.arms": [{"selection": "topp"}, {"selection": "all", "control": ["itself", "randm"]}]},
     ["grid.arms.0.selection: 'topp' is not in selections; known: all, top_step_coherence, bottom_step_coherence, "
      "top_generator_delta",
      "grid.arms.1.control: 'randm' is not in controls; did you mean 'random'?"]),
    ({"grid.arms": [{"selection": "all", "seeds": [1, 1], "control": []}, {"selection": []}], "contrasts": {},
      "compare.primary": None},
     ["grid.arms.0.seeds: '1' is there twice",
      "grid.arms.0: names no control, so it makes no arm; name one, or leave `control` out",
      "grid.arms.1: names no selection, so it makes no arm; name one"]),
    ({"grid.draws": [], "grid.arms": [{"selection": "all", "draws": []}], "contrasts": {},
      "compare.primary": None},
     ["grid.arms.0: names no draws, so it makes no arm; name one, or leave `draws` out",
      "grid.draws: names none, so no arm that draws is made; name one, or leave it out: each seed draws its own"]),
    ({"grid.budgets": ["half"]}, ["grid.budgets.0: 'half' is neither a number of pairs nor 'own'"]),
    ({"grid.selections": ["topp"]},
     ["grid.selections: 'topp' is not in selections; known: all, top_step_coherence, "
      "bottom_step_coherence, top_generator_delta"]),
    ({"controls.reversed.match": ["chosen_model"]},
     ["controls.reversed.match: pairs are 'own', not drawn, so nothing is matched; leave it empty, or draw them"]),
    ({"controls.length_matched.match": ["chosen.words"]},
     ["controls.length_matched.match.0: 'chosen.words' is not a column; did you mean 'chosen.tokens'?"]),
    ({"generator_pairs.widest.where": "chosen_model"},
     ["generator_pairs.widest.where: 'chosen_model' is not true or false"]),
    ({"selections.all.require": ["identical"]}, ["selections.all.require: ['identical'] is not a mapping"]),
    ({"selections.all.keep.kind": "band", "selections.all.keep.low": 2.0, "selections.all.keep.high": 1.0},
     ["selections.all.keep: low 2 is above high 1"]),
    ({"selections.all.value": "chosen.tokens > rejected.tokens"},
     ["selections.all.value: 'chosen.tokens > rejected.tokens' is true or false, not a number; end it with ::int"]),
    ({"selections.all.value": "chosen.tokens - avg(chosen.tokens)"},
     ["selections.all.value: 'chosen.tokens - avg(chosen.tokens)' is one value for all rows; write `over ()` "
      "after its aggregate"]),
    ({"selections.all.budget": {"pairs": 8}, "selections.all.strata": {"by": "log2(chosen.tokens)",
      "shares": "equal"}},
     ["selections.all.strata.by: 'log2(chosen.tokens)' gives fractions, and each would be a stratum; end it with "
      "::int"]),
    ({"selections.all.require": {"strong": "chosen_model in ('qwen-500m', 'qwen-1500')"}},
     ["selections.all.require.strong: \"chosen_model in ('qwen-500m', 'qwen-1500')\": chosen_model is never "
      "'qwen-1500'; did you mean 'qwen-1500m'?"]),
    ({"selections.all.require": {"loud": "not rubric.within_noise_factuality", "same": "pairwise.sd_preference = 0"}},
     ["selections.all.require.loud: rubric.within_noise_factuality is unknown, since rubric is asked once: give it "
      "repeats: 2 or more",
      "selections.all.require.same: pairwise.sd_preference is unknown, since pairwise is asked once: give it "
      "repeats: 2 or more; what its two orders differ by is pairwise.bias_…"]),
    ({"selections.all.require": {"whole": "chosen.status = 'completed'"}},
     ["selections.all.require.whole: \"chosen.status = 'completed'\": chosen.status is never 'completed'; did you mean "
      "'complete'?"]),
    ({"selections.all.value": "chosen.reasoning_length"},
     ["selections.all.value: 'chosen.reasoning_length' is not a column; did you mean 'chosen.reasoning_tokens'?"]),
    ({"selections.all.value": "rubric.delta_facts"},
     ["selections.all.value: 'rubric.delta_facts' is not a column; did you mean 'rubric.delta_factuality'?"]),
    ({"selections.all.value": "margins.implicit"},
     ["selections.all.value: 'margins.implicit' is not a column; known: pair_id, prompt_id, chosen_trace_id, "
      "rejected_trace_id, chosen_model, rejected_model, identical, chosen.…, rejected.…, prompt.…, answer.…, "
      "rubric.…, rubric-500m.…, pairwise.…, panel.…"]),
    ({"judges.step-wise": CopyOf("judges.answer"), "selections.all.value": "step-wise.delta_correct"},
     ["selections.all.value: 'step-wise.delta_correct': a name with '-' stands in quotes, \"step-wise\".…"]),
    ({"selections.all.value": "rubric-500m.delta_factuality"},
     ["selections.all.value: 'rubric-500m.delta_factuality': a name with '-' stands in quotes, \"rubric-500m\".…"]),
    ({"selections.top_step_coherence-any-own-itself": CopyOf("selections.all")},
     ["grid.selections: 'top_step_coherence-any-own-itself' is an arm and a selection; rename the selection"]),
    ({"evaluate.benchmarks": {"arithmetic_held_uot": {"samples": 1}, "arithmetic": {"samples": 0}}},
     ["evaluate.benchmarks.arithmetic.samples: 0 is less than 1"]),
    ({"evaluate.benchmarks": {"arithmetic_held_uot": {"samples": 1}, "arithmetic": {"samples": 1, "extra": {"x": 1}}}},
     ["evaluate.benchmarks.arithmetic_held_uot: 'arithmetic_held_uot' is not in sources; did you mean "
      "'arithmetic_held_out'?",
      "evaluate.benchmarks.arithmetic: 'arithmetic' is on the train split; did you mean 'arithmetic_held_out'?",
      "evaluate.benchmarks.arithmetic.extra.x: transformers on this machine takes reasoning_effort, chat_template, "
      "chat_template_kwargs and nothing else; leave it out, or serve the model and use kind openai"]),
    ({"models": {"Mine": "x", "baseline": "x", "dpo-top_step_coherence-any-own-itself-0": "x", "sound": "x"}},
     ["models.Mine: a name is lower-case letters, digits, '-' and '_', and starts with a letter",
      "models.baseline: that is the name of the untrained student's run; give these weights another",
      "models.dpo-top_step_coherence-any-own-itself-0: that is the name of a run of the grid; give these weights "
      "another"]),
    ({"models": {"mine": 3, "other": " "}},
     ["models.mine: 3 is not text", "models.other: ' ' is blank; write it out"]),
    ({"models": ["mine"]}, ["models: ['mine'] is not a mapping"]),
    ({"licenses": {"sources": {"arithmetik": {"license": "mit"}}, "generators": {"qwen-500m": {"license": " "}}}},
     ["licenses.generators.qwen-500m.license: ' ' is blank; write it out"]),
    ({"licenses": {"sources": {"arithmetik": {"license": "mit"}}, "judges": {}}},
     ["licenses.judges: unknown key; known: sources, generators"]),
    ({"licenses": {"sources": {"arithmetik": {"license": "mit"}}}},
     ["licenses.sources.arithmetik: params.yaml has no sources of that name; did you mean 'arithmetic'?"]),
    ({"execution.runs": {"parallel": 0, "engine": "rey", "threads": 0, "devices": ["gpu"], "max_fail": 1}},
     ["execution.runs.parallel: 0 is less than 1",
      "execution.runs.engine: 'rey' is not one of 'local', 'ray' or 'accelerate'; did you mean 'ray'?",
      "execution.runs.max_failed: missing; add it",
      "execution.runs.threads: 0 is less than 1",
      "execution.runs.devices.0: 'gpu' is no device; one of cpu, cuda, cuda:N, mps, xpu",
      "execution.runs.max_fail: unknown key; did you mean 'max_failed'?"]),
    ({"execution.runs": {"parallel": 2, "engine": "local", "max_failed": 0, "devices": ["cuda:0", "cpu"],
      "config": "fsdp.yaml"}},
     ["execution.runs.config: fsdp.yaml: engine local reads none; leave it out, or name engine: accelerate",
      "execution.runs.devices: cuda:0: runs are trained on student.device, cpu; name devices of one kind there"]),
    ({"student.device": "cuda", "execution.runs": {"parallel": 1, "engine": "local", "max_failed": 0,
      "devices": ["cuda:0", "cuda:1"]}},
     ["execution.runs.parallel: 1 leaves some of the 2 devices unused; raise it, or name fewer"]),
    ({"execution.runs": {"parallel": 2, "engine": "accelerate", "max_failed": 0, "devices": ["cpu"]}},
     ["execution.runs.devices: cpu: engine accelerate reads none, its config says where; leave them out",
      "execution.runs.config: null, but engine is accelerate; name the file that `accelerate config --config_file` "
      "writes",
      "execution.runs.parallel: 2, but accelerate gives each run all processes of its config; write 1"]),
    ({"execution.runs": {"parallel": 2, "engine": "ray", "max_failed": 0}},
     ["execution.runs.threads: null would be another number on another node, and other last digits; write it"]),
    ({"student.device": "cuda", "execution.runs": {"parallel": 2, "engine": "ray", "max_failed": 0}},
     ["execution.runs.engine: ray, but execution.ray.gpus is 0 and student.device is cuda; say how much of a GPU a run "
      "gets"]),
    ({"evaluate.judge": "rubric"}, ["evaluate.judge: 'rubric' is of kind rubric; name a judge of kind answer"]),
    ({"judges.answer.missing_answer": "unscored"},
     ["evaluate.judge: 'answer' has missing_answer: unscored, so to give no answer would pay; say wrong, or name a "
      "judge that does"]),
    ({"sources.mine": {"kind": "table", "path": "a.csv", "split": "in_domain", "verifier": None, "instruction": None,
      "columns": {"prompt": "q", "answer": None, "task": None}}},
     ["sources.mine.verifier: null, but answers to a benchmark (split: in_domain) are graded; name one",
      "sources.mine.columns.answer: null, but answers to a benchmark (split: in_domain) are graded; name a column"]),
    ({"audit.kto": 0.5}, ["audit.kto: 0.5 is less than 1"]),
    ({"judges.answer.extract": []},
     ["judges.answer.extract: 0 are fewer than 1; add to them"]),
    ({"judges.answer.extract": ["boxed", {"match": "last"}, {"kind": "boxd", "match": "last"}]},
     ["judges.answer.extract.0: 'boxed' is not a mapping with a kind, one of after, boxed, json_field, last_number, "
      "regex",
      "judges.answer.extract.1.kind: missing; one of after, boxed, json_field, last_number, regex",
      "judges.answer.extract.2.kind: 'boxd' is not one of after, boxed, json_field, last_number, regex; did you mean "
      "'boxed'?"]),
    ({"judges.answer.extract": [{"kind": "after", "marker": "", "match": "lst", "take": "all", "untl": "line"}]},
     ["judges.answer.extract.0.marker: '': string should have at least 1 character",
      "judges.answer.extract.0.match: 'lst' is not one of 'first' or 'last'; did you mean 'last'?",
      "judges.answer.extract.0.until: missing; add it",
      "judges.answer.extract.0.untl: unknown key; did you mean 'until'?"]),
    ({"judges.answer.extract": [{"kind": "regex", "pattern": "(a", "match": "last"}]},
     ["judges.answer.extract.0.pattern: '(a' is no regular expression of RE2: missing ): (a; it has no lookaround, no "
      "backreference, and \\z in place of \\Z"]),
    ({"judges.answer.pass_at": 1.5}, ["judges.answer.pass_at: 1.5 is more than 1"]),
    ({"methods.dpo.beta": 0.0}, ["methods.dpo.beta: 0.0 is less than 1e-06"]),
    ({"methods.dpo.max_length": "long"}, ["methods.dpo.max_length: 'long' is not a whole number"]),
    ({"methods.dpo.lora.rnk": 8}, ["methods.dpo.lora.rnk: unknown key; did you mean 'rank'?"]),
    ({"decontaminate.exact": 1}, ["decontaminate.exact: 1 is not true or false"]),
    ({"decontaminate.ngram": GONE}, ["decontaminate.ngram: missing; add it"]),
    ({"decontaminate.ngram": {"n": 0, "share": 1.0, "shar": 0.5}},
     ["decontaminate.ngram.n: 0 is less than 1",
      "decontaminate.ngram.share: 1.0 is not less than 1",
      "decontaminate.ngram.shar: unknown key; did you mean 'share'?"]),
    ({"decontaminate.near_duplicates": {"shingle": 5.5, "permutations": 1, "threshold": 0.0, "seed": -1}},
     ["decontaminate.near_duplicates.shingle: 5.5 is not a whole number",
      "decontaminate.near_duplicates.permutations: 1 is less than 2",
      "decontaminate.near_duplicates.threshold: 0.0 is not greater than 0",
      "decontaminate.near_duplicates.seed: -1 is less than 0"]),
    ({"generators.Qwen 2": {"kind": "openai"}},
     ["generators.Qwen 2: a name is lower-case letters, digits, '-' and '_', and starts with a letter"]),
    ({f"judges.{'j' * 101}": {"kind": "answer"}},
     [f"judges.{'j' * 101}: shorten it from 101 to 100 characters"]),
    ({f"generator_pairs.{'p' * 100}": {"where": "true"}, "grid.generator_pairs": ["p" * 100],
      f"controls.{'c' * 100}": {"pairs": "own", "match": [], "labels": "as_is"}, "grid.controls": ["c" * 100],
      "contrasts": {}, "compare.primary": None},
     ["grid.selections: 'dpo-top_generator_delta-pppppppppppppppp'… is a run with too long a name for a file; "
      "shorten its parts' names"]),
    ({"ledger.path": "s3://bucket/ledger.sqlite", "ledger.recorded": "https://example.org/recorded"},
     ["ledger.path: 's3://bucket/ledger.sqlite' is an address and no path; download what it holds, and name that",
      "ledger.recorded: 'https://example.org/recorded' is an address and no path; "
      "download what it holds, and name that"]),
    ({"ledger.path": "~/ledger.sqlite", "ledger.recorded": "~"},
     ["ledger.path: '~/ledger.sqlite' would be a folder called ~; write your home folder out",
      "ledger.recorded: '~' would be a folder called ~; write your home folder out"]),
    ({"generators.qwen-500m.endpoint.timeout": 3},
     ["generators.qwen-500m.endpoint.timeout: unknown key; did you mean 'timeout_s'?"]),
    ({"pairwise_judges.pairwise.kind": "verdikt"},
     ["pairwise_judges.pairwise.kind: 'verdikt' is not one of imported, listed, verdict; did you mean 'verdict'?"]),
    ({"scorers": {"own": {"kind": "implicitt"}}},
     ["scorers.own.kind: 'implicitt' is not one of implicit, reference; did you mean 'implicit'?"]),
    ({"scorers": {"own": SCORER}},
     ["scorers.own.folds: 1 is less than 2",
      "scorers.own.training.loss: 'hinge' is not one of 'sigmoid', 'sigmoid_norm' or 'ipo'"]),
    ({"delta.panels.panel.members.0.judge": "rubrik"},
     ["delta.panels.panel.members.0.judge: 'rubrik' is not in judges or pairwise_judges; did you mean 'rubric'?"]),
    ({"delta.panels.panel.members.3.dimension": "quality"},
     ["delta.panels.panel.members.3.dimension: 'quality' is not rated by pairwise; known: preference"]),
    ({"delta.panels.panel.rule": "median_z", "delta.panels.panel.members.1.weight": 2.0,
      "delta.panels.panel.members.2.weight": 3.0, "delta.panels.panel.members.3.weight": 4.0},
     ["delta.panels.panel: median_z does not weigh; give all members one weight"]),
    ({"delta.panels.panel.dimension": "a-b"},
     ["delta.panels.panel.dimension: 'a-b' is not a column name: lower-case letters, digits and '_'"]),
    ({"delta.panels.panel.members.1": CopyOf("delta.panels.panel.members.0")},
     ["delta.panels.panel: rubric factuality is a member twice; give it a weight instead"]),
    ({"delta.panels.panel.rule": GONE}, ["delta.panels.panel.rule: missing; add it"]),
    ({"delta.panels.My panel": CopyOf("delta.panels.panel")},
     ["delta.panels.My panel: 'My panel': string should match pattern '^[a-z][a-z0-9_-]{0,99}$'"]),
    ({"delta.prior": 0.0}, ["delta.prior: 0.0 is less than 0.001"]),
    ({"pairwise_judges.answer": CopyOf("pairwise_judges.pairwise")},
     ["pairwise_judges.answer: judges has an entry of that name; expressions go by name, so rename one"]),
    ({"reliability.truth": "anwser"},
     ["reliability.truth: 'anwser' is not in judges or pairwise_judges or delta.panels; did you mean 'answer'?"]),
    ({"reliability.families.rubrik": "qwen"},
     ["reliability.families.rubrik: no judge has that name; did you mean 'rubric'?"]),
    ({"pair.chosen": 5}, ["pair.chosen: 5 is not a list"]),
    ({"pair.rejected": 5}, ["pair.rejected: 5 is not a list"]),
    ({"pair.ladder": 5}, ["pair.ladder: 5 is not a list"]),
    ({"reliability.families": None}, ["reliability.families: null is not a mapping"]),
    ({"judges.rubric.dimensions": [[1]]}, ["judges.rubric.dimensions: [[1]] is not a mapping"]),
    ({"judges.1": 2}, ["judges.1: a name is lower-case letters, digits, '-' and '_', and starts with a letter"]),
    ({"decontaminate.1": 2}, ["decontaminate.1: a key must be text; put it in quotes"]),
    ({"compare.assume": {"other_run": 0.6}},
     ["compare.assume.other_run: 0.6 is more than same_run: 0.5; two runs agree on a prompt no more than one does with "
      "itself"]),
    ({"compare.detect": 3.0}, ["compare.detect: 3.0 is more than 1"]),
    ({"compare.primary": 1.5}, ["compare.primary: 1.5 is not text"]),
    ({"selections.all.budget": {"pairs": inf}}, ["selections.all.budget.pairs: inf is not a finite number"]),
    ({"selections.all.value": "1", "selections.all.keep.kind": "nearest", "selections.all.keep.target": nan},
     ["selections.all.keep.target: nan is not a finite number"]),
    ({"selections.all.value": "1); select (2"},
     ["selections.all.value: '1); select (2' is more than one statement; write one expression"]),
    ({"sources.arithmetic.tasks.products.config.min_terms": [{"a": -inf}]},
     ["sources.arithmetic.tasks.products.config.min_terms: -inf is not a finite number"]),
    ({"sources.arithmetic.tasks.products.config.min_terms": date(2020, 1, 1)},
     ["sources.arithmetic.tasks.products.config.min_terms: 2020-01-01 is neither text nor a number; put it in "
      "quotes if it is text"]),
    ({"generators.qwen-500m.scale_b": nan}, ["generators.qwen-500m.scale_b: nan is not a finite number"]),
    ({"generators.qwen-500m.sampling.temperature": inf},
     ["generators.qwen-500m.sampling.temperature: inf is not a finite number"]),
    ({"methods.dpo.epochs": inf, "methods.dpo.max_grad_norm": -inf, "methods.dpo.beta": nan},
     ["methods.dpo.epochs: inf is not a finite number",
      "methods.dpo.max_grad_norm: -inf is not a finite number",
      "methods.dpo.beta: nan is not a finite number"]),
    ({"budget.max_usd": nan}, ["budget.max_usd: nan is not a finite number"]),
    ({"delta.noise": nan, "delta.prior": inf},
     ["delta.noise: nan is not a finite number",
      "delta.prior: inf is not a finite number"]),
    ({"delta.panels.panel.members.0.weight": nan},
     ["delta.panels.panel.members.0.weight: nan is not a finite number"]),
    ({"pair.order": "y" * 9999},
     [f"pair.order: '{'y' * 97}...{'y' * 98}' is not one of 'ladder', 'scale', 'both' or 'listed'"]),
    ({"methods.dpo.learning_rate": 2.0, "methods.dpo.weight_decay": 1.5, "methods.dpo.epochs": 0.0},
     ["methods.dpo.learning_rate: 2.0 is more than 1",
      "methods.dpo.epochs: 0.0 is less than 1e-06",
      "methods.dpo.weight_decay: 1.5 is more than 1"]),
    ({"grid.seeds": [-1, 2**32, True]},
     ["grid.seeds.0: -1 is less than 0",
      "grid.seeds.1: 4294967296 is more than 4294967295",
      "grid.seeds.2: true is not a whole number"]),
    ({"grid.budgets": [0, 2**31]},
     ["grid.budgets.0: 0 is no number of pairs to learn from; give one from 1 to 2147483647",
      "grid.budgets.1: 2147483648 is no number of pairs to learn from; give one from 1 to 2147483647"]),
    ({"methods.kto.batch_size": 1}, ["methods.kto.batch_size: 1 is less than 2"]),
    ({"generators.smollm2-135m.sampling.temperature": 1e-9, "generators.qwen-500m.sampling.temperature": 11.0},
     ["generators.smollm2-135m.sampling.temperature: 1e-09 divides logits until they overflow; write 0.0 for the best "
      "token each time",
      "generators.qwen-500m.sampling.temperature: 11.0 is more than 10"]),
    ({"generators.qwen-500m.endpoint.base_url": "http://"},
     ["generators.qwen-500m.endpoint.base_url: 'http://' is no address; write it as http://HOST:PORT/v1"]),
    ({"generators.qwen-500m.endpoint.base_url": "http://h:99999/v1", "judges.rubric.endpoint.base_url": "http://h/v1?a=1"},
     ["generators.qwen-500m.endpoint.base_url: 'http://h:99999/v1' is no address; write it as http://HOST:PORT/v1",
      "judges.rubric.endpoint.base_url: 'http://h/v1?a=1' goes on after the path; end it before "
            "`?` or `#`"]),
    ({"generators.qwen-500m.endpoint.api_key_env": "sk-1234"},
     ["generators.qwen-500m.endpoint.api_key_env: not the name of an environment variable; export the key in one, "
      "or write null where none is wanted"]),
    ({"ledger.path": ":memory:", "ledger.recorded": ""},
     ["ledger.path: ':memory:' is no file, which alone keeps what was paid for; name one",
      "ledger.recorded: '' is blank; write it out"]),
    ({"student.model": " ", "student.revision": "a\nb"},
     ["student.model: ' ' is blank; write it out",
      "student.revision: 'a\\nb' has blanks at its ends or characters that cannot be printed; take them out"]),
    ({"methods.dpo.lora.modules": []}, ["methods.dpo.lora.modules: 0 are fewer than 1; add to them"]),
    ({"student.model": "m" * 9999, "ledger.path": "m" * 9999},
     ["ledger.path: too long for the name of a file; shorten it",
      "student.model: too long for the name of a file; shorten it"]),
    ({"calibrate.method": "beta"}, ["calibrate.method: 'beta' is not one of 'isotonic' or 'platt'"]),
]  # fmt: skip
