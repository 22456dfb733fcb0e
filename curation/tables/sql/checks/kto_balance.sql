-- tables: runs, unpaired
-- warning
-- Where KTO learns, desirable and undesirable examples have the same weight within a factor of $kto. It is 1 to 1.5 in
-- arXiv 2402.01306, section 4.2.
with
labelled as (
    select
        selection as arm, count(*) filter (where label) as desirable, count(*) filter (where not label) as undesirable
    from unpaired
    group by selection
),
weighed as (
    select r.run, l.*, l.desirable * r.desirable_weight / nullif(l.undesirable * r.undesirable_weight, 0) as ratio
    from runs as r
    join labelled as l using (arm)
    where r.kind = 'kto'
)
select run, desirable, undesirable, round(ratio, 4) as ratio
from weighed
where ratio is null or ratio > $kto or ratio < 1 / $kto
order by run
