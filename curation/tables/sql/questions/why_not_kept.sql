-- Why does each selection keep or not keep its candidates?
-- One row per reason, kept first, shares of a selection sum to 1; min_margin and max_margin are the margins that got this reason. Much unscored points at the judge, much tie at alike generators.
with
reasons as (
    select selection, reason, count(*) as pairs, min(margin) as min_margin, max(margin) as max_margin
    from selections
    group by selection, reason
)
select
    selection, reason, pairs, round(pairs / sum(pairs) over (partition by selection), 4) as share,
    round(min_margin, 4) as min_margin, round(max_margin, 4) as max_margin
from reasons
order by selection, reason <> 'kept', pairs desc, reason
