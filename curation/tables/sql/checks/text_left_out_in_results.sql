-- tables: results
-- warning
-- What a student says is reasoning or answer. A commentary of harmony is neither: it is left out, and not graded.
select run, benchmark, count(*) as answers, sum(left_out_characters)::bigint as characters
from results
where left_out_characters is not null
group by run, benchmark
order by run, benchmark
