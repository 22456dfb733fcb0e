-- tables: findings
-- warning
-- No two pairs of a subset have the same two texts the same way round.
select selection, format('{} of {} pairs repeat the two texts of another', repeated, pairs) as finding
from findings
where repeated > 0
order by all
