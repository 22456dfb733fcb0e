-- tables: traces
-- warning
-- No completion holds a delimiter of reasoning. What no rule reads is learnt from, judged and measured as an answer.
select generator, count(*) as traces, count(nullif(delimiter_in(completion), '')) as with_delimiter,
    min(nullif(delimiter_in(completion), '')) as such_as
from traces
group by generator
having with_delimiter > 0
order by generator
