-- tables: pairs, selections
-- No selection keeps a pair of identical texts.
select s.selection, s.pair_id
from selections as s
join pairs as p using (pair_id)
where s.kept and p.identical
order by all
