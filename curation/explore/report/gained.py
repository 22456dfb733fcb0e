"""What was learnt: declared contrasts, the primary one first, and gains by the number of pairs."""

from collections.abc import Iterator

from curation.core.text import say_count
from curation.experiment.contrast_table import OTHERS
from curation.experiment.estimate import PROMPTS
from curation.experiment.forest import DELTAS, GAINS, SLOPES, find_slopes
from curation.experiment.margins import WITHIN
from curation.explore.report.asking import Asked, Row
from curation.explore.report.curves import Curve, Curves
from curation.explore.report.figures import Estimate, Figure, Panel
from curation.explore.report.measured import say_interval

ARM = ("method", "selection", "generator_pairs", "control")


def list_contrasts(asked: Asked) -> list[Row]:
    """The rows of `contrasts`, the primary one first, then by family, what belongs to none last."""
    return asked.ask("contrasts", f"""
        select * from contrasts
        order by not "primary", family = '{OTHERS}', family, contrast, benchmark""")  # fmt: skip


def draw_contrasts(asked: Asked, rows: list[Row]) -> Figure | None:
    """A forest: a panel for each unit, in each the primary contrast first, then the families."""
    slopes = find_slopes(asked.study) if rows else set()
    panels = []
    for unit in (GAINS, SLOPES, DELTAS):
        mine = [row for row in rows if _unit(row, slopes) == unit]
        if mine:
            panels.append(Panel(f"{unit}, 95 % intervals", list(_lines(mine)), unit))
    if not panels:
        return None
    primary = next((row for row in rows if row["primary"] and row["estimate"] is not None), None)
    said = f"; the primary one, {primary['contrast']}, is {say_interval(primary, 'estimate')}" if primary else ""
    return Figure("contrasts", "Contrasts", f"{say_count(len(rows), 'declared contrast')} with intervals{said}", panels)


def _unit(row: Row, slopes: set[str]) -> str:
    if row["scope"] == PROMPTS and row["runs"] == 0:
        return DELTAS
    return SLOPES if row["contrast"] in slopes else GAINS


def _lines(rows: list[Row]) -> Iterator[Estimate]:
    family = None
    for row in rows:
        if row["family"] != family and len(rows) > 1:
            yield Estimate(row["family"], heading=True)
        family = row["family"]
        name = row["contrast"].removeprefix(f"{family}.")
        says = "no result" if row["estimate"] is None else f"{say_interval(row, 'estimate')}{_verdict(row)}"
        margin = None
        if row["margin"]:
            words, size = row["margin"].rsplit(" ", 1)
            margin = (-float(size), float(size)) if words == WITHIN else (min(float(size), 0), max(float(size), 0))
        yield Estimate(name, row["estimate"], row["ci_low"], row["ci_high"], says, row["primary"], False, margin)


def _verdict(row: Row) -> str:
    if row["verdict"]:
        return f", {row['verdict']}"
    return "" if row["p_holm"] is None else f", p {row['p_holm']:.2g}"


def list_gains(asked: Asked) -> list[Row]:
    """Every gain: of an arm, over what it is against, on a benchmark."""
    return asked.ask(
        "comparisons", "select * from comparisons where gain is not null or refused is not null order by all"
    )


def draw_gains(asked: Asked) -> Figure | None:
    """Gains over the baseline, a panel for each benchmark and measure, all on one axis."""
    rows = asked.ask("comparisons", """
        select *, concat_ws(' ', method, selection, nullif(generator_pairs, 'any'), nullif(budget, 'own'), control)
            as line
        from comparisons where against = 'baseline' and gain is not null
        order by benchmark, measure, line""")  # fmt: skip
    panels: dict[str, list[Estimate]] = {}
    for row in rows:
        line = Estimate(row["line"], row["gain"], row["ci_low"], row["ci_high"], say_interval(row, "gain"))
        panels.setdefault(f"{row['benchmark']}, {row['measure']}", []).append(line)
    said = "; ".join(f"{row['benchmark']}, {row['line']}: {say_interval(row, 'gain')}" for row in rows[:20])
    text = f"Gain of each arm over the untrained student, with 95 % intervals: {said}"
    drawn = [Panel(f"{title}: gain over the untrained student", lines, "gain") for title, lines in panels.items()]
    return Figure("gains", "Gains over the untrained student", text, drawn) if drawn else None


def draw_efficiency(asked: Asked) -> Curves | None:
    """Gain over the baseline by the number of pairs, a panel for each method, selection and benchmark that was trained
    with more than one number; None without any."""
    rows = asked.ask("comparisons", """
        select *, concat_ws(' ', method, selection, generator_pairs, control) as line from comparisons
        where against = 'baseline' and pairs > 0 and gain is not null
        qualify count(distinct pairs) over (partition by benchmark, measure, line) > 1
        order by measure, benchmark, line, pairs, budget""")  # fmt: skip
    panels: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        panels.setdefault((row["line"], f"{row['benchmark']}, {row['measure']}"), []).append(row)
    curves = [
        Curve(
            *names,
            [row["pairs"] for row in points],
            [Estimate(names[0], row["gain"], row["ci_low"], row["ci_high"], _say_point(row)) for row in points],
        )
        for names, points in panels.items()
    ]
    said = "; ".join(
        f"{one.title}, {one.under}: {', '.join(point.says for point in one.points)}" for one in curves[:10]
    )
    text = f"Gain over the baseline by the number of pairs, with 95 % intervals: {said}"
    return Curves("efficiency", "Efficiency", text, "pairs", "gain", curves) if curves else None


def _say_point(row: Row) -> str:
    return f"{say_count(row['pairs'], 'pair')}: {say_interval(row, 'gain')}"
