-- tables: fits
-- warning
-- Every prompt leaves room for an answer within max_length.
select
    arm as selection,
    format(
        'the prompts of {} of {} rows fill max_length {} of {}, such as of {}, and are left out; {}',
        no_room, rows, max_length, method, a_no_room, way_out
    ) as finding
from fits
where no_room > 0 and learnt > 0
order by all
