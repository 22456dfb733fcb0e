-- tables: results
-- warning
-- A run's answers end by themselves. Where more than one in ten does not, a gain may be partly one of brevity; nine in
-- ten are a sign of a limit that is too low, or of a student that has lost its end of turn.
select run, benchmark, count(*) as answers, round(avg((finish_reason = 'length')::int), 4) as truncated
from results
where finish_reason <> 'error'
group by run, benchmark
having avg((finish_reason = 'length')::int) > 0.1
order by run, benchmark
