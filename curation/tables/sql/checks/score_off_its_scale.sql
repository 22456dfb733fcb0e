-- tables: judgments, scales
-- A score is within the scale that params.yaml declares for its judge and dimension.
select j.judge, j.dimension, j.trace_id, j.repeat, j.score, j.expected_score
from judgments as j
join scales as s using (judge, dimension)
where j.score not between s.low and s.high or j.expected_score not between s.low - 1e-6 and s.high + 1e-6
order by all
