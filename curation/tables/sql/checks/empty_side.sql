-- tables: findings
-- warning
-- No text of a pair is empty, which `pair.empty: drop` leaves out.
select
    selection,
    format('{} chosen and {} rejected texts of {} pairs are empty', empty_chosen, empty_rejected, pairs) as finding
from findings
where empty_chosen + empty_rejected > 0
order by all
