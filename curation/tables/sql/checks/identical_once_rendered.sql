-- tables: fits
-- warning
-- The two sides of a pair differ as the method reads them.
select
    arm as selection,
    format(
        '{} of {} pairs are the same tokens on both sides as {} reads them, such as {}, and are left out; {}',
        identical, rows, method, an_identical,
        if(
            identical_once_cut > 0, format('{} of them once cut: {}', identical_once_cut, way_out),
            'what they differ in is lost to the chat template: set another student.reasoning'
        )
    ) as finding
from fits
where identical > 0 and learnt > 0
order by all
