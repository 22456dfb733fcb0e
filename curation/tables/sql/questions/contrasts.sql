-- What do the contrasts say that params.yaml declares?
-- The primary one comes first and is not corrected; p_holm corrects each other one for all of its family. `says` is the
-- verdict of a margin, or of all members at once, else what the interval is for: seeds (other seeds and prompts), this
-- run (other prompts alone, no p), or prompts (of a trend of deltas). Of the other columns benchmark, measure, terms,
-- margin and refused (why there is no result) say what was asked: select * from contrasts.
select
    contrast, round(estimate, 3) as estimate, round(ci_low, 3) as low, round(ci_high, 3) as high, n, p_holm,
    coalesce(verdict, scope, 'no result') as says
from contrasts as c
order by not c.primary, regexp_extract(contrast, '^[^.]*'), contrast
