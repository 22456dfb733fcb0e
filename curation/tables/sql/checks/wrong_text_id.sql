-- tables: traces
-- Completions have the same text_id exactly when they are the same but for Unicode's normal form, line ends and the
-- blanks around them. characters is the length of a completion.
with
hashed as (
    select *, md5(normal_text(completion)) as hash
    from traces
    where completion is not null
)
select trace_id, text_id, characters
from hashed
where (concat('0x', left(hash, 16))::ubigint >> 1)::bigint <> text_id or length(completion) <> characters
order by trace_id
