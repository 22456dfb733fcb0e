-- What one should see of a subset before anything learns from it. Grain: subset. `truth` says how right each side of a
-- pair is, above 0.5 right where it is `graded`; `unpaired` are the subset's examples.
with
own as (  -- the texts are looked at before any join, which would hold them all
    select
        selection, pair_id, prompt_id, margin, chosen_trace_id, rejected_trace_id,
        case when unicode(left(chosen[1].content, 1)) between 33 and 126 then false  -- most texts
            else normal_text(chosen[1].content) = '' end as chosen_empty,
        case when unicode(left(rejected[1].content, 1)) between 33 and 126 then false
            else normal_text(rejected[1].content) = '' end as rejected_empty,
        starts_with(chosen[1].content, rejected[1].content) as begins_with_rejected,
        starts_with(rejected[1].content, chosen[1].content) as begins_with_chosen,
        case when begins_with_rejected or begins_with_chosen
            then normal_text(coalesce(chosen_reasoning, '')) = normal_text(coalesce(rejected_reasoning, ''))
            end as reason_alike
    from subsets
),
sides as (
    select
        s.*, c.text_id as chosen_text, r.text_id as rejected_text,
        c.characters - r.characters as longer,
        coalesce(c.reasoning_characters, 0) - coalesce(r.reasoning_characters, 0) as reasoning_longer,
        c.completion_characters - r.completion_characters as answer_longer,
        c.status = 'truncated' as chosen_truncated, r.status = 'truncated' as rejected_truncated,
        t.graded,
        case when p.chosen_trace_id = s.chosen_trace_id then t.chosen else t.rejected end as chosen_truth,
        case when p.chosen_trace_id = s.chosen_trace_id then t.rejected else t.chosen end as rejected_truth
    from own as s
    join traces as c on c.trace_id = s.chosen_trace_id
    join traces as r on r.trace_id = s.rejected_trace_id
    left join pairs as p on p.pair_id = s.pair_id
    left join truth as t on t.pair_id = s.pair_id
),
texts as (
    select selection, prompt_id, chosen_text, rejected_text, count(*) as pairs
    from sides
    group by all
),
opposed as (
    select t.selection, sum(t.pairs) as pairs
    from texts as t
    join texts as o
        on o.selection = t.selection and o.prompt_id = t.prompt_id
        and o.chosen_text = t.rejected_text and o.rejected_text = t.chosen_text
    group by t.selection
),
repeated as (select selection, sum(pairs - 1) as pairs from texts group by selection),
labels as (
    select u.selection, u.prompt_id, t.text_id
    from unpaired as u
    join traces as t using (trace_id)
    group by all
    having count(distinct u.label) = 2
),
both_labels as (select selection, count(*) as texts from labels group by selection)
select
    s.selection, count(*) as pairs,
    count(s.margin) as margins, count(*) filter (s.margin <= 0) as not_above_zero,
    count(*) filter (s.chosen_truth is not null and s.rejected_truth is not null) as truths,
    count(*) filter (s.graded and s.chosen_truth <= 0.5) as wrong_chosen,
    count(*) filter (s.rejected_truth > s.chosen_truth) as rejected_better,
    coalesce(any_value(r.pairs), 0)::bigint as repeated,
    coalesce(any_value(o.pairs), 0)::bigint as opposed,
    coalesce(any_value(b.texts), 0)::bigint as both_labels,
    count(*) filter (s.chosen_empty) as empty_chosen, count(*) filter (s.rejected_empty) as empty_rejected,
    count(*) filter (s.chosen_truncated) as truncated_chosen,
    count(*) filter (s.rejected_truncated) as truncated_rejected,
    count(*) filter (
        s.reason_alike
        and (s.begins_with_rejected and s.rejected_truncated or s.begins_with_chosen and s.chosen_truncated)
    ) as truncated_beginnings,
    count(*) filter (s.longer > 0) as chosen_longer, count(*) filter (s.longer < 0) as chosen_shorter,
    count(*) filter (s.reasoning_longer > 0) as reasoning_longer,
    count(*) filter (s.reasoning_longer < 0) as reasoning_shorter,
    count(*) filter (s.answer_longer > 0) as answer_longer, count(*) filter (s.answer_longer < 0) as answer_shorter
from sides as s
left join repeated as r on r.selection = s.selection
left join opposed as o on o.selection = s.selection
left join both_labels as b on b.selection = s.selection
group by s.selection
order by s.selection
