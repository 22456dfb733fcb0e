-- tables: contrasts
-- warning
-- The primary contrast is the one that was registered before there were results (`curation register`).
select contrast, registered
from contrasts
where "primary" and registered <> 'registered'
order by all
