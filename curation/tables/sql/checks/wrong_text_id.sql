-- tables: traces
-- Traces have the same text_id exactly when their reasoning and completion are the same but for Unicode's normal form,
-- line ends and the blanks around them. characters is the length of both texts.
with
normal as (
    select *, normal_text(completion) as said, normal_text(coalesce(reasoning, '')) as thought
    from traces
    where completion is not null
),
ids as (
    select
        *, (concat('0x', left(md5(said), 16))::ubigint >> 1)::bigint as said_id,
        (concat('0x', left(md5(thought), 16))::ubigint >> 1)::bigint as thought_id
    from normal
),
both_ids as (
    select *, (concat('0x', left(md5(concat_ws(chr(31), thought_id, said_id)), 16))::ubigint >> 1)::bigint as both_id
    from ids
)
select trace_id, text_id, characters
from both_ids
where
    text_id <> if(thought = '', said_id, both_id)
    or characters <> length(completion) + coalesce(length(reasoning), 0)
    or completion_characters <> length(completion)
    or reasoning_characters is distinct from length(reasoning)
order by trace_id
