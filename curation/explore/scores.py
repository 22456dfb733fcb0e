"""What judges say of both sides of a pair, beside each other."""

from collections.abc import Iterator

from curation.explore.tables import Row
from curation.tables.contracts import SIDES


def put_beside(found: Row) -> Iterator[Row]:
    """Each judge with its dimensions; of a dimension the scale (`low` and `high`, null where it has none), by side the
    repeats and their mean (as the delta has it, where there is one), and the row of the delta, empty where there is
    none. `found` is what `describe_pair` knows of a pair."""
    deltas = {(row["judge"], row["dimension"]): row for row in found["deltas"]}
    by_side = {side: {judge["judge"]: judge for judge in found[side]["judges"]} for side in SIDES}
    names = [*by_side["chosen"], *(name for name, _ in deltas), *by_side["rejected"]]
    for name in dict.fromkeys(names):
        judges = {side: by_side[side].get(name, {"kind": None, "dimensions": {}}) for side in SIDES}
        said = [*judges["chosen"]["dimensions"], *(of for judge, of in deltas if judge == name)]
        dimensions = list[Row]()
        for dimension in dict.fromkeys([*said, *judges["rejected"]["dimensions"]]):
            rated = {side: judges[side]["dimensions"].get(dimension, {}) for side in SIDES}
            low, high = next(((one["low"], one["high"]) for one in rated.values() if one), (None, None))
            repeats = {side: rated[side].get("repeats", []) for side in SIDES}
            delta = deltas.get((name, dimension), {})
            means = {f"{side}_mean": delta.get(side, _mean(repeats[side])) for side in SIDES}
            dimensions.append({"dimension": dimension, "low": low, "high": high, **repeats, **means, "delta": delta})
        kind = judges["chosen"]["kind"] or judges["rejected"]["kind"]
        yield {"judge": name, "kind": kind, "dimensions": dimensions}


def _mean(repeats: list[Row]) -> float | None:
    """The mean of the repeats' scores, of each the expected one where there is one; None where none has any."""
    scores = [row["score"] if row.get("expected_score") is None else row["expected_score"] for row in repeats]
    there = [score for score in scores if score is not None]
    return sum(there) / len(there) if there else None
