-- tables: runs, subsets, unpaired
-- warning
-- A run has something to learn from, unless its budget is 0: pairs, or unpaired examples where KTO learns.
with
learnt as (
    select distinct selection as arm, false as kto from subsets
    union all
    select distinct selection as arm, true as kto from unpaired
)
select r.run, r.arm
from runs as r
anti join learnt as l on l.arm = r.arm and l.kto = (r.kind = 'kto')
where r.budget <> '0'
order by all
