-- By how much does each arm beat the baseline on each benchmark?
-- A gain whose interval, ci_low to ci_high, includes 0 is not distinguishable from none. avg@k is accuracy, pass@k the
-- chance that one of k samples is right; n counts prompts, seeds trainings; p_holm corrects p for all of these rows.
-- scope is what the interval is for: "this run" has no p. cut is the share of answers that the limit of tokens cut,
-- missing that of answers without a score of their own: where these differ, part of a gain may be brevity or form.
select
    measure, benchmark, method, selection, generator_pairs as "generators", budget, control, pairs,
    round(value, 3) as value, round(gain, 3) as gain, round(ci_low, 3) as ci_low, round(ci_high, 3) as ci_high,
    n, seeds, scope, p, p_holm, round(truncated, 3) as cut, round(truncated_against, 3) as baseline_cut,
    round(missing, 3) as missing, round(missing_against, 3) as baseline_missing
from comparisons
where against in ('', 'baseline')
order by
    measure not like 'avg@%', benchmark, measure, coalesce(comparisons.gain, 0) desc,
    method, selection, generator_pairs, budget, control
