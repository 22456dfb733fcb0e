-- tables: results
-- warning
-- A run gives different answers to different prompts. One text for nine in ten of them is a sign of damaged weights.
with
texts as (
    select run, benchmark, completion, count(*) as answers, count(distinct prompt_id) as prompts
    from results
    where finish_reason <> 'error'
    group by run, benchmark, completion
)
select
    run, benchmark, sum(answers)::bigint as answers, round(max(answers) / sum(answers), 4) as alike,
    left(arg_max(completion, answers), 40) as answer
from texts
group by run, benchmark
having max(answers) >= 0.9 * sum(answers) and max(prompts) > 1
order by run, benchmark
