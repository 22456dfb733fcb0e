-- tables: fits
-- warning
-- What the student is asked with is the beginning of what it is trained on.
select
    arm as selection,
    format(
        'in {} of {} sides that {} reads, such as of row {}, the prompt as the student is asked is no beginning of '
        || 'prompt and answer; student.reasoning: text leaves it as it is, unless a token joins both',
        not_prefix, chosen + rejected, method, a_not_prefix
    ) as finding
from fits
where not_prefix > 0
order by all
