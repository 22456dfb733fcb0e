-- By how much does each selection beat each of its controls?
-- gain is the selection's value less its control's, of the same seeds and prompts; the primary contrast was declared and is not corrected, p_holm of all others is for all contrasts of a measure.
select
    c.primary, measure, benchmark, method, selection, generator_pairs as "generators", budget, against as control,
    round(gain, 4) as gain, round(ci_low, 4) as ci_low, round(ci_high, 4) as ci_high, n, seeds, round(p, 4) as p, round(p_holm, 4) as p_holm
from comparisons as c
where against not in ('', 'baseline')
order by not c.primary, measure not like 'avg@%', measure, benchmark, c.gain desc, method, selection, generator_pairs, budget, against
