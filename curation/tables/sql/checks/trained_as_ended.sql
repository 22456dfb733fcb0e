-- tables: fits
-- warning
-- No trace that was cut off in generation is learnt from as if it had ended, as it is unless `student.reasoning` is
-- text.
select
    arm as selection,
    format(
        '{} of {} sides that {} reads were cut off in generation and end as if they had ended, such as of row {}; '
        || 'leave them out, as by `require: {{finished: chosen.status <> ''truncated''}}`',
        trained_as_ended, chosen + rejected, method, a_trained_as_ended
    ) as finding
from fits
where trained_as_ended > 0
order by all
