-- How often is each generator right?
-- Generators whose intervals, low to high, overlap may be equally good. The intervals are Wilson's at 95 %, with
-- prompts as their n, since traces of one prompt are not independent; n counts the traces with a score, and unscored
-- those without, as of answers that could not be read: where they are many, the accuracy is that of the others.
with
graded as (
    select j.judge, t.generator, t.scale_b, t.prompt_id, j.score
    from judgments as j
    join traces as t using (trace_id)
    where j.dimension = 'correct'
),
accuracies as (
    select
        judge, generator, min(scale_b) as scale_b, exact_mean(score) as accuracy,
        count(score) as n, count(*) - count(score) as unscored,
        count(distinct prompt_id) filter (where score is not null) as prompts, 1.959964 as z
    from graded
    group by judge, generator
),
intervals as (
    select
        *,
        (accuracy + z * z / (2 * prompts)) / (1 + z * z / prompts) as middle,
        z * sqrt(accuracy * (1 - accuracy) / prompts + z * z / (4 * prompts * prompts)) / (1 + z * z / prompts) as half
    from accuracies
)
select
    judge, generator, scale_b, round(accuracy, 3) as accuracy,
    round(middle - half, 3) as low, round(middle + half, 3) as high,
    n, unscored, prompts
from intervals
order by judge, round(intervals.accuracy, 9) desc nulls last, generator
