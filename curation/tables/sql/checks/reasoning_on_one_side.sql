-- tables: fits
-- warning
-- The sides of a pair both reason or neither does: else the pair teaches whether to reason. Where the template opens
-- reasoning in the prompt, TRL then also takes the opening from both.
select
    arm as selection,
    format(
        '{} of {} pairs have reasoning on one side only as {} reads them, such as {}: {}they teach whether to reason{}',
        one_sided, rows, method, a_one_sided,
        if(made_one_sided > 0, format('of {} the other side lost its own; ', made_one_sided), ''),
        if(
            other_context > 0,
            format(', and {} in another context than the student answers in', other_context), ''
        )
    ) as finding
from fits
where one_sided > 0
order by all
