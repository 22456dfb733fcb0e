-- tables: prompts
-- No prompt text is in two splits.
with
texts as (
    select
        prompt_id, split,
        array_to_string(list_transform(prompt, lambda message: normal_text(message.content)), chr(10)) as text
    from prompts
)
select text, list(prompt_id order by prompt_id) as prompt_ids, list(distinct split order by split) as splits
from texts
group by text
having count(distinct split) > 1
order by text
