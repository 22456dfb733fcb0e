-- How often does a judge score the wrong one of two traces above the right one?
-- wrong_better is 0 for a judge that never prefers a wrong answer; for a coin it is 0.5, and zero_delta 0. Two traces
-- count once, where exactly one is right and the judge scored both.
with
once as (
    select pair_id
    from pairs
    qualify row_number() over (
        partition by least(chosen_trace_id, rejected_trace_id), greatest(chosen_trace_id, rejected_trace_id)
        order by pair_id
    ) = 1
),
one_right as (
    select pair_id, judge as answer_judge, chosen > 0.5 as chosen_is_right
    from deltas
    join once using (pair_id)
    where dimension = 'correct' and (chosen > 0.5) <> (rejected > 0.5)
),
advantages as (
    select
        o.answer_judge, d.judge, d.dimension,
        case when o.chosen_is_right then d.delta else -d.delta end as right_over_wrong
    from one_right as o
    join deltas as d using (pair_id)
    where d.judge <> o.answer_judge and d.delta is not null
)
select
    answer_judge, judge, dimension,
    round(avg((right_over_wrong < 0)::integer), 3) as wrong_better,
    round(avg((right_over_wrong = 0)::integer), 3) as zero_delta,
    round(avg((right_over_wrong > 0)::integer), 3) as right_better,
    count(*) as pairs
from advantages
group by answer_judge, judge, dimension
order by answer_judge, wrong_better desc, judge, dimension
