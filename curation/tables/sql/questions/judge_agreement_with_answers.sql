-- How well does each judge's score tell right traces from wrong ones?
-- auroc is the chance that a right trace has a higher score than a wrong one, equal scores counting half: 1 is
-- perfect, 0.5 is chance. It is null where all are right or all are wrong, and a guess where n_right or n_wrong is
-- small.
with
ratings as (
    select trace_id, judge, dimension, round(exact_mean(coalesce(expected_score, score)), 9) as rating
    from judgments
    where score is not null
    group by trace_id, judge, dimension
),
answers as (
    select trace_id, judge as answer_judge, rating > 0.5 as is_right
    from ratings
    where dimension = 'correct'
),
graded as (
    select a.answer_judge, r.judge, r.dimension, r.trace_id, r.rating, a.is_right
    from ratings as r
    join answers as a using (trace_id)
    where r.judge <> a.answer_judge
),
ranked as (
    select
        *,
        rank() over (partition by answer_judge, judge, dimension order by rating)
        + (count(*) over (partition by answer_judge, judge, dimension, rating) - 1) / 2 as mid_rank
    from graded
),
sums as (
    select
        answer_judge, judge, dimension,
        count(*) filter (where is_right) as n_right,
        count(*) filter (where not is_right) as n_wrong,
        sum(mid_rank) filter (where is_right) as rank_sum
    from ranked
    group by answer_judge, judge, dimension
)
select
    answer_judge, judge, dimension,
    round((rank_sum - n_right * (n_right + 1) / 2) / nullif(n_right * n_wrong, 0), 3) as auroc,
    n_right, n_wrong
from sums
order by answer_judge, auroc desc nulls last, judge, dimension
