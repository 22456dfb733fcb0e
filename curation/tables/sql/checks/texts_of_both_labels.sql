-- tables: findings
-- warning
-- No text of a prompt is a desirable and an undesirable example, which KTO would learn and unlearn.
select
    selection,
    format('{} text(s) are both desirable and undesirable, carried by different traces', both_labels) as finding
from findings
where both_labels > 0
order by all
