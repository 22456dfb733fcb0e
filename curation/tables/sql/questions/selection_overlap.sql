-- How many pairs do each two selections share?
-- jaccard is shared over the pairs that either keeps: 1 for the same subset, 0 for nothing in common, null where
-- neither keeps any. Runs on selections that overlap much cannot differ much.
with
sizes as (
    select selection, count(*) filter (where kept) as pairs
    from selections
    group by selection
),
shared as (
    select a.selection, b.selection as other, count(*) as shared
    from selections as a
    join selections as b on a.pair_id = b.pair_id and a.selection < b.selection
    where a.kept and b.kept
    group by all
)
select
    a.selection, b.selection as other, a.pairs, b.pairs as other_pairs, coalesce(s.shared, 0) as shared,
    round(coalesce(s.shared, 0) / nullif(a.pairs + b.pairs - coalesce(s.shared, 0), 0), 3) as jaccard
from sizes as a
join sizes as b on a.selection < b.selection
left join shared as s on s.selection = a.selection and s.other = b.selection
order by a.selection, other
