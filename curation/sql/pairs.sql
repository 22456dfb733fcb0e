-- Ordered pairs of two traces of one prompt. Grain: chosen trace x rejected trace. Parameters: order, ladder, within, samples.
-- order: 'ladder' (chosen's generator stands before rejected's in $ladder), 'scale' (chosen's has more parameters), 'both'.
-- A tie is two texts that are equal but for white space around them; trim alone would take off spaces only.
with
written as (
    select
        trace_id, prompt_id, generator, sample_index, scale_b, list_position($ladder, generator) as rung,
        min(trace_id) over (partition by prompt_id, trim(completion, concat(' ', chr(9), chr(10), chr(13)))) as first_alike
    from traces
    where completion is not null
),
candidates as (
    select
        c.prompt_id, c.trace_id as chosen_trace_id, r.trace_id as rejected_trace_id,
        c.generator as chosen_model, r.generator as rejected_model,
        c.first_alike = r.first_alike as tie
    from written as c
    join written as r on r.prompt_id = c.prompt_id and r.trace_id <> c.trace_id
    where case
        when c.generator = r.generator then $within
        when $order = 'ladder' then c.rung < r.rung
        when $order = 'scale' then c.scale_b > r.scale_b
        else true
    end
    and (c.generator = r.generator or $samples = 'all' or c.sample_index = r.sample_index)
)
select
    (concat('0x', left(md5(concat(chosen_trace_id, chr(31), rejected_trace_id)), 16))::ubigint >> 1)::bigint as pair_id,
    prompt_id, chosen_trace_id, rejected_trace_id, chosen_model, rejected_model, tie
from candidates
order by pair_id
