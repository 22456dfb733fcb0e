"""A scorecard for each judge: what is measured of it held to what is acceptable, by intervals and not by points.

`ASPECTS` is the one place where the ranges stand; docs/judging.md says why they are what they are."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from curation.explore.report.asking import Asked, Row

GOOD, DOUBTFUL, BAD = "good", "doubtful", "bad"
WORST_FIRST = (BAD, DOUBTFUL, GOOD)
NOISE, POSITION = "noise", "position"
ANSWER, REWARD = "answer", "reward"  # kinds of judges
GIVEN = ("imported", "listed")  # kinds whose ratings or verdicts a file of the user's holds, most of them of people
NO_REPEATS = {
    ANSWER: "it asks no model",
    REWARD: "it reads each trace once, and draws nothing",
    **dict.fromkeys(GIVEN, "nothing is rated twice: have a part of it rated again"),
}


class Aspect(NamedTuple):
    """`measures` gives of each its acceptable range, in the order in which they are preferred: with `either` the first
    that was measured speaks for a dimension, else all of them do. `of_scale`: the range is in widths of the judge's
    scale; `of_truth`: the truth itself has none. `unknown` is said where nothing was measured, `advice` where it is not
    good, or what `instead` has for the judge's kind: people have no max_tokens."""

    name: str
    measures: Mapping[str, tuple[float, float]]
    advice: str
    unknown: str
    instead: Mapping[str, str]
    either: bool = False
    of_scale: bool = False
    of_truth: bool = False


ASPECTS = (
    Aspect(
        "agreement with the truth",
        {"auroc": (0.7, 1), "pairwise_accuracy": (0.7, 1)},
        "another judge, or the reference in its prompt",
        "nothing says which side is right: set reliability.truth",
        {ANSWER: "another verifier or extraction", REWARD: "another judge"}
        | dict.fromkeys(GIVEN, "more raters of each, a clearer question, or the reference beside it"),
        either=True,
        of_truth=True,
    ),
    Aspect(
        POSITION,
        {"first_position_rate": (0.4, 0.6), "position_inconsistency": (0, 0.35)},
        "use its strengths over both orders, not its verdicts",
        "it sees one trace at a time",
        dict.fromkeys(GIVEN, "have each pair judged in both orders, or draw the order for each rater"),
    ),
    Aspect(
        "length",
        {f"{part}length_correlation_equally_right": (-0.1, 0.1) for part in ("", "reasoning_", "answer_")},
        "length-matched pairs, or a rubric that says that length earns nothing",
        "no pairs are known to be equally right",
        {ANSWER: "length-matched pairs", REWARD: "length-matched pairs, or another judge"}
        | dict.fromkeys(GIVEN, "length-matched pairs, or a question that says that length earns nothing"),
        of_truth=True,
    ),
    Aspect(
        "self-preference",
        {"self_preference": (-0.05, 0.05)},
        "a judge of another family; but a family may write better, too",
        "no family in reliability.families, or all traces are of one",
        dict.fromkeys(GIVEN, "hide from raters who wrote what; but a family may write better, too"),
        of_scale=True,
    ),
    Aspect(
        NOISE,
        {"repeat_alpha": (0.667, 1)},
        "more repeats, or temperature 0",
        "one repeat: raise repeats",
        dict.fromkeys(GIVEN, "more raters of each, or a clearer question"),
    ),
    Aspect(
        "coverage",
        {"coverage": (0.9, 1)},
        "look at status: raise max_tokens, a stricter response format, another model",
        "no replies of its own",
        {
            ANSWER: "look at status: another extraction, or a reference for each prompt",
            REWARD: "look at status: raise engine.max_length where it is truncated",
        }
        | dict.fromkeys(GIVEN, "have the rest rated; status says what is missing"),
    ),
)

BECAUSE = {  # of each measure why it is acceptable where it is
    "auroc": "of ten pairs with one right side it then orders seven rightly; the usual lower bound of an acceptable "
    "test (Hosmer and Lemeshow)",
    "pairwise_accuracy": "the same; only where there is no auroc",
    "first_position_rate": "the place then decides less than what the traces say",
    "position_inconsistency": "GPT-4's own on MT-Bench (arXiv 2306.05685)",
    "length_correlation_equally_right": "Cohen's small effect: length explains 1 % of the delta",
    "reasoning_length_correlation_equally_right": "the same",
    "answer_length_correlation_equally_right": "the same",
    "self_preference": "of the width of the judge's scale: a fifth of a point from 1 to 5",
    "repeat_alpha": "Krippendorff's lowest limit",
    "coverage": "what is not scored may be what is hard to judge",
}


