-- By how much does each selection beat each of its controls?
-- gain is the selection's value less its control's, on the same seeds and prompts. The primary contrast was declared
-- before and is not corrected; p_holm corrects every other one for all contrasts of its measure.
select
    c.primary, measure, benchmark, method, selection, generator_pairs as "generators", budget, against as control,
    round(gain, 3) as gain, round(ci_low, 3) as ci_low, round(ci_high, 3) as ci_high, n, seeds,
    p, p_holm
from comparisons as c
where against not in ('', 'baseline')
order by
    not c.primary, measure not like 'avg@%', measure, benchmark, c.gain desc,
    method, selection, generator_pairs, budget, against
