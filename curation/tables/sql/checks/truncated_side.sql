-- tables: findings
-- warning
-- No trace was cut off at the limit of tokens: it is learnt from as if it ended there. A selection leaves it out by
-- `require: {finished: chosen.status <> 'truncated'}`.
select
    selection,
    format(
        '{} of {} chosen and {} rejected traces were cut off at the limit of tokens, {}',
        truncated_chosen, pairs, truncated_rejected, 'and are learnt from as if they ended'
    ) as finding
from findings
where truncated_chosen + truncated_rejected > 0
order by all
