-- The scored verdicts of one pairwise judge, each about two traces, whichever is called chosen. Grain: dimension, pair,
-- order, repeat. Parameter expected: use the verdict's probabilities where there are some. low and high are the smaller
-- and the larger trace id; low_better, high_better and tie sum to 1; value is the verdict for chosen, from -1 to 1. The
-- same two texts in the same order are the same call; shown_first is null where the order is unknown.
with
weighed as (
    select
        v.dimension, p.pair_id, v."order", v.repeat, p.chosen_trace_id as chosen, p.rejected_trace_id as rejected,
        case when $expected and v.strength is not null then v.strength
            when v.verdict = 'chosen' then 1.0 when v.verdict = 'rejected' then -1.0 else 0.0 end as value,
        case when $expected and v.p_tie is not null then v.p_tie when v.verdict = 'tie' then 1.0 else 0.0 end as tie
    from preferences as v
    join pairs as p on p.pair_id = v.pair_id
    where v.status = 'scored'
)
select
    dimension, pair_id, "order", repeat, value, tie,
    least(chosen, rejected) as low,
    greatest(chosen, rejected) as high,
    case "order" when 'chosen_first' then chosen when 'rejected_first' then rejected end as shown_first,
    greatest(1 - tie + case when chosen < rejected then value else -value end, 0) / 2 as low_better,
    greatest(1 - tie - case when chosen < rejected then value else -value end, 0) / 2 as high_better
from weighed
order by dimension, pair_id, "order", repeat
