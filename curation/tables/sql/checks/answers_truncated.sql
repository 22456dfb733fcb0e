-- tables: results
-- warning
-- A run's answers end by themselves: nine in ten that do not are a limit too low, or a student that lost its end of turn.
select run, benchmark, count(*) as answers, round(avg((finish_reason = 'length')::int), 4) as truncated
from results
where finish_reason <> 'error'
group by run, benchmark
having avg((finish_reason = 'length')::int) >= 0.9
order by run, benchmark
