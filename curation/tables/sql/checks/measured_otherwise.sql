-- tables: provenance
-- warning
-- Runs that are compared on a benchmark of another harness were measured alike: versions, few-shot examples, prompts,
-- sampling. Where they were not, a gain may be partly that. A setting that a run's log does not name differs too.
with
of_benchmark as (select benchmark, count(distinct run) as runs from provenance group by benchmark)
select
    benchmark, field, count(distinct value) as values,
    string_agg(distinct left(value, 40), '; ' order by left(value, 40)) as said
from provenance
join of_benchmark using (benchmark)
where alike
group by benchmark, field, runs
having count(distinct value) > 1 or count(*) < runs
order by benchmark, field
