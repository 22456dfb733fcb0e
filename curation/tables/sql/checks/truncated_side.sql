-- tables: findings, unpaired, subset_rules
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
union all
select
    selection,
    format(
        '{} of {} labelled traces were cut off at the limit of tokens, {} of them desirable',
        count(*) filter (truncated), count(*), count(*) filter (truncated and label)
    ) as finding
from unpaired
join subset_rules as r using (selection)
where r.examples = 'labelled'
group by selection
having count(*) filter (truncated) > 0
order by all
