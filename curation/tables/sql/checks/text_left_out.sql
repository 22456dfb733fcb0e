-- tables: traces
-- warning
-- What a model says is reasoning or answer. A commentary of harmony is neither and is left out; the ledger has it.
select generator, count(*) as traces, sum(left_out_characters)::bigint as characters
from traces
where left_out_characters is not null
group by generator
order by generator
