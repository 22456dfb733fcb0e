-- How much better are one generator's traces than another's, by each judge and dimension?
-- mean is the generator-level delta, chosen - rejected, in the judge's scale; its interval is clustered by prompt. It
-- is of the n pairs with a delta; unscored are those without, and where they are many, the others decide.
-- positive, zero_delta and negative are the shares of its n pairs with a delta above, at and below 0.
with
signs as (
    select
        p.chosen_model, p.rejected_model, d.judge, d.dimension,
        avg((d.delta > 0)::integer) as positive,
        avg((d.delta = 0)::integer) as zero_delta,
        avg((d.delta < 0)::integer) as negative,
        count(*) - count(d.delta) as unscored
    from pairs as p
    join deltas as d using (pair_id)
    group by all
)
select
    judge, dimension, chosen_model, rejected_model,
    round(g.mean, 3) as mean, round(g.ci_low, 3) as ci_low, round(g.ci_high, 3) as ci_high, g.n,
    coalesce(s.unscored, 0) as unscored, g.prompts,
    round(s.positive, 3) as positive, round(s.zero_delta, 3) as zero_delta, round(s.negative, 3) as negative
from generator_deltas as g
left join signs as s using (chosen_model, rejected_model, judge, dimension)
order by judge, dimension, g.mean desc nulls last, chosen_model, rejected_model
