-- tables: fits
-- The student's chat template keeps reasoning of either side that has some: a side that never reasons would be
-- preferred, or not, for that. `student.reasoning: drop` leaves it out of both.
select
    arm as selection,
    format(
        'the template deletes all reasoning of {} of {} chosen and {} of {} rejected sides that {} reads, as of row '
        || '{}; set another student.reasoning (`curation preflight` names those that keep it), or drop',
        reasoning_lost_chosen, reasoning_chosen, reasoning_lost_rejected, reasoning_rejected, method, a_reasoning_lost
    ) as finding
from fits
where (reasoning_chosen > 0 and reasoning_lost_chosen = reasoning_chosen)
    or (reasoning_rejected > 0 and reasoning_lost_rejected = reasoning_rejected)
order by all
