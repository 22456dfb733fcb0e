-- tables: pairs
-- warning
-- At most $identical of the candidates are pairs of identical texts. More are a sign of generators that are much
-- alike.
select count(*) filter (where identical) as identical, count(*) as pairs
from pairs
having count(*) filter (where identical) > $identical * count(*)
