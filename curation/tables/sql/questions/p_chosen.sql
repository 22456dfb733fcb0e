-- How far can calibrated deltas be taken for soft labels, by their spread and by what happens?
-- The spread is that of P(chosen is right); near_half is the share of pairs within 0.05 of 0.5, where a judge says next
-- to nothing. ece and brier are of labelled pairs, none of which its own fit has seen, with 95 % intervals; always
-- saying 0.5 has a brier of 0.25.
with spread as (
    select
        judge, dimension, count(probability) as pairs, count(*) - count(probability) as unknown,
        round(quantile_disc(probability, 0.05), 3) as p05, round(quantile_disc(probability, 0.5), 3) as p50,
        round(quantile_disc(probability, 0.95), 3) as p95,
        round(count(*) filter (abs(probability - 0.5) < 0.05) / nullif(count(probability), 0), 3) as near_half
    from probabilities
    group by all
)
select
    spread.*, ece.n as labelled,
    round(ece.value, 3) as ece, round(ece.ci_low, 3) as ece_low, round(ece.ci_high, 3) as ece_high,
    round(brier.value, 3) as brier, round(brier.ci_low, 3) as brier_low, round(brier.ci_high, 3) as brier_high
from spread
left join reliability as ece
    on ece.judge = spread.judge and ece.dimension = spread.dimension and ece.measure = 'calibrated_ece'
left join reliability as brier
    on brier.judge = spread.judge and brier.dimension = spread.dimension and brier.measure = 'calibrated_brier'
order by spread.judge, spread.dimension
