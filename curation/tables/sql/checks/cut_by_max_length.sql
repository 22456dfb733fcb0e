-- tables: fits
-- warning
-- Every side is within max_length. Where one side is cut more often than the other, that is learnt too.
select
    arm as selection,
    format(
        '{} cuts {} of {} chosen and {} of {} rejected sides at max_length {}, such as of row {}: {} lose reasoning, '
        || '{} the end of their answer; {}',
        method, cut_chosen, chosen, cut_rejected, rejected, max_length, a_cut, reasoning_cut, answers_cut, way_out
    ) as finding
from fits
where cut_chosen + cut_rejected > 0
order by all
