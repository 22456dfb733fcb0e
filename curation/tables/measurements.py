"""The contracts of what was measured: of pairs under the student, of generators, of judges, and of arms."""

import polars as pl

from curation.tables.table import ID, INT, REAL, TEXT, YES, Table, interval, schema, scored, together

LOGPS = ("chosen_logp", "rejected_logp", "policy_chosen_logp", "policy_rejected_logp")
PAIR_SCORES = Table(
    "pair_scores", "pair", ("pair_id",),
    schema(pair_id=ID, chosen_logp=(REAL,), rejected_logp=(REAL,), chosen_tokens=(INT,), rejected_tokens=(INT,),
           truncated=(YES,), policy_chosen_logp=(REAL,), policy_rejected_logp=(REAL,),
           implicit_margin=(REAL,), held_out_loss=(REAL,), n_rounds=INT),
    {"both sides are scored or neither":
        together("chosen_logp", "rejected_logp", "chosen_tokens", "rejected_tokens", "truncated"),
     "a log-probability is finite and at most 0":
        pl.all_horizontal((pl.col(name).is_finite() & (pl.col(name) <= 0)).fill_null(True) for name in LOGPS),
     "tokens are not negative": pl.min_horizontal("chosen_tokens", "rejected_tokens").fill_null(0) >= 0,
     "a policy's values together":
        together("policy_chosen_logp", "policy_rejected_logp", "implicit_margin", "held_out_loss"),
     "a policy's values only beside the reference's":
        pl.col("policy_chosen_logp").is_null() | pl.col("chosen_logp").is_not_null(),
     "implicit_margin is null exactly when n_rounds is 0":
        pl.col("implicit_margin").is_null() == (pl.col("n_rounds") == 0),
     "held_out_loss is finite and not negative":
        (pl.col("held_out_loss").is_finite() & (pl.col("held_out_loss") >= 0)).fill_null(True)},
)  # fmt: skip
GENERATOR_DELTAS = Table(
    "generator_deltas", "ordered generator pair, judge and dimension",
    ("chosen_model", "rejected_model", "judge", "dimension"),
    schema(chosen_model=TEXT, rejected_model=TEXT, judge=TEXT, dimension=TEXT,
           mean=(REAL,), ci_low=(REAL,), ci_high=(REAL,), n=ID, prompts=ID),
    {"mean is null exactly when n is 0": pl.col("mean").is_null() == (pl.col("n") == 0), **interval("mean")},
)  # fmt: skip
NEAR_HALF = 0.05  # a probability within that of 0.5 hardly says which side is better
PROBABILITIES = Table(
    "probabilities", "pair, judge and dimension", ("judge", "dimension", "pair_id"),
    schema(pair_id=ID, judge=TEXT, dimension=TEXT, fold=INT, probability=(REAL,)),
    {"fold is not negative": pl.col("fold") >= 0,
     "probability is from 0 to 1": pl.col("probability").is_between(0, 1).fill_null(True)},
)  # fmt: skip
CALIBRATION = Table(
    "calibration", "judge, dimension, whose probability it is, and bin of confidence",
    ("judge", "dimension", "estimator", "bin"),
    schema(judge=TEXT, dimension=TEXT, estimator=TEXT, bin=REAL,
           confidence=REAL, accuracy=REAL, ci_low=REAL, ci_high=REAL, n=ID, prompts=ID),
    {"estimator is one of judge, calibration": pl.col("estimator").is_in(("judge", "calibration"))},
)  # fmt: skip
RELIABILITY = Table(
    "reliability", "judge, dimension, measure and what it is measured against",
    ("judge", "dimension", "measure", "against"),
    schema(judge=TEXT, dimension=TEXT, measure=TEXT, against=TEXT,
           value=(REAL,), ci_low=(REAL,), ci_high=(REAL,), n=ID, clusters=ID, suspect=YES,
           chosen_right=(ID,), rejected_right=(ID,), base_rate=(REAL,)),
    {"value is null exactly when clusters is 0": pl.col("value").is_null() == (pl.col("clusters") == 0),
     **interval("value"),
     "chosen_right and rejected_right together": together("chosen_right", "rejected_right"),
     "base_rate is from 0 to 1": pl.col("base_rate").is_between(0, 1).fill_null(True)},
)  # fmt: skip
RUN_STATUSES = ("trained", "failed", "given")
RUNS = Table(
    "runs", "run of the grid", ("run",),
    schema(run=TEXT, key=(TEXT,), status=TEXT, weights=(TEXT,), micro_batch=(INT,), figures=(TEXT,), error=(TEXT,)),
    {f"status is one of {', '.join(RUN_STATUSES)}": pl.col("status").is_in(RUN_STATUSES),
     "error exactly where it failed": pl.col("error").is_not_null() == (pl.col("status") == "failed"),
     "weights exactly where it did not": pl.col("weights").is_null() == (pl.col("status") == "failed")},
)  # fmt: skip
COUNTED_AS_WRONG = ("no_answer", "unparsable", "refused", "truncated")  # in an evaluation
RESULTS = Table(
    "results", "prompt, sample, run and benchmark", ("run", "benchmark", "prompt_id", "sample_index"),
    schema(run=TEXT, benchmark=TEXT, split=TEXT, prompt_id=ID, sample_index=INT,
           reasoning=(TEXT,), completion=(TEXT,), finish_reason=TEXT, score=(REAL,), status=TEXT,
           left_out_characters=(INT,), n_tokens=(INT,)),
    {**scored(*COUNTED_AS_WRONG),
     "left_out_characters is positive or null": (pl.col("left_out_characters") > 0).fill_null(True),
     "n_tokens is not negative": (pl.col("n_tokens") >= 0).fill_null(True)},
)  # fmt: skip
IMPORTED_RESULTS = Table(
    "imported_results", "prompt, sample, run and benchmark of another harness", RESULTS.key, RESULTS.schema,
    RESULTS.rules,
)  # fmt: skip
PROVENANCE = Table(
    "provenance", "setting that another harness logged of a run on a benchmark", ("benchmark", "run", "field"),
    schema(benchmark=TEXT, run=TEXT, field=TEXT, value=TEXT, alike=YES),
)  # fmt: skip
SHARES = ("truncated", "missing")  # of the answers of an arm, and of what it is against
SHARES_AGAINST = ("truncated_against", "missing_against")
CORRECTED = {"p <= p_holm": (pl.col("p") <= pl.col("p_holm") + 1e-8).fill_null(True)}
COMPARISONS = Table(
    "comparisons", "arm, what it is against, benchmark and measure",
    ("method", "selection", "generator_pairs", "budget", "control", "against", "benchmark", "measure"),
    schema(method=TEXT, selection=TEXT, generator_pairs=TEXT, budget=TEXT, control=TEXT,
           against=TEXT, benchmark=TEXT, measure=TEXT, pairs=(ID,),
           value=(REAL,), value_low=(REAL,), value_high=(REAL,),
           truncated=REAL, truncated_against=(REAL,), missing=REAL, missing_against=(REAL,),
           gain=(REAL,), ci_low=(REAL,), ci_high=(REAL,), n=(ID,), seeds=(ID,), scope=(TEXT,), voided=ID,
           p=(REAL,), refused=(TEXT,), p_holm=(REAL,)),
    {**interval("gain"),
     "gain is null exactly when it is against nothing, or refused":
        pl.col("gain").is_null() == ((pl.col("against") == "") | pl.col("refused").is_not_null()),
     "shares of what it is against are null exactly when it is against nothing":
        pl.all_horizontal((pl.col(name).is_null() == (pl.col("against") == "")) for name in SHARES_AGAINST),
     "shares are from 0 to 1":
        pl.all_horizontal(pl.col(name).is_between(0, 1).fill_null(True) for name in (*SHARES, *SHARES_AGAINST)),
     **CORRECTED},
)  # fmt: skip
CONTRASTS = Table(
    "contrasts", "contrast that params.yaml declares", ("contrast",),
    schema(contrast=TEXT, family=TEXT, terms=TEXT, benchmark=TEXT, measure=TEXT,
           estimate=(REAL,), ci_low=(REAL,), ci_high=(REAL,), n=ID, runs=ID, seeds=ID, scope=(TEXT,),
           p=(REAL,), p_holm=(REAL,), margin=(TEXT,), verdict=(TEXT,), voided=ID,
           primary=YES, registered=(TEXT,), refused=(TEXT,)),
    {**interval("estimate"), **CORRECTED,
     "estimate is null exactly when it is refused": pl.col("estimate").is_null() == pl.col("refused").is_not_null(),
     "a verdict is of a p": pl.col("verdict").is_null() | pl.col("p").is_not_null(),
     "registered is of the primary one": pl.col("registered").is_null() | pl.col("primary")},
)  # fmt: skip
