-- tables: subsets, traces
-- warning
-- The chosen traces of a subset are at most $length times as long as the rejected ones, and the rejected at most
-- $length times as long as the chosen (geometric means).
select s.selection, round(exp(avg(ln(c.characters / r.characters))), 3) as times_as_long, count(*) as pairs
from subsets as s
join traces as c on c.trace_id = s.chosen_trace_id
join traces as r on r.trace_id = s.rejected_trace_id
where c.characters > 0 and r.characters > 0
group by s.selection
having abs(avg(ln(c.characters / r.characters))) > ln($length)
order by s.selection
