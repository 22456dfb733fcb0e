-- What do the contrasts say that params.yaml declares?
-- The primary one comes first and is not corrected; p_holm corrects each other one for all of its family. scope says
-- what the interval is for: seeds (other seeds and prompts), this run (other prompts alone, no p), or prompts (of a
-- trend of deltas). A verdict is of a margin, or of all members of a family; refused says why there is no result.
select
    c.primary, contrast, family, benchmark, measure, round(estimate, 3) as estimate, round(ci_low, 3) as ci_low,
    round(ci_high, 3) as ci_high, n, runs, seeds, scope, p, p_holm, margin, verdict, voided, registered, refused
from contrasts as c
order by not c.primary, family, contrast
