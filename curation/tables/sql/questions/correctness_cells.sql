-- How do the candidate pairs divide by which side is right, and how does each other judge rate them?
-- share is of the pairs with a verdict on both sides. For a judge that follows the answers, mean_delta (chosen -
-- rejected, over n pairs) is above 0 in right / wrong and below 0 in wrong / right.
with
cells as (
    select
        pair_id, judge as answer_judge,
        case when chosen > 0.5 then 'right' else 'wrong' end as chosen,
        case when rejected > 0.5 then 'right' else 'wrong' end as rejected
    from deltas
    where dimension = 'correct' and delta is not null
),
sizes as (
    select
        answer_judge, chosen, rejected, count(*) as pairs,
        count(*) / sum(count(*)) over (partition by answer_judge) as share
    from cells
    group by answer_judge, chosen, rejected
),
means as (
    select
        c.answer_judge, c.chosen, c.rejected, d.judge, d.dimension, exact_mean(d.delta) as mean_delta,
        count(d.delta) as n
    from cells as c
    join deltas as d using (pair_id)
    where d.judge <> c.answer_judge
    group by all
)
select
    answer_judge, chosen, rejected, s.pairs, round(s.share, 3) as share,
    m.judge, m.dimension, round(m.mean_delta, 3) as mean_delta, m.n
from sizes as s
left join means as m using (answer_judge, chosen, rejected)
order by answer_judge, chosen, rejected, m.judge, m.dimension
