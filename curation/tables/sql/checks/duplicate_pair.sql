-- tables: pairs
-- Two traces are at most one pair in either order.
select chosen_trace_id, rejected_trace_id, count(*) as times
from pairs
group by all
having count(*) > 1
order by all
