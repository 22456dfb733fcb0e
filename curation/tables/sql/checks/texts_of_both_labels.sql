-- tables: findings
-- warning
-- No text of a prompt is a desirable and an undesirable example, which KTO would learn and unlearn.
select
    selection,
    format(
        '{} both desirable and undesirable, carried by different traces',
        if(both_labels = 1, '1 text is', both_labels || ' texts are')
    ) as finding
from findings
where both_labels > 0
order by all
