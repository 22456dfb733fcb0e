-- tables: prompts
-- warning
-- No two train prompts say the same: their pairs would count twice, and what one teaches be counted as new evidence of
-- the other.
with
texts as (
    select
        prompt_id, source,
        list_transform(prompt, lambda message: (message.role, normal_text(message.content))) as turns, messages, tools
    from prompts
    where split = 'train'
)
select list(prompt_id order by prompt_id) as prompt_ids, list(distinct source order by source) as sources
from texts
group by turns, messages, tools
having count(*) > 1
order by prompt_ids
