-- By how much does each run beat the baseline on each benchmark?
-- A gain whose interval ci_low to ci_high holds 0 is not told from none. avg@k is accuracy, pass@k the chance that one of k samples is right, n prompts; p is not corrected for many runs.
select
    measure, benchmark, run,
    round(value, 4) as value, round(gain, 4) as gain, round(ci_low, 4) as ci_low, round(ci_high, 4) as ci_high, n, round(p, 4) as p
from comparisons
order by measure not like 'avg@%', measure, benchmark, comparisons.gain desc, run
