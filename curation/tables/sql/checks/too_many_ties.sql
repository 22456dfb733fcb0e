-- tables: pairs
-- warning
-- Pairs of equal texts are no more than $ties of the candidates; more point at generators that write alike.
select count(*) filter (where tie) as ties, count(*) as pairs
from pairs
having count(*) filter (where tie) > $ties * count(*)
