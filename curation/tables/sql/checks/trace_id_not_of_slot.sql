-- tables: traces
-- A trace's id is the hash of its prompt, generator and sample index.
with
hashed as (
    select
        trace_id, prompt_id, generator, sample_index,
        (concat('0x', left(md5(concat_ws(chr(31), prompt_id, generator, sample_index)), 16))::ubigint >> 1)::bigint as slot_id
    from traces
)
select trace_id, prompt_id, generator, sample_index
from hashed
where trace_id <> slot_id
order by trace_id
