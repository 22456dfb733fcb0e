-- tables: reliability, ranking_judges
-- warning
-- No selection ranks by a judge and dimension that reliability calls suspect.
select
    j.selection,
    format(
        'ranks by {} on {}, which is suspect: {}',
        j.judge, j.dimension, string_agg(distinct r.measure, ', ' order by r.measure)
    ) as finding
from ranking_judges as j
join reliability as r using (judge, dimension)
where r.suspect
group by j.selection, j.judge, j.dimension
order by all
