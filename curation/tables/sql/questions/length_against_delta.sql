-- Does a judge prefer the longer trace?
-- correlation is that of the delta and the log of the ratio of chosen's to rejected's characters: near 0 without
-- length bias, above 0 where the longer is judged better, null where either is constant. reasoning and answer are the
-- same of each part, over the pairs both sides of which have it. Identical texts do not count.
with
ratios as (
    select
        p.pair_id, ln(c.characters / r.characters) as log_ratio,
        ln(nullif(c.reasoning_characters, 0) / nullif(r.reasoning_characters, 0)) as reasoning,
        ln(nullif(c.completion_characters, 0) / nullif(r.completion_characters, 0)) as answer
    from pairs as p
    join traces as c on c.trace_id = p.chosen_trace_id
    join traces as r on r.trace_id = p.rejected_trace_id
    where not p.identical and c.characters > 0 and r.characters > 0
),
scored as (
    select d.judge, d.dimension, d.delta, r.log_ratio, r.reasoning, r.answer
    from deltas as d
    join ratios as r using (pair_id)
    where d.delta is not null
)
select
    judge, dimension,
    case
        when min(delta) < max(delta) and min(log_ratio) < max(log_ratio)
            then round(corr(delta, log_ratio order by delta, log_ratio), 3)
    end as correlation,
    case
        when min(delta) filter (reasoning is not null) < max(delta) filter (reasoning is not null)
            and min(reasoning) < max(reasoning)
            then round(corr(delta, reasoning order by delta, reasoning), 3)
    end as reasoning,
    case
        when min(delta) filter (answer is not null) < max(delta) filter (answer is not null)
            and min(answer) < max(answer)
            then round(corr(delta, answer order by delta, answer), 3)
    end as answer,
    round(exact_mean(log_ratio), 3) as mean_log_ratio,
    count(*) as pairs
from scored
group by judge, dimension
order by judge, dimension
