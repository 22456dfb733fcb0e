-- tables: prompts, subsets, unpaired
-- Every pair and every unpaired example of a subset is of a prompt of the train split.
with
learnt as (
    select selection, pair_id, null as trace_id, prompt_id from subsets
    union all
    select selection, null as pair_id, trace_id, prompt_id from unpaired
)
select s.selection, s.pair_id, s.trace_id, s.prompt_id, p.split
from learnt as s
left join prompts as p using (prompt_id)
where p.split is distinct from 'train'
order by all
