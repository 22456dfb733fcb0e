-- tables: fits
-- A method learns something from an arm that has rows.
select
    arm as selection,
    format(
        '{} learns from none of {} rows: of {} the prompt fills max_length {}, '
        || '{} are the same tokens on both sides; {}',
        method, rows, no_room, max_length, identical,
        if(
            no_room + identical_once_cut > 0, way_out,
            'set student.reasoning or student.chat_template so that the sides differ (`curation preflight`)'
        )
    ) as finding
from fits
where rows > 0 and learnt = 0 and faults = 0
order by all
