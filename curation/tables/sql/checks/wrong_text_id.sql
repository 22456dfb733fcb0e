-- tables: traces
-- Two completions have one text_id exactly when they are equal but for white space around them, and characters counts theirs.
select trace_id, text_id, characters
from traces
where completion is not null
    and ((concat('0x', left(md5(trim(completion, concat(' ', chr(9), chr(10), chr(13)))), 16))::ubigint >> 1)::bigint <> text_id or length(completion) <> characters)
order by trace_id
