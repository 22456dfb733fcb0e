"""The functions that an expression of params.yaml may call: each gives one value for a row, the same one every time,
and no text longer than those it was given.

All else that DuckDB knows is refused: what gives several rows (`unnest`), grows without bound (`repeat`), reads a
clock, a file or the settings, or gives what no table of ours can hold.
"""

OPERATORS = {  # `like` is ~~, `glob` is ~~~
    "+", "-", "*", "/", "//", "%", "**", "^", "||", "~~", "!~~", "~~*", "!~~*", "~~~",
}  # fmt: skip
SCALARS = {
    "abs", "cbrt", "ceil", "ceiling", "exp", "fdiv", "floor", "fmod", "isfinite", "isinf", "isnan", "ln", "log",
    "log10", "log2", "mod", "pi", "pow", "power", "round", "round_even", "sign", "sqrt", "trunc", "acos", "asin",
    "atan", "atan2", "cos", "degrees", "radians", "sin", "tan", "tanh", "greatest", "hash", "if", "least", "nullif",
    "concat", "concat_ws", "contains", "ends_with", "ilike_escape", "instr", "lcase", "left", "length", "levenshtein",
    "like_escape", "lower", "ltrim", "md5", "not_ilike_escape", "not_like_escape", "position", "prefix",
    "regexp_extract", "regexp_full_match", "regexp_matches", "right", "rtrim", "split_part", "starts_with", "strlen",
    "strpos", "substr", "substring", "suffix", "trim", "ucase", "upper",
}  # fmt: skip
AGGREGATES = {  # which stand before `over (…)`
    "any_value", "arg_max", "arg_min", "avg", "bool_and", "bool_or", "corr", "count", "count_if", "count_star",
    "countif", "covar_pop", "covar_samp", "entropy", "favg", "first", "fsum", "geomean", "kahan_sum", "kurtosis",
    "last", "mad", "max", "max_by", "mean", "median", "min", "min_by", "mode", "product", "quantile", "quantile_cont",
    "quantile_disc", "regr_intercept", "regr_r2", "regr_slope", "skewness", "stddev", "stddev_pop", "stddev_samp",
    "sum", "sumkahan", "var_pop", "var_samp", "variance",
}  # fmt: skip
WINDOWS = {  # which stand there too, and nowhere else
    "cume_dist", "dense_rank", "fill", "first_value", "lag", "last_value", "lead", "nth_value", "ntile", "percent_rank",
    "rank", "rank_dense", "row_number",
}  # fmt: skip
