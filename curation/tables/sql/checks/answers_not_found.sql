-- tables: judgments, traces
-- warning
-- A judge finds an answer in what a generator wrote. One in ten without is a sign of an extraction that does not fit,
-- and what `missing_answer` makes of these is then a part of every delta.
select
    j.judge, t.generator, count(*) as traces, sum((j.status = 'no_answer')::int)::bigint as without_answer
from judgments as j
join traces as t using (trace_id)
group by j.judge, t.generator
having avg((j.status = 'no_answer')::int) >= 0.1
order by j.judge, t.generator
