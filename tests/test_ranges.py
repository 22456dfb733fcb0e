"""The range of every number in params.yaml: it has one, with a reason, and docs/params.md says which.

Kinds of fault: a setting that takes any number there is, and breaks a library or runs for ever; a page that says
another range than the check holds.
"""

import re
from pathlib import Path

from fields import Setting, settings

PAGE = (Path(__file__).parents[1] / "docs/params.md").read_text()
NUMBERS = [setting for setting in settings() if setting.type in (int, float)]
TERMS = ("plus", "minus", "sum", "trend.over", "regress.over", "runs", "each")
# a number or `own`: its validator says what it may be
ITS_OWN_WORDS = {"grid.budgets", "grid.arms.budget", *(f"contrasts.{term}.budget" for term in TERMS)}


def shown(setting: Setting) -> tuple[str, str, str]:
    """A range as the page prints it: from, to, why. A bound that is no value itself is `above 0`, `below 1`."""
    low, high = (
        f"{word} {bound:g}" if bound in setting.open else f"{bound:,}" if isinstance(bound, int) else f"{bound:g}"
        for word, bound in (("above", setting.low), ("below", setting.high))
    )
    return low, high, str(setting.why)


def test_every_number_has_two_ends_and_a_reason() -> None:
    assert len(NUMBERS) > 150
    bad = [one.place for one in NUMBERS if None in (one.low, one.high, one.why) and one.place not in ITS_OWN_WORDS]
    assert bad == []


def test_the_page_has_the_range_of_every_number() -> None:
    """A row is about a setting by its last name, or its last two where two settings of one name differ."""
    rows = re.findall(r"^\| (`[^|]*`) \| ([^|]*) \| ([^|]*) \| ([^|]*) \|$", PAGE, re.MULTILINE)
    page = {name: (low, high, why) for names, low, high, why in rows for name in re.findall(r"`([^`]*)`", names)}
    used = set()
    for setting in NUMBERS:
        if setting.place in ITS_OWN_WORDS:
            continue
        name = max((name for name in page if f".{setting.place}".endswith(f".{name}")), key=len, default="")
        assert page.get(name) == shown(setting), f"{setting.place}: {shown(setting)}"
        used.add(name)
    assert set(page) == used
