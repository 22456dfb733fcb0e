-- tables: findings
-- warning
-- No side of a pair is what another begins with, cut off: the two say the same as far as they go. Both have the same
-- reasoning, if any, and one's answer is the beginning of the other's.
select
    selection,
    format('{} of {} pairs have a side that is the beginning of the other, cut off', truncated_beginnings, pairs)
        as finding
from findings
where truncated_beginnings > 0
order by all
