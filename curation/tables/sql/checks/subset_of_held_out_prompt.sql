-- tables: prompts, subsets
-- Every pair of a subset is of a prompt of the train split.
select s.selection, s.pair_id, s.prompt_id, p.split
from subsets as s
left join prompts as p using (prompt_id)
where p.split is distinct from 'train'
order by s.selection, s.pair_id
