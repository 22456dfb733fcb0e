-- tables: prompts, decontamination
-- No prompt that was dropped is among the prompts.
select s.prompt_id, s.source, s.reason
from decontamination as s
join prompts as p using (prompt_id)
where not s.kept
order by all
