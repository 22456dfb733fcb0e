-- What each method makes of each arm. Grain: arm and method. A row is a pair, or a trace where the method learns from
-- single ones; a side is `lost` to the template or `cut` by max_length as its text is. `way_out` of what is cut.
with
sides as (
    select
        *, side = 'chosen' as c, prompt_tokens + target_tokens as whole,
        reasoning in ('kept', 'cut', 'lost') as reasons
    from examples
),
rows_read as (
    select
        arm, method, row_id, count(*) = 2 as paired, any_value(dropped) as dropped,
        count(*) filter (reasoning = 'kept') as with_reasoning, count(*) filter (reasons) as reasoned,
        bool_and(prompt_is_prefix) as prompt_is_prefix
    from sides
    group by all
),
uneven as (
    select
        arm, method, count(*) filter (paired and with_reasoning = 1) as one_sided,
        count(*) filter (paired and with_reasoning = 1 and reasoned = 2) as made_one_sided,
        min(row_id) filter (paired and with_reasoning = 1) as a_one_sided,
        count(*) filter (paired and with_reasoning = 1 and not prompt_is_prefix) as other_context,
        count(*) filter (dropped = 'identical_once_cut') as identical_once_cut,
        count(*) filter (starts_with(dropped, 'identical')) as identical
    from rows_read
    group by all
),
counted as (
    select
        arm, method, any_value(max_length) as max_length, any_value(context) as context,
        max(whole) as longest,
        max(prompt_tokens) filter (coalesce(prompt_tokens < context, true)) as longest_prompt,
        count(distinct row_id) as rows, count(distinct row_id) filter (dropped is null) as learnt,
        count(distinct row_id) filter (dropped = 'no_room') as no_room,
        min(row_id) filter (dropped = 'no_room') as a_no_room,
        min(row_id) filter (starts_with(dropped, 'identical')) as an_identical,
        count(*) filter (fault is not null) as faults, min(row_id) filter (fault is not null) as a_fault_row,
        min(fault) as fault,
        count(*) filter (c) as chosen, count(*) filter (not c) as rejected,
        count(*) filter (c and cut) as cut_chosen, count(*) filter (not c and cut) as cut_rejected,
        min(row_id) filter (cut) as a_cut,
        count(*) filter (c and reasons) as reasoning_chosen, count(*) filter (not c and reasons) as reasoning_rejected,
        count(*) filter (c and reasoning = 'lost') as reasoning_lost_chosen,
        count(*) filter (not c and reasoning = 'lost') as reasoning_lost_rejected,
        min(row_id) filter (reasoning = 'lost') as a_reasoning_lost,
        count(*) filter (reasoning = 'cut') as reasoning_cut,
        count(*) filter (c and completion is not null) as answers_chosen,
        count(*) filter (not c and completion is not null) as answers_rejected,
        count(*) filter (c and completion = 'kept') as answers_kept_chosen,
        count(*) filter (not c and completion = 'kept') as answers_kept_rejected,
        count(*) filter (completion = 'lost') as answers_lost,
        min(row_id) filter (completion = 'lost') as an_answer_lost,
        count(*) filter (completion = 'cut') as answers_cut,
        count(*) filter (c and completion = 'cut') as answers_cut_chosen,
        count(*) filter (not prompt_is_prefix) as not_prefix, min(row_id) filter (not prompt_is_prefix) as a_not_prefix,
        count(*) filter (not ends_in_eos and not cut and not truncated) as no_eos,
        min(row_id) filter (not ends_in_eos and not cut and not truncated) as a_no_eos,
        count(*) filter (ends_in_eos and truncated) as trained_as_ended,
        min(row_id) filter (ends_in_eos and truncated) as a_trained_as_ended
    from sides
    group by all
)
select
    *,
    case
        when coalesce(context, longest) >= longest then format('raise methods.{}.max_length to {}', method, longest)
        when longest_prompt is null then format('the student reads {} tokens at most: name another', context)
        else format(
            '{}leave longer ones out, as by `require: {{room: greatest(chosen.tokens, rejected.tokens) < {}}}`: the '
            || 'student reads {} tokens at most',
            if(context > max_length, format('raise methods.{}.max_length to {}, and ', method, context), ''),
            context - longest_prompt, context
        )
    end as way_out
from counted
join uneven using (arm, method)
order by arm, method
