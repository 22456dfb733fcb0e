-- tables: results
-- warning
-- A run's answers are found, and can be read. One in ten that are not is a sign of an extraction that does not fit the
-- student, or of a student that lost the form of an answer; they count as wrong, and a gain is then partly one of form.
select
    run, benchmark, count(*) as answers, sum((status = 'no_answer')::int)::bigint as without_answer,
    sum((status = 'unparsable')::int)::bigint as unreadable
from results
group by run, benchmark
having avg((status in ('no_answer', 'unparsable'))::int) >= 0.1
order by run, benchmark
