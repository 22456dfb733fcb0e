-- How much does each selection gain from how many pairs?
-- The data-efficiency curve: the rows of one selection differ in budget. Without several budgets in the grid it is a
-- point.
select
    measure, benchmark, method, selection, generator_pairs as "generators", control, pairs,
    round(gain, 3) as gain, round(ci_low, 3) as ci_low, round(ci_high, 3) as ci_high, seeds
from comparisons
where against = 'baseline' and comparisons.pairs is not null
order by measure not like 'avg@%', benchmark, measure, method, selection, generator_pairs, control, pairs
