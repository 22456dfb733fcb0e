-- tables: fits
-- warning
-- No reasoning is lost to the student's chat template.
select
    arm as selection,
    format(
        'the template deletes the reasoning of {} of {} chosen and {} of {} rejected sides that {} reads, as of row '
        || '{}; set another student.reasoning (`curation preflight` names those that keep it)',
        reasoning_lost_chosen, reasoning_chosen, reasoning_lost_rejected, reasoning_rejected, method, a_reasoning_lost
    ) as finding
from fits
where reasoning_lost_chosen + reasoning_lost_rejected > 0
    and (reasoning_chosen = 0 or reasoning_lost_chosen < reasoning_chosen)
    and (reasoning_rejected = 0 or reasoning_lost_rejected < reasoning_rejected)
order by all
