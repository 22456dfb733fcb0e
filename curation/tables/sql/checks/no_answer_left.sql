-- tables: fits
-- Some answer of either side is within max_length whole: the student would never see one end.
select
    arm as selection,
    format(
        '{} reads no answer of the {} sides to its end within max_length {}: {} of {} chosen and {} of {} rejected '
        || 'answers are left whole; {}',
        method, if(answers_cut_chosen > 0 and answers_kept_chosen = 0, 'chosen', 'rejected'), max_length,
        answers_kept_chosen, answers_chosen, answers_kept_rejected, answers_rejected, way_out
    ) as finding
from fits
where learnt > 0 and (
    (answers_cut_chosen > 0 and answers_kept_chosen = 0)
    or (answers_cut > answers_cut_chosen and answers_kept_rejected = 0)
)
order by all
