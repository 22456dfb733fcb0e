-- tables: pairs
-- warning
-- Pairs of identical texts are no more than $identical of the candidates; more point at generators that write alike.
select count(*) filter (where identical) as identical, count(*) as pairs
from pairs
having count(*) filter (where identical) > $identical * count(*)
