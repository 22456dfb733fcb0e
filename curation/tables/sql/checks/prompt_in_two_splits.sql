-- tables: prompts
-- No prompt is in two splits: what all its turns say, the tools that they call and those that there are.
with
texts as (
    select
        prompt_id, split,
        array_to_string(list_transform(prompt, lambda message: normal_text(message.content)), chr(10)) as text,
        messages, tools
    from prompts
)
select text, list(prompt_id order by prompt_id) as prompt_ids, list(distinct split order by split) as splits
from texts
group by text, messages, tools
having count(distinct split) > 1
order by text
