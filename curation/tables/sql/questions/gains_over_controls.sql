-- By how much does each selection beat each of its controls?
-- gain is the selection's value less its control's, on the same prompts. p_holm corrects each for all gains over
-- controls of its measure. scope is what the interval is for: "this run" has no p. cut is the share of answers that the
-- limit of tokens cut, missing that of answers without a score of their own: where these differ, part of the gain may
-- be brevity or form.
select
    measure, benchmark, method, selection, generator_pairs as "generators", budget, against as control,
    round(gain, 3) as gain, round(ci_low, 3) as ci_low, round(ci_high, 3) as ci_high, n, seeds, scope,
    p, p_holm, round(truncated, 3) as cut, round(truncated_against, 3) as control_cut,
    round(missing, 3) as missing, round(missing_against, 3) as control_missing
from comparisons as c
where against not in ('', 'baseline')
order by
    measure not like 'avg@%', benchmark, measure, c.gain desc,
    method, selection, generator_pairs, budget, against
