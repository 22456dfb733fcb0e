-- How often is each judge right about pairs with one right trace, and how often is who always says chosen?
-- accuracy counts a delta of 0 half. base_rate is how often the chosen trace is the right one, so an accuracy below it
-- may still be a good judge's where chosen is nearly always right: auroc does not gain by saying chosen. Its interval
-- is as wide as the rarer of chosen_right and rejected_right makes it, and null below five prompts of that sort.
select
    a.judge, a.dimension, a.against as truth,
    round(a.value, 3) as accuracy, round(a.ci_low, 3) as low, round(a.ci_high, 3) as high,
    round(a.base_rate, 3) as base_rate, a.chosen_right, a.rejected_right,
    round(r.value, 3) as auroc, round(r.ci_low, 3) as auroc_low, round(r.ci_high, 3) as auroc_high
from reliability as a
left join reliability as r
    on r.judge = a.judge and r.dimension = a.dimension and r.against = a.against and r.measure = 'auroc'
where a.measure = 'pairwise_accuracy'
order by a.judge, a.dimension
