-- tables: preferences, pairs
-- Every verdict is about a candidate pair whose texts are not identical.
select v.judge, v.pair_id, v.dimension, v."order", v.repeat
from preferences as v
left join pairs as p on p.pair_id = v.pair_id
where p.pair_id is null or p.identical
