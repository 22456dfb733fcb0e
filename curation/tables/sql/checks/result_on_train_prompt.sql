-- tables: prompts, results
-- Every result is of a prompt outside the train split. Its benchmark and split are that prompt's source and split.
select r.run, r.benchmark, r.prompt_id, r.sample_index, p.split
from results as r
left join prompts as p using (prompt_id)
where p.prompt_id is null or p.split = 'train' or r.split <> p.split or r.benchmark <> p.source
order by r.run, r.benchmark, r.prompt_id, r.sample_index
