-- tables: findings, subset_rules
-- warning
-- The chosen trace of a pair is right, by the judge that is taken for the truth, and the rejected one no better.
select
    f.selection,
    format(
        '{} of {} chosen traces are wrong, and {} rejected ones are better, by the judge taken for the truth',
        f.wrong_chosen, f.truths, f.rejected_better
    ) as finding
from findings as f
join subset_rules as r using (selection)
where r.labels = 'as_is' and (f.wrong_chosen > 0 or f.rejected_better > 0)
order by all
