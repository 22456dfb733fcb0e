-- tables: traces
-- A trace's id is the hash of its prompt, generator and sample index. An imported trace's is the hash of its texts
-- too; where the file numbered no samples, they are numbered among those that say the same.
with
hashed as (
    select
        *, md5(concat_ws(chr(31), prompt_id, generator, sample_index)) as of_slot,
        md5(concat_ws(chr(31), prompt_id, generator, nullif(reasoning, ''), completion, sample_index)) as of_content
    from traces
),
numbered as (
    select prompt_id, generator, nullif(reasoning, '') as thought, completion, unnest(range(count(*))) as number
    from traces
    where coalesce(completion, reasoning) is not null
    group by prompt_id, generator, thought, completion
),
repeats as (
    select
        left(md5(concat_ws(chr(31), prompt_id, generator, thought, completion, number)), 16) as of_repeat
    from numbered
),
repeat_ids as (
    select (concat('0x', of_repeat)::ubigint >> 1)::bigint as trace_id
    from repeats
)
select trace_id, prompt_id, generator, sample_index
from hashed
anti join repeat_ids using (trace_id)
where
    trace_id <> (concat('0x', left(of_slot, 16))::ubigint >> 1)::bigint
    and trace_id <> (concat('0x', left(of_content, 16))::ubigint >> 1)::bigint
order by trace_id
