"""The lists that there are: of pairs, of traces and of prompts, each a table of what it shows and is narrowed by."""

from collections.abc import Callable, Iterable

from curation.core.study import Study
from curation.explore.lists.columns import spell
from curation.explore.lists.pair_columns import ARM, PairColumns
from curation.explore.lists.prompt_columns import PromptColumns
from curation.explore.lists.trace_columns import LABEL, REASON, TraceColumns
from curation.explore.view.asked import PAIRS, PROMPTS, TRACES
from curation.explore.view.facets import Facet
from curation.explore.view.listed import Listed
from curation.explore.view.opened import Opened
from curation.explore.view.searching import Searches
from curation.tables import contracts
from curation.tables.expressions.syntax import ColumnName

MOST_JUDGED = 4  # judges among the columns that are shown where none are named
SAYS = {"better": "chosen is better", "worse": "rejected is better", "equal": "both alike", "unscored": "nothing"}
LABELS = {"true": "desirable", "false": "undesirable"}
OF_A_PAIR, OF_A_TRACE = 1, 10  # rows of what a judge says


def list_pairs(opened: Opened) -> Listed:
    """The pairs."""
    study, judged = opened.study(), _find_judged(opened.study(), "deltas", opened.study().dimensions)

    def delta(option: str) -> ColumnName:
        judge, _, dimension = option.partition(".")
        return judge, f"delta_{dimension}"

    def verdict(selection: str) -> ColumnName:
        return "reason", selection

    facets = {
        "chosen": Facet(_column("chosen_model")),
        "rejected": Facet(_column("rejected_model")),
        "selection": Facet(
            verdict, "known", lambda: _there(study.selections, "selections"), lambda name: ("kept", name),
            shows=lambda name: [("reason", name), ("margin", name)],
        ),
        "reason": Facet(verdict),
        "arm": Facet(
            lambda name: (ARM, name), "true",
            lambda: [name for name in study.arms if contracts.arm_path("subsets", name).exists()],
        ),
        "judge": Facet(delta, "known", lambda: judged, rows=OF_A_PAIR),
        "says": Facet(delta, "sign", lambda: SAYS, words=SAYS),
    }  # fmt: skip
    first = [spell(delta(option)) for option in _firsts(judged)]
    default = ("chosen_model", "rejected_model", *first, "chosen.characters", "rejected.characters")
    texts = {"prompt": "prompt_id"} | {side: f"{side}_trace_id" for side in contracts.SIDES}
    return Listed(PAIRS, PairColumns(opened.tables()), facets, default, texts, _searches(opened))


def list_traces(opened: Opened) -> Listed:
    """The traces."""
    study, judged = opened.study(), _find_judged(opened.study(), "judgments", opened.study().judges)

    def score(option: str) -> ColumnName:
        judge, _, dimension = option.partition(".")
        return judge, dimension

    def label(selection: str) -> ColumnName:
        return LABEL, selection

    facets = {
        "generator": Facet(_column("generator")),
        "status": Facet(_column("status")),
        "selection": Facet(
            label, "known", lambda: _there(study.selections, "unpaired"),
            shows=lambda name: [(LABEL, name), (REASON, name)],
        ),
        "label": Facet(label, words=LABELS),
        "reason": Facet(lambda selection: (REASON, selection)),
        "judge": Facet(score, "known", lambda: judged, shows=lambda option: [score(option)], rows=OF_A_TRACE),
        "score": Facet(score),
    }  # fmt: skip
    first = [spell(score(option)) for option in _firsts(judged)]
    default = ("generator", "status", *first, "characters", "reasoning_characters")
    texts = {"prompt": "prompt_id", "trace": "trace_id"}
    return Listed(TRACES, TraceColumns(opened.tables()), facets, default, texts, _searches(opened))


def list_prompts(opened: Opened) -> Listed:
    """The prompts."""
    facets = {name: Facet(_column(name)) for name in PROMPTS.facets}
    default = ("source", "split", "left(user, 80)", "traces", "pairs", "reason")
    texts = {"prompt": "prompt_id"}
    return Listed(PROMPTS, PromptColumns(opened.tables()), facets, default, texts, _searches(opened))


LISTS: dict[str, Callable[[Opened], Listed]] = {"pair": list_pairs, "trace": list_traces, "prompt": list_prompts}


def _column(name: str) -> Callable[[str], ColumnName]:
    return lambda _: (name,)


def _there(names: Iterable[str], table: str) -> list[str]:
    """Those whose part of the table is there."""
    return [name for name in names if contracts.path(table, name).exists()]


def _find_judged(study: Study, table: str, judges: Iterable[str]) -> list[str]:
    """What judges say that have their part of the table, as `rubric.logic`."""
    return [f"{judge}.{name}" for judge in _there(judges, table) for name in study.dimensions[judge]]


def _firsts(judged: list[str]) -> list[str]:
    """The first dimension of each of the first judges."""
    first = {option.partition(".")[0]: option for option in reversed(judged)}
    return list(reversed(first.values()))[:MOST_JUDGED]


def _searches(opened: Opened) -> Searches:
    """Those of all lists."""
    return opened.keep("searches", lambda: Searches(opened.tables()))
