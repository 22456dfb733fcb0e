-- tables: fits
-- The student's chat template renders every row that a method learns from.
select
    arm as selection,
    format(
        '{} of {} sides that {} reads cannot be rendered, as of row {}: {}', faults, chosen + rejected, method,
        a_fault_row, fault
    ) as finding
from fits
where faults > 0
order by all
