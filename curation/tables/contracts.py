"""Every table, declared once: its grain, key, schema and row rules. Those of what was measured are in
`measurements`."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa

from curation.tables.measurements import (
    CALIBRATION,
    COMPARISONS,
    CONTRASTS,
    GENERATOR_DELTAS,
    IMPORTED_RESULTS,
    PAIR_SCORES,
    PROBABILITIES,
    PROVENANCE,
    RELIABILITY,
    RESULTS,
    RUNS,
)
from curation.tables.table import ID, INT, REAL, SCORED, STATUSES, TEXT, TEXTS, YES, Table, schema, together

if TYPE_CHECKING:
    from curation.core.study import Study

DATA = Path("data")
ARMS = "arms"  # the folder of the subsets of the grid's arms
ROLES = ("system", "user", "assistant", "tool")  # of the messages of a prompt
SPLITS = ("train", "in_domain", "out_of_domain")
PREFERENCE = "preference"  # the dimension of a pairwise judge that names none
VERDICTS = ("chosen", "rejected", "tie")
ORDERS = ("chosen_first", "rejected_first")
LISTED_VERDICTS = ("chosen", "tie", "both_bad")  # of a preference set, whose chosen side is the better one
UNKNOWN = "unknown"  # the order of a verdict that came with none
SIDES = ("chosen", "rejected")  # of a pair
JUDGED = (*SIDES, "delta", "n", "sd", "within_noise")  # what deltas say of a pair, on each dimension
JUDGED_IN_ORDERS = (*JUDGED, "bias")  # the same of a pairwise judge
DECONTAMINATION_REASONS = ("kept", "exact", "ngram", "near_duplicate")  # the reasons of `decontamination`
DECIMALS = 9

MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))

PROMPTS = Table(
    "prompts", "prompt", ("prompt_id",),
    schema(prompt_id=ID, source=TEXT, task=TEXT, split=TEXT, prompt=MESSAGES,
           answer=(TEXT,), answers=(TEXTS,), verifier=(TEXT,), entry=(TEXT,), external_id=(TEXT,),
           messages=(TEXT,), tools=(TEXT,)),
    {"answers are several, the first of them answer, or null":
        (pl.col("answers").list.len().ge(2) & pl.col("answers").list.first().eq(pl.col("answer"))).fill_null(
            pl.col("answers").is_null()),
     f"split is one of {', '.join(SPLITS)}": pl.col("split").is_in(SPLITS),
     "prompt has messages": pl.col("prompt").list.len() > 0,
     f"a role is one of {', '.join(ROLES)}":
        pl.col("prompt").list.eval(pl.element().struct["role"].is_in(ROLES)).list.all(),
     "prompt does not end in a turn of the assistant's": pl.col("prompt").list.last().struct["role"] != "assistant"},
)  # fmt: skip
DECONTAMINATION = Table(
    "decontamination", "train prompt that the sources gave", ("prompt_id",),
    schema(prompt_id=ID, source=TEXT, prompt=MESSAGES, kept=YES, reason=TEXT, against=(ID,), overlap=(REAL,)),
    {"reason is kept exactly when kept": pl.col("kept") == (pl.col("reason") == "kept"),
     f"reason is one of {', '.join(DECONTAMINATION_REASONS)}": pl.col("reason").is_in(DECONTAMINATION_REASONS),
     "against is null exactly when kept": pl.col("against").is_null() == pl.col("kept"),
     "overlap is from 0 to 1, and null only when kept": pl.col("overlap").is_between(0, 1).fill_null(pl.col("kept"))},
)  # fmt: skip
# What the sources of kind `pairs` hold: preference sets that exist already.
RESPONSES = Table(
    "responses", "response of a preference set", ("trace_id",),
    schema(trace_id=ID, source=TEXT, prompt_id=ID, generator=TEXT, sample_index=INT, reasoning=(TEXT,),
           completion=(TEXT,), finish_reason=TEXT, left_out_characters=(INT,), external_id=(TEXT,),
           carried=(TEXT,)),
    {"it has a text": pl.col("reasoning").is_not_null() | pl.col("completion").is_not_null(),
     "left_out_characters is positive or null": (pl.col("left_out_characters") > 0).fill_null(True),
     "sample_index is not negative": pl.col("sample_index") >= 0},
)  # fmt: skip
RATINGS = Table(
    "ratings", "rating of a response of a preference set", ("trace_id", "dimension", "repeat"),
    schema(source=TEXT, trace_id=ID, dimension=TEXT, repeat=INT, score=(REAL,), rationale=(TEXT,)),
    {"score is finite": pl.col("score").is_finite().fill_null(True)},
)  # fmt: skip
LISTED_PAIRS = Table(
    "listed_pairs", "comparison of two responses in a row of a preference set", ("listed_id",),
    schema(listed_id=ID, source=TEXT, prompt_id=ID, chosen_trace_id=ID, rejected_trace_id=ID,
           verdict=(TEXT,), order=TEXT, external_id=(TEXT,), carried=(TEXT,)),
    {"chosen is not rejected": pl.col("chosen_trace_id") != pl.col("rejected_trace_id"),
     f"verdict is one of {', '.join(LISTED_VERDICTS)}, or null":
        pl.col("verdict").is_in(LISTED_VERDICTS).fill_null(True),
     f"order is one of {', '.join(ORDERS)}, {UNKNOWN}": pl.col("order").is_in((*ORDERS, UNKNOWN))},
)  # fmt: skip
FAILED = pl.col("finish_reason") == "error"
TRACE_STATUSES = ("complete", "truncated", "unfinished", "refused", "no_text", "failed")
UNANSWERED = ("truncated", "unfinished")  # of a trace without a completion: it reasoned, and came to no answer
TRACES = Table(
    "traces", "sample of a generator", ("trace_id",),
    schema(trace_id=ID, prompt_id=ID, generator=TEXT, sample_index=INT, family=(TEXT,), scale_b=(REAL,),
           reasoning=(TEXT,), completion=(TEXT,), finish_reason=TEXT, status=TEXT, n_tokens=(INT,), text_id=(ID,),
           characters=(INT,), reasoning_characters=(INT,), completion_characters=(INT,), left_out_characters=(INT,),
           external_id=(TEXT,)),
    {"reasoning and completion are null where finish_reason is error":
        (pl.col("reasoning").is_null() & pl.col("completion").is_null()) | ~FAILED,
     "text_id and the characters of both and of the completion are null exactly when completion is":
        together("completion", "text_id", "characters", "completion_characters"),
     "reasoning_characters is null exactly when reasoning is": together("reasoning", "reasoning_characters"),
     "left_out_characters is positive or null": (pl.col("left_out_characters") > 0).fill_null(True),
     f"status is one of {', '.join(TRACE_STATUSES)}": pl.col("status").is_in(TRACE_STATUSES),
     "an unfinished trace has no completion": pl.col("completion").is_null() | (pl.col("status") != "unfinished"),
     "sample_index is not negative": pl.col("sample_index") >= 0},
)  # fmt: skip
DERIVED = (  # what `generate` adds to what a model's generator gives
    "trace_id", "external_id", "status", "text_id", "characters", "reasoning_characters", "completion_characters",
)  # fmt: skip
JUDGMENTS = Table(
    "judgments", "trace, judge, dimension and repeat", ("trace_id", "judge", "dimension", "repeat"),
    schema(trace_id=ID, judge=TEXT, dimension=TEXT, repeat=INT,
           score=(REAL,), expected_score=(REAL,), status=TEXT, rationale=(TEXT,)),
    {**SCORED, "expected_score is finite": pl.col("expected_score").is_finite().fill_null(True),
     "expected_score only beside a score": pl.col("expected_score").is_null() | pl.col("score").is_not_null()},
)  # fmt: skip
PAIRS = Table(
    "pairs", "ordered pair of traces of one prompt", ("pair_id",),
    schema(pair_id=ID, prompt_id=ID, chosen_trace_id=ID, rejected_trace_id=ID,
           chosen_model=TEXT, rejected_model=TEXT, identical=YES, same_texts_as=(ID,)),
    {"chosen is not rejected": pl.col("chosen_trace_id") != pl.col("rejected_trace_id")},
)  # fmt: skip
RENDERED = ("prompt_tokens", "target_tokens", "empty_block", "ends_in_eos", "prompt_is_prefix", "rendered_id")
COUNTED = ("reasoning_tokens", "completion_tokens")  # of each text alone
RENDERINGS = Table(
    "renderings", "trace", ("trace_id",),
    schema(trace_id=ID, prompt_tokens=(INT,), reasoning_tokens=(INT,), completion_tokens=(INT,), tokens=(INT,),
           target_tokens=(INT,), reasoning_kept=(YES,), completion_kept=(YES,), empty_block=(YES,),
           ends_in_eos=(YES,), prompt_is_prefix=(YES,), rendered_id=(ID,), prompt_left_out=(TEXT,), fault=(TEXT,)),
    {**{f"{name} is not negative": (pl.col(name) >= 0).fill_null(True)
        for name in (*COUNTED, "tokens", "prompt_tokens", "target_tokens")},
     "tokens is null exactly when completion_tokens is, and else both texts'":
        pl.col("tokens").eq_missing(pl.col("completion_tokens") + pl.col("reasoning_tokens").fill_null(0)),
     "what is rendered is there together": together(*RENDERED),
     "a text is kept or not only where it was rendered":
        pl.col("target_tokens").is_not_null()
        | pl.all_horizontal(pl.col(n).is_null() for n in ("reasoning_kept", "completion_kept", "prompt_left_out")),
     "fault only where nothing was rendered": pl.col("fault").is_null() | pl.col("target_tokens").is_null()},
)  # fmt: skip
PREFERENCES = Table(
    "preferences", "pair, pairwise judge, dimension, order and repeat",
    ("pair_id", "judge", "dimension", "order", "repeat"),
    schema(pair_id=ID, judge=TEXT, dimension=TEXT, order=TEXT, repeat=INT,
           verdict=(TEXT,), strength=(REAL,), p_tie=(REAL,), status=TEXT, rationale=(TEXT,)),
    {"verdict is null exactly when status is not scored":
        pl.col("verdict").is_null() == (pl.col("status") != "scored"),
     f"verdict is one of {', '.join(VERDICTS)}": pl.col("verdict").is_in(VERDICTS).fill_null(True),
     f"order is one of {', '.join(ORDERS)}, {UNKNOWN}": pl.col("order").is_in((*ORDERS, UNKNOWN)),
     f"status is one of {', '.join(STATUSES)}": pl.col("status").is_in(STATUSES),
     "strength and p_tie together, and only beside a verdict":
        together("strength", "p_tie") & (pl.col("strength").is_null() | pl.col("verdict").is_not_null()),
     "|strength| + p_tie is at most 1": ((pl.col("strength").abs() + pl.col("p_tie")) <= 1 + 1e-8).fill_null(True)},
)  # fmt: skip
SELECTIONS = Table(
    "selections", "candidate pair and selection", ("selection", "pair_id"),
    schema(selection=TEXT, pair_id=ID, kept=YES, reason=TEXT, margin=(REAL,)),
    {"reason is kept exactly when kept": pl.col("kept") == (pl.col("reason") == "kept")},
)  # fmt: skip
# Of the whole messages the column is not called `messages`: TRL would take a row that has one for a text of its own.
SUBSETS = Table(
    "subsets", "kept pair", ("pair_id",),
    schema(pair_id=ID, prompt_id=ID, chosen_trace_id=ID, rejected_trace_id=ID,
           prompt=MESSAGES, chosen=MESSAGES, rejected=MESSAGES,
           chosen_reasoning=(TEXT,), rejected_reasoning=(TEXT,), chosen_truncated=YES, rejected_truncated=YES,
           prompt_messages=(TEXT,), tools=(TEXT,),
           margin=(REAL,), chosen_rating=(REAL,), rejected_rating=(REAL,), p_chosen=(REAL,), curriculum_position=(INT,),
           external_id=(TEXT,), carried=(TEXT,), chosen_external_id=(TEXT,), rejected_external_id=(TEXT,),
           prompt_external_id=(TEXT,)),
    {"p_chosen is from 0 to 1": pl.col("p_chosen").is_between(0, 1).fill_null(True),
     "chosen is not rejected":
        (pl.col("chosen") != pl.col("rejected"))
        | (pl.col("chosen_reasoning").fill_null("") != pl.col("rejected_reasoning").fill_null(""))},
)  # fmt: skip
UNPAIRED = Table(
    "unpaired", "trace of a subset", ("trace_id",),
    schema(trace_id=ID, prompt_id=ID, prompt=MESSAGES, completion=MESSAGES,
           reasoning=(TEXT,), truncated=YES, prompt_messages=(TEXT,), tools=(TEXT,),
           label=YES, curriculum_position=(INT,), external_id=(TEXT,), carried=(TEXT,), prompt_external_id=(TEXT,)),
)  # fmt: skip
# Why a method learns nothing from a row.
DROPPED = ("fault", "uncalibrated", "undecided", "no_room", "identical", "identical_once_cut")
LEFT = ("kept", "cut", "lost", "dropped")  # a text: there, cut by max_length, lost to the template, left out on purpose
EXAMPLES = Table(
    "examples", "side of an arm's row as a method reads it", ("arm", "method", "row_id", "side"),
    schema(arm=TEXT, method=TEXT, row_id=ID, side=TEXT, trace_id=ID, max_length=INT, context=(INT,),
           prompt_tokens=(INT,), target_tokens=(INT,), cut=(YES,), reasoning=(TEXT,), completion=(TEXT,),
           ends_in_eos=(YES,), prompt_is_prefix=(YES,), truncated=YES, dropped=(TEXT,), fault=(TEXT,)),
    {f"side is one of {', '.join(SIDES)}": pl.col("side").is_in(SIDES),
     "it is rendered, or there is a fault": pl.col("target_tokens").is_null() == pl.col("fault").is_not_null(),
     f"a text is one of {', '.join(LEFT)}":
        pl.all_horizontal(pl.col(name).is_in(LEFT).fill_null(True) for name in ("reasoning", "completion")),
     f"dropped is one of {', '.join(DROPPED)}": pl.col("dropped").is_in(DROPPED).fill_null(True)},
)  # fmt: skip
UPDATES = Table(
    "updates", "arm and method", ("arm", "method"),
    schema(arm=TEXT, method=TEXT, examples=INT, counted=INT, updates=INT),
    {"examples are not negative": pl.min_horizontal("examples", "counted") >= 0,
     "there is an update": pl.col("updates") >= 1},
)  # fmt: skip
_ALL = (
    PROMPTS, DECONTAMINATION, RESPONSES, RATINGS, LISTED_PAIRS, TRACES, RENDERINGS, JUDGMENTS, PAIRS, PREFERENCES,
    PAIR_SCORES, GENERATOR_DELTAS, PROBABILITIES, CALIBRATION, RELIABILITY, SELECTIONS, SUBSETS, UNPAIRED, EXAMPLES,
    UPDATES, RUNS, RESULTS, IMPORTED_RESULTS, PROVENANCE, COMPARISONS, CONTRASTS,
)  # fmt: skip
TABLES = {table.name: table for table in _ALL}


def judge_deltas(study: "Study", judge: str) -> Table:
    """The table of the deltas of one judge, pairwise judge or panel of a study."""
    return deltas(study.dimensions[judge], pairwise=judge in study.pairwise_judges)


def deltas(dimensions: Iterable[str], pairwise: bool = False) -> Table:
    """The table of one judge's deltas: a row per pair, six columns per dimension, of a pairwise judge seven."""
    columns: dict[str, pa.DataType | tuple[pa.DataType]] = {"pair_id": ID}
    rules = {}
    for name in dimensions:
        columns |= {f"{side}_{name}": (REAL,) for side in (*SIDES, "delta")}
        columns |= {f"n_{name}": INT, f"sd_{name}": (REAL,), f"within_noise_{name}": (YES,)}
        if pairwise:
            columns |= {f"bias_{name}": (REAL,)}
            bias = pl.col(f"bias_{name}")
            rules[f"bias_{name} is from -1 to 1"] = bias.is_between(-1, 1).fill_null(True)
        delta, noise = pl.col(f"delta_{name}"), pl.col(f"within_noise_{name}")
        rules[f"within_noise_{name} is null where delta_{name} is"] = delta.is_not_null() | noise.is_null()
        rules[f"delta_{name} is null exactly when n_{name} is 0"] = delta.is_null() == (pl.col(f"n_{name}") == 0)
    return Table("deltas", "pair", ("pair_id",), schema(**columns), rules)


def path(table: str, name: str | None = None, data: Path = DATA) -> Path:
    """Where a table lies: `data/<table>.parquet`, or `data/<table>/<name>.parquet` for a table kept in parts."""
    return data / f"{table}.parquet" if name is None else data / table / f"{name}.parquet"


def arm_path(table: str, arm: str, data: Path = DATA) -> Path:
    """Where `subsets` or `unpaired` of an arm of the grid lies: `data/arms/<table>/<arm>.parquet`."""
    return data / ARMS / table / f"{arm}.parquet"


def empty(table: Table) -> pl.DataFrame:
    """No rows of `table`, with its columns."""
    return pl.DataFrame(pl.from_arrow(pa.Table.from_batches([], table.schema)))  # `empty_table()` would import pandas
