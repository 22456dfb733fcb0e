-- tables: findings
-- warning
-- No trace was cut off at the limit of tokens. A selection leaves it out by
-- `require: {finished: chosen.status <> 'truncated'}`.
select
    selection,
    format(
        '{} of {} chosen and {} rejected traces were cut off at the limit of tokens',
        truncated_chosen, pairs, truncated_rejected
    ) as finding
from findings
where truncated_chosen + truncated_rejected > 0
order by all
