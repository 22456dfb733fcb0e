"""What somebody sits down to label, and how: all of it stands in the address of the page."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from curation.core.errors import CurationError, Errors
from curation.core.messages import did_you_mean
from curation.core.study import Study
from curation.explore.labels.gold import ORDERS, RANDOM
from curation.explore.lists.pair_columns import pair_names
from curation.tables.ids import content_id

SAMPLES = {RANDOM: "at random", "cut": "near a selection's cut", "disagree": "where two judges disagree"}
FILTERED = "filter"  # what a random sample is called that a filter is laid on
MOST_NAME = 60  # characters
HIGHEST = 9  # score that one key says
YES = "yes"


class Session(NamedTuple):
    """`labeller` labels pairs of a sample, of which an expression may leave some out, in an order that `seed` draws.
    `blind`: nothing of who wrote a side, or of what judges say, is shown. `dimensions`: on which both sides are scored
    too. `width`: the half-width that is wanted of a judge's accuracy. `skipped`: those that were skipped come too.
    `keys`: single keys answer."""

    labeller: str
    sample: str = RANDOM
    selection: str = ""
    judges: tuple[str, str] = ("", "")
    where: str = ""
    seed: int = 0
    blind: bool = True
    dimensions: tuple[str, ...] = ()
    width: float = 0.1
    skipped: bool = False
    keys: bool = True

    @property
    def rule(self) -> dict[str, Any]:
        """What is written with a label of how its pair was come by."""
        about: dict[str, Any] = {"selection": self.selection} if self.sample == "cut" else {}
        about |= {"judges": list(self.judges)} if self.sample == "disagree" else {}
        kind = FILTERED if self.sample == RANDOM and self.where else self.sample
        return {"kind": kind, "seed": self.seed, **about, **({"where": self.where} if self.where else {})}

    def query(self) -> list[tuple[str, str]]:
        """What the address of its page says, so that `read_session` reads it again."""
        plain = {"labeller": self.labeller, "sample": self.sample, "seed": str(self.seed), "width": f"{self.width:g}"}
        named = plain | {"selection": self.selection, "a": self.judges[0], "b": self.judges[1], "where": self.where}
        ticked = {name: YES for name in ("blind", "skipped", "keys") if getattr(self, name)}
        return [item for item in (named | ticked).items() if item[1]] + [
            ("dimension", name) for name in self.dimensions
        ]

    def order(self, pair_id: int) -> str:
        """Which side of a pair this labeller is shown first."""
        return ORDERS[content_id(pair_id, self.labeller, self.seed) & 1]


def read_session(query: Mapping[str, str], dimensions: list[str], study: Study) -> Session:
    """The session of an address. Raises Errors that names all that it says wrongly."""
    said = Session(
        labeller=" ".join(query.get("labeller", "").split()),
        sample=query.get("sample", RANDOM),
        selection=query.get("selection", ""),
        judges=(query.get("a", ""), query.get("b", "")),
        where=query.get("where", "").strip(),
        blind=query.get("blind") == YES,
        dimensions=tuple(dict.fromkeys(dimensions)),
        skipped=query.get("skipped") == YES,
        keys=query.get("keys") == YES,
    )
    faults = list(_find_faults(said, study))
    numbers: dict[str, Any] = {}
    for name, kind, low, high, default in (("seed", int, 0, 2**31, "0"), ("width", float, 0.01, 0.5, "0.1")):
        try:
            numbers[name] = kind(query.get(name) or default)
            if not low <= numbers[name] <= high:
                raise ValueError
        except ValueError:
            faults.append(
                f"{name}: {query[name]!r} is no {'whole number' if kind is int else 'number'} from {low} to {high}"
            )
    if faults:
        raise Errors(faults)
    return said._replace(**numbers)


def is_name(text: str) -> bool:
    """Whether a labeller can be called so."""
    return 0 < len(text) <= MOST_NAME and text.isprintable()


def _find_faults(said: Session, study: Study) -> list[str]:
    faults = []
    if not is_name(said.labeller):
        faults.append(f"labeller: say who labels, in 1 to {MOST_NAME} characters")
    if said.sample not in SAMPLES:
        faults.append(f"sample: {said.sample!r} is none{did_you_mean(said.sample, SAMPLES)}")
    if said.sample == "cut" and said.selection not in study.selections:
        faults.append(f"selection: {said.selection!r} is none{did_you_mean(said.selection, study.selections)}")
    if said.sample == "disagree":
        known = list_judged(study)
        faults += [f"judge: {one!r} is none{did_you_mean(one, known)}" for one in said.judges if one not in known]
        if said.judges[0] == said.judges[1]:
            faults.append(f"judge: {said.judges[0]!r} agrees with itself; name two")
    if said.where and (fault := pair_names(study).mistake(said.where, "boolean")):
        faults.append(f"where: {fault}")
    scored = list_scales(study)
    faults += [f"dimension: {one!r} is none{did_you_mean(one, scored)}" for one in said.dimensions if one not in scored]
    return faults


def list_judged(study: Study) -> list[str]:
    """Every judge and dimension that has deltas, as `rubric.logic`."""
    return [f"{judge}.{dimension}" for judge, names in study.dimensions.items() for dimension in names]


def list_scales(study: Study) -> dict[str, dict[int, str]]:
    """The dimensions that people may score, those of the study's judges whose scores are a few whole numbers that one
    digit says: what each score stands for, as far as a rubric says it."""
    found: dict[str, dict[int, str]] = {}
    for judge in study.judges.values():
        scales: dict[str, tuple[float, float]] = getattr(judge, "scales", {})
        for name, (low, high) in scales.items():
            if low >= 0 and high <= HIGHEST and low == int(low) and high == int(high):
                rubric = getattr(getattr(judge, "dimensions", {}).get(name), "scores", {})
                found.setdefault(name, {score: rubric.get(score, "") for score in range(int(low), int(high) + 1)})
    return found


def refuse_unknown_score(scales: Mapping[str, Mapping[int, str]], dimension: str, text: str) -> float:
    """The score that a form says. Raises CurationError if it is off the dimension's scale."""
    scale = scales[dimension]
    if text not in map(str, scale):
        raise CurationError(f"{dimension}: {text!r} is not from {min(scale)} to {max(scale)}")
    return float(text)