def grade(low: float | None, high: float | None, acceptable: tuple[float, float]) -> str:
    """Good where the whole interval is acceptable, bad where none of it is, doubtful where its end is on either side
    or where there is none: more labels, prompts or repeats would tell."""
    if low is None or high is None:
        return DOUBTFUL
    if acceptable[0] <= low and high <= acceptable[1]:
        return GOOD
    return BAD if high < acceptable[0] or low > acceptable[1] else DOUBTFUL


def scorecards(asked: Asked) -> list[Row]:
    """By judge `judge`, and `aspects`: of each its `name`, the worst `grade` over the dimensions with the
    `figure` that it rests on, how many dimensions have which (`counts`), and `advice`; where nothing was measured no
    grade, and why, in `unknown`. `advice` are those that are not good, `measured` every figure that was graded."""
    rows = asked.ask("reliability", "select * from reliability where value is not null order by all")
    scales = {
        (row["judge"], row["dimension"]): row["high"] - row["low"]
        for row in asked.ask("scales", "select * from scales where low is not null and high is not null")
    } | {(judge, name): 2.0 for judge in asked.study.pairwise_judges for name in asked.study.dimensions[judge]}
    by_judge: dict[str, list[Row]] = {}
    for row in rows:
        by_judge.setdefault(row["judge"], []).append(row)
    cards = []
    for judge in asked.study.dimensions:
        if measured := by_judge.get(judge):
            made = [_card(aspect, measured, scales, *_say(asked, judge, aspect)) for aspect in ASPECTS]
            advice = [one for one in made if one["grade"] in (DOUBTFUL, BAD)]
            graded = [row for aspect in ASPECTS for row in _graded(aspect, measured, scales)]
            cards.append({"judge": judge, "aspects": made, "advice": advice, "measured": graded})
    return cards


def _say(asked: Asked, judge: str, aspect: Aspect) -> tuple[str, str]:
    """What to do where an aspect of a judge is not good, and why, where nothing was measured of it."""
    body = (asked.study.judges | asked.study.pairwise_judges).get(judge)
    kind = body.kind if body is not None else ""
    advice, unknown = aspect.instead.get(kind, aspect.advice), aspect.unknown
    if judge == asked.study.reliability.truth and aspect.of_truth:
        unknown = "the others are held to it"
    elif judge in asked.study.delta.panels:
        unknown = "see its members"
    elif aspect.name == NOISE:
        unknown = NO_REPEATS.get(kind, unknown)
    elif aspect.name == POSITION and judge in asked.study.pairwise_judges:
        unknown = "nothing says in which order the two were shown"
    return advice, unknown


def _card(
    aspect: Aspect, rows: Sequence[Row], scales: Mapping[tuple[str, str], float], advice: str, unknown: str
) -> Row:
    graded = list(_graded(aspect, rows, scales))
    made: Row = {"name": aspect.name, "grade": None, "unknown": unknown, "advice": advice}
    if not graded:
        return made
    # the figure that is furthest from acceptable stands for all
    worst = min(graded, key=lambda row: (WORST_FIRST.index(row["grade"]), -row["outside"], row["dimension"]))
    counts = {one: found for one in WORST_FIRST[::-1] if (found := sum(row["grade"] == one for row in graded))}
    return made | {"grade": worst["grade"], "figure": worst, "counts": counts}


def _graded(aspect: Aspect, rows: Sequence[Row], scales: Mapping[tuple[str, str], float]) -> list[Row]:
    """The rows of the aspect's measures with their `grade`, `range`, and how far `outside` of it the interval reaches,
    in widths of it; nothing in widths of a scale where the judge has none."""
    graded, spoken = list[Row](), set[str]()
    for measure, ends in aspect.measures.items():
        for row in rows:
            if row["measure"] != measure or (aspect.either and row["dimension"] in spoken):
                continue
            spoken.add(row["dimension"])
            width = scales.get((row["judge"], row["dimension"])) if aspect.of_scale else 1.0
            if width is None:
                continue
            low, high = ends[0] * width, ends[1] * width
            from_, to = (row["value"] if row[end] is None else row[end] for end in ("ci_low", "ci_high"))
            outside = max(low - from_, to - high) / (high - low)
            said = {"grade": grade(row["ci_low"], row["ci_high"], (low, high)), "range": (low, high)}
            graded.append(row | said | {"aspect": aspect.name, "outside": outside})
    return graded
