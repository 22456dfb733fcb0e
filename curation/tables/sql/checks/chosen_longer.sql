-- tables: findings
-- warning
-- The chosen trace, reasoning and answer together, is as often the longer one as the shorter one, within two standard
-- deviations of a coin. What such pairs teach may be length. Where there is reasoning, it says which part is longer.
select
    selection,
    concat(
        format('the chosen trace is longer in {} of {} pairs, shorter in {}', chosen_longer, pairs, chosen_shorter),
        case
            when reasoning_longer + reasoning_shorter > 0
                then format(
                    ': its reasoning longer in {}, shorter in {}, its answer longer in {}, shorter in {}',
                    reasoning_longer, reasoning_shorter, answer_longer, answer_shorter
                )
        end
    ) as finding
from findings
where abs(chosen_longer - chosen_shorter) > 2 * sqrt(chosen_longer + chosen_shorter)
order by all
