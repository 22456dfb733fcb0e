-- tables: fits
-- warning
-- No answer is lost to the student's chat template.
select
    arm as selection,
    format(
        'the chat template deletes {} that {} reads, as of row {}; name another, student.chat_template',
        if(answers_lost = 1, '1 answer', answers_lost || ' answers'), method, an_answer_lost
    ) as finding
from fits
where answers_lost > 0
order by all
