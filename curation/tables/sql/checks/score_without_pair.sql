-- tables: pair_scores, pairs
-- Every pair that has a score is a candidate pair of unequal texts, and a scorer that knows any pair has a row for each.
with
named as (select distinct scorer from pair_scores),
wanted as (select scorer, pair_id from named cross join pairs)
select s.scorer, s.pair_id, 'no such pair, or an identical one' as fault
from pair_scores as s
left join pairs as p on p.pair_id = s.pair_id
where p.pair_id is null or (p.identical and s.chosen_logp is not null)
union all
select scorer, pair_id, 'no row' as fault
from wanted anti join pair_scores using (scorer, pair_id)
order by all
