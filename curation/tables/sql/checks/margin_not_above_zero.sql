-- tables: findings, subset_rules
-- warning
-- A selection of the highest values keeps pairs of a margin above 0: below it chosen is worse by its own measure, at 0
-- neither is better.
select
    f.selection,
    format('{} of {} pairs have a margin of 0 or below, in a selection of the highest', f.not_above_zero, f.margins)
        as finding
from findings as f
join subset_rules as r using (selection)
where r.keep = 'top' and r.labels = 'as_is' and r.pairs = 'own' and f.not_above_zero > 0
order by all
