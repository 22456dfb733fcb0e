-- tables: findings
-- warning
-- No two texts of a prompt stand as chosen and rejected in one pair, and the other way round in another.
select
    selection,
    format('{} of {} pairs are of two texts that stand the other way round in another pair', opposed, pairs) as finding
from findings
where opposed > 0
order by all
