-- tables: results
-- warning
-- No answer holds a delimiter of reasoning. What no rule reads is graded as an answer.
select run, benchmark, count(*) as answers, count(nullif(delimiter_in(completion), '')) as with_delimiter,
    min(nullif(delimiter_in(completion), '')) as such_as
from results
group by run, benchmark
having with_delimiter > 0
order by run, benchmark
