-- tables: pair_scores, pairs
-- Every pair that has a score is a candidate pair whose texts are not identical. A scorer has a row for every pair or
-- none.
with
named as (select distinct scorer from pair_scores),
due as (select scorer, pair_id from named cross join pairs)
select s.scorer, s.pair_id, 'no such pair, or an identical one' as fault
from pair_scores as s
left join pairs as p on p.pair_id = s.pair_id
where p.pair_id is null or (p.identical and s.chosen_logp is not null)
union all
select scorer, pair_id, 'no row' as fault
from due anti join pair_scores using (scorer, pair_id)
order by all
