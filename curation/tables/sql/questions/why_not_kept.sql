-- Why does each selection keep or drop its candidates?
-- One row per reason, kept first; the shares of a selection sum to 1, and min_margin and max_margin are those of the
-- pairs with that reason. Many unscored pairs point at the judge, many identical ones at generators that are much
-- alike.
with
reasons as (
    select selection, reason, count(*) as pairs, min(margin) as min_margin, max(margin) as max_margin
    from selections
    group by selection, reason
)
select
    selection, reason, pairs, round(pairs / sum(pairs) over (partition by selection), 3) as share,
    round(min_margin, 3) as min_margin, round(max_margin, 3) as max_margin
from reasons
order by selection, reason <> 'kept', pairs desc, reason
