-- tables: traces
-- Completions have the same text_id exactly when they are equal but for white space around them. characters is the
-- length of a completion.
with
hashed as (
    select *, md5(trim(completion, concat(' ', chr(9), chr(10), chr(13)))) as hash
    from traces
    where completion is not null
)
select trace_id, text_id, characters
from hashed
where (concat('0x', left(hash, 16))::ubigint >> 1)::bigint <> text_id or length(completion) <> characters
order by trace_id
