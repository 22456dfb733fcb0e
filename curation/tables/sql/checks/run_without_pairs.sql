-- tables: runs, subsets
-- warning
-- A run has something to learn from, unless its budget is 0.
select r.run, r.arm
from runs as r
anti join (select distinct selection as arm from subsets) using (arm)
where r.budget <> '0'
order by all
