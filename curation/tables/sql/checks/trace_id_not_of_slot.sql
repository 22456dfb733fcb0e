-- tables: traces
-- A trace's id is the hash of its prompt, generator and sample index.
with
hashed as (
    select
        trace_id, prompt_id, generator, sample_index,
        md5(concat_ws(chr(31), prompt_id, generator, sample_index)) as hash
    from traces
)
select trace_id, prompt_id, generator, sample_index
from hashed
where trace_id <> (concat('0x', left(hash, 16))::ubigint >> 1)::bigint
order by trace_id
