-- tables: findings
-- warning
-- The chosen trace is as often the longer one as the shorter one, within two standard deviations of a coin. What such
-- pairs teach may be length.
select
    selection,
    format(
        'the chosen trace is longer in {} of {} pairs, shorter in {}', chosen_longer, pairs, chosen_shorter
    ) as finding
from findings
where abs(chosen_longer - chosen_shorter) > 2 * sqrt(chosen_longer + chosen_shorter)
order by all
