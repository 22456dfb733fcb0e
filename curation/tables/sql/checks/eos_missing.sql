-- tables: fits
-- warning
-- Every side that ended, and is not cut, ends in a token that ends an answer.
select
    arm as selection,
    format(
        '{} of {} sides that {} reads end in no token that ends an answer, such as of row {}; name a '
        || 'student.chat_template that ends in one, or set student.reasoning: text, which adds it',
        no_eos, chosen + rejected, method, a_no_eos
    ) as finding
from fits
where no_eos > 0
order by all
