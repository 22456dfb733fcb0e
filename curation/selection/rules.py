"""The language of selections: what a pair is worth, which are kept, how many, of which sorts, and in which order
they are learnt from."""

from collections.abc import Iterator
from typing import Annotated, Literal, NamedTuple, Self, TypeAlias

from pydantic import AfterValidator, Field, model_validator

from curation.core.params import Column, Positive, Share, Strict
from curation.core.study import Study
from curation.selection import candidates

IDENTICAL, UNSCORED, OUTSIDE, REVERSED, PER_PROMPT, GENERATOR_SHARE, OVER_BUDGET, KEPT = (
    "identical", "unscored", "outside_band", "reversed", "per_prompt", "generator_share", "over_budget", "kept",
)  # fmt: skip
COST = {"cost": "chosen.tokens + rejected.tokens"}  # what a budget of tokens counts, of a pair
GENERATOR_PAIRS = "generator_pairs"  # an arm's own requirement, on which generators wrote the pair
REASONS = (IDENTICAL, UNSCORED, GENERATOR_PAIRS, OUTSIDE, REVERSED, PER_PROMPT, GENERATOR_SHARE, OVER_BUDGET, KEPT)


class End(Strict):
    """The pairs of highest value, or of lowest."""

    kind: Literal["top", "bottom"]


class Random(Strict):
    """Pairs in the order of their draws; a value, if there is one, is only their margin."""

    kind: Literal["random"]


class Band(Strict):
    """The pairs whose value is from `low` to `high` (null: no end), in the order of their draws."""

    kind: Literal["band"]
    low: float | None
    high: float | None

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"low {self.low:g} is above high {self.high:g}")
        return self


class Quantiles(Strict):
    """The pairs whose rank by value is above the share `low` and up to the share `high` of those in question, in the
    order of their draws."""

    kind: Literal["quantiles"]
    low: Annotated[float, Field(ge=0, le=1)]
    high: Annotated[float, Field(ge=0, le=1)]

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"low {self.low:g} is not below high {self.high:g}")
        return self


class Nearest(Strict):
    """The pairs whose value is nearest to `target`, a number or an expression."""

    kind: Literal["nearest"]
    target: float | str


Keep: TypeAlias = Annotated[End | Random | Band | Quantiles | Nearest, Field(discriminator="kind")]


class Strata(Strict):
    """The budget is divided among the distinct values of `by`: `proportional` to their pairs, or `equal` as far as
    there are some."""

    by: str
    shares: Literal["equal", "proportional"]


class GeneratorShare(Strict):
    """No generator writes more than the share `at_most` of the kept pairs' `side`."""

    side: Literal["chosen", "rejected"]
    at_most: Share


class Limits(Strict):
    """`per_prompt` pairs of one prompt at most; no more of one generator than `generator_share` allows; null: no
    limit."""

    per_prompt: Positive | None
    generator_share: GeneratorShare | None


class Order(Strict):
    """A curriculum: trainers see the pairs by `by`, lowest or highest first, and do not shuffle them."""

    by: str
    first: Literal["lowest", "highest"]


def _one(budget: dict[str, float]) -> dict[str, float]:
    if len(budget) != 1:
        raise ValueError("give one of pairs, share and tokens")
    ((unit, amount),) = budget.items()
    if unit == "share" and not 0 < amount <= 1:
        raise ValueError(f"share {amount:g} is not above 0 and up to 1")
    if unit != "share" and (amount < 0 or amount != int(amount)):
        raise ValueError(f"{unit} {amount:g} is not a whole number from 0")
    return budget


class Params(Strict):
    """One of `selections` in params.yaml.

    `value` is an SQL expression over the candidate's columns, and the pair's margin; it may be null where `keep` is
    random. A pair is kept only if each expression of `require` is true, and else dropped for the first that is not, by
    its name. `budget` is so many `pairs`, a `share` of those that nothing else drops, or `tokens` of both sides under
    the student's tokenizer; null keeps all. Equal ranks come in the order of draws by `seed`.
    """

    value: str | None
    require: dict[Column, str]
    keep: Keep
    budget: Annotated[dict[Literal["pairs", "share", "tokens"], float], AfterValidator(_one)] | None
    strata: Strata | None
    limits: Limits
    order: Order | None
    seed: int

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.value is None and self.keep.kind != "random":
            raise ValueError(f"keep {self.keep.kind} ranks by a value; give one")
        if self.strata is not None and (self.budget is None or "tokens" in self.budget):
            raise ValueError("strata divide a budget of pairs or a share; give one")
        if taken := [name for name in self.require if name in REASONS]:
            raise ValueError(f"require.{taken[0]}: that is a reason already; give it another name")
        return self

    @property
    def tokens(self) -> bool:
        """Whether the budget is in tokens."""
        return self.budget is not None and "tokens" in self.budget

    @property
    def expressions(self) -> dict[str, "Asked"]:
        """Every expression by where it stands, and what it must give."""
        found = {"value": Asked(self.value, "number")} if self.value is not None else {}
        found |= {f"require.{name}": Asked(text, "boolean") for name, text in self.require.items()}
        if isinstance(self.keep, Nearest) and isinstance(self.keep.target, str):
            found["keep.target"] = Asked(self.keep.target, "number")
        if self.strata is not None:
            found["strata.by"] = Asked(self.strata.by, "name")
        if self.order is not None:
            found["order.by"] = Asked(self.order.by, "number")
        return found

    def mistakes(self, study: Study) -> Iterator[str]:
        """What is wrong with the expressions, given what there is to name: `value: …`."""
        if self.tokens and not study.tokens.count:
            yield "budget.tokens: tokens are not counted; set tokens.count: true"
        for where, asked in self.expressions.items():
            if said := candidates.mistake(asked.text, study, asked.wanted):
                yield f"{where}: {said}"


class Asked(NamedTuple):
    """An expression, and the sort of value it must give."""

    text: str
    wanted: str
