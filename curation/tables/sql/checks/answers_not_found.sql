-- tables: judgments, traces
-- warning
-- A judge finds an answer in what a generator wrote. One in ten without is a sign of an extraction that does not fit,
-- and what `missing_answer` makes of these is then a part of every delta. A trace without a completion is in none.
select
    j.judge, t.generator, count(*) as traces, sum((j.status = 'no_answer')::int)::bigint as without_answer
from judgments as j
join traces as t using (trace_id)
where t.completion is not null
group by j.judge, t.generator
having avg((j.status = 'no_answer')::int) >= 0.1
order by j.judge, t.generator
