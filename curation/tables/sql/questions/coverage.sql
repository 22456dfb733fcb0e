-- What share of the traces did each judge score, and what became of the others?
-- One row per status; the shares of one judge, dimension and generator sum to 1. A share of scored that differs
-- between generators biases every delta between them.
with
counts as (
    select j.judge, j.dimension, t.generator, j.status, count(*) as judgments
    from judgments as j
    join traces as t using (trace_id)
    group by all
)
select
    judge, dimension, generator, status, judgments,
    round(judgments / sum(judgments) over (partition by judge, dimension, generator), 3) as share
from counts
order by judge, dimension, generator, status <> 'scored', judgments desc, status
