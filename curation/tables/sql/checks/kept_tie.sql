-- tables: pairs, selections
-- No selection keeps a tie.
select s.selection, s.pair_id
from selections as s
join pairs as p using (pair_id)
where s.kept and p.tie
order by all
