-- tables: prompts
-- Where a prompt's whole messages are kept, they have the roles and contents of its prompt; tools are a JSON list.
select prompt_id, source
from prompts
where
    case when json_valid(messages) then from_json(messages, '[{"role": "VARCHAR", "content": "VARCHAR"}]') end
    is distinct from case when messages is not null then prompt end
    or (tools is not null and coalesce(json_type(case when json_valid(tools) then tools end), '') <> 'ARRAY')
order by prompt_id
