-- tables: pairs, selections
-- No selection keeps a pair and its reverse, the same two traces the other way round.
with
kept as (
    select s.selection, p.pair_id, p.chosen_trace_id, p.rejected_trace_id
    from selections as s
    join pairs as p using (pair_id)
    where s.kept
)
select a.selection, a.pair_id, b.pair_id as reverse_pair_id
from kept as a
join kept as b on a.selection = b.selection and a.chosen_trace_id = b.rejected_trace_id and a.rejected_trace_id = b.chosen_trace_id
where a.pair_id < b.pair_id
order by all
