"""The language of selections: what a pair is worth, which are kept, how many, of which sorts, and in which order
they are learnt from."""

from collections.abc import Iterator
from typing import Annotated, Literal, NamedTuple, Self, TypeAlias

from pydantic import AfterValidator, Field, model_validator

from curation.core.params import Column, Strict
from curation.core.ranges import Filled, HashedSeed, Positive, Share
from curation.core.study import Study
from curation.selection import column_names
from curation.selection.unpaired import Amount, Unpaired, one_of
from curation.tables.expressions.evaluation import ResultType
from curation.tables.expressions.syntax import ColumnName, parse

IDENTICAL, UNSCORED, REPEATED, OUTSIDE, REVERSED, PER_PROMPT, GENERATOR_SHARE, OVER_BUDGET, KEPT = (
    "identical", "unscored", "repeated", "outside_band", "reversed", "per_prompt", "generator_share", "over_budget",
    "kept",
)  # fmt: skip
PAIR_TOKENS = "chosen.tokens + rejected.tokens"  # what a pair takes of a budget of tokens
GENERATOR_PAIRS = "generator_pairs"  # an arm's own requirement on the two generators of a pair
NEVER_RANKED = (IDENTICAL, GENERATOR_PAIRS, UNSCORED, REPEATED)
# in the order in which they apply; a selection's own requirements come where GENERATOR_PAIRS stands
REASONS = (*NEVER_RANKED, OUTSIDE, REVERSED, PER_PROMPT, GENERATOR_SHARE, OVER_BUDGET, KEPT)

Value: TypeAlias = Annotated[float, Field(ge=-1e300, le=1e300, description="differences of values stay finite")]
Quantile: TypeAlias = Annotated[float, Field(ge=0, le=1, description="a share of the candidates")]
Budget: TypeAlias = Annotated[
    dict[Literal["pairs", "share", "tokens"], Amount], AfterValidator(one_of("pairs, share and tokens"))
]


class Expression(NamedTuple):
    """An SQL expression of params.yaml, and what it must give."""

    text: str
    result_type: ResultType


class End(Strict):
    """The pairs of highest value, or of lowest."""

    kind: Literal["top", "bottom"]


class Random(Strict):
    """Pairs in the order of their draws. A value, if there is one, is their margin and nothing else."""

    kind: Literal["random"]


class Band(Strict):
    """The pairs whose value is from `low` to `high` (null: no limit), in the order of their draws."""

    kind: Literal["band"]
    low: Value | None
    high: Value | None

    @model_validator(mode="after")
    def _check_bounds(self) -> Self:
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"low {self.low:g} is above high {self.high:g}")
        return self


class Quantiles(Strict):
    """The pairs between two quantiles of the value, above the share `low` and up to the share `high` of those ranked,
    in the order of their draws."""

    kind: Literal["quantiles"]
    low: Quantile
    high: Quantile

    @model_validator(mode="after")
    def _check_bounds(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"low {self.low:g} is not below high {self.high:g}")
        return self


class Nearest(Strict):
    """The pairs whose value is nearest to `target`, a number or an expression."""

    kind: Literal["nearest"]
    target: Value | Filled


Keep: TypeAlias = Annotated[End | Random | Band | Quantiles | Nearest, Field(discriminator="kind")]


class Strata(Strict):
    """The budget is divided among the distinct values of `by`: `proportional` to their numbers of pairs, or `equal`
    as far as there are enough."""

    by: str
    shares: Literal["equal", "proportional"]


class GeneratorShare(Strict):
    """No generator wrote more than the share `at_most` of the kept pairs' `side`."""

    side: Literal["chosen", "rejected"]
    at_most: Share


class Limits(Strict):
    """At most `per_prompt` pairs of one prompt, and no more of one generator than `generator_share` allows; null: no
    limit."""

    per_prompt: Positive | None
    generator_share: GeneratorShare | None


class Curriculum(Strict):
    """Trainers see the pairs in the order of `by`, lowest or highest first, and do not shuffle them."""

    by: str
    first: Literal["lowest", "highest"]


class Params(Strict):
    """One of `selections` in params.yaml.

    `value` is an SQL expression over the columns of a candidate; it is the pair's margin, and may be null where `keep`
    is random. A pair is kept only if each expression of `require` is true; the first that is not is the reason, by its
    name. `p_chosen` is the probability that chosen is the better side, for methods that learn from soft labels; null,
    or left out: none. `budget` is a number of `pairs`, a `share` of those that nothing else drops, or a number of
    `tokens` of both sides by the student's tokenizer; null keeps all. Equal ranks come in the order of draws by `seed`.
    `unpaired` says which single traces are examples with a label; null, or left out: the traces of the kept pairs.
    """

    value: str | None
    require: dict[Column, str]
    keep: Keep
    budget: Budget | None
    strata: Strata | None
    limits: Limits
    order: Curriculum | None
    seed: HashedSeed
    unpaired: Unpaired | None = None
    p_chosen: Filled | None = None

    @model_validator(mode="after")
    def _check_parts(self) -> Self:
        if self.value is None and self.keep.kind != "random":
            raise ValueError(f"keep {self.keep.kind} ranks by a value; give one")
        if self.strata is not None and (self.budget is None or "tokens" in self.budget):
            raise ValueError("strata divide a budget of pairs or a share; give one")
        if self.unpaired is not None and self.order is not None:
            raise ValueError("order is of pairs, and unpaired takes single traces, in no order; leave one of them out")
        if reserved := [name for name in self.require if name in REASONS]:
            raise ValueError(f"require.{reserved[0]}: that is a reason already; give it another name")
        return self

    @property
    def reasons(self) -> list[str]:
        """Every reason that a verdict may have, in the order in which they apply."""
        required = REASONS.index(GENERATOR_PAIRS)
        return [*REASONS[:required], *self.require, *REASONS[required + 1 :]]

    @property
    def has_token_budget(self) -> bool:
        """Whether the budget is in tokens."""
        return self.budget is not None and "tokens" in self.budget

    @property
    def takes_no_pair(self) -> bool:
        """Whether it is of single traces alone."""
        return self.unpaired is not None and self.budget == {"pairs": 0}

    @property
    def ranking_expressions(self) -> list[str]:
        """What says what it ranks by."""
        return [expression.text for at, expression in self.expressions.items() if at in ("value", "keep.target")]

    @property
    def ranking_columns(self) -> tuple[ColumnName, ...]:
        """The columns that what it ranks by names."""
        return tuple(column for text in self.ranking_expressions for column in parse(text).columns)

    @property
    def expressions(self) -> dict[str, Expression]:
        """Every expression by its place in the selection, such as `keep.target`."""
        placed = {"value": Expression(self.value, "number")} if self.value is not None else {}
        placed |= {f"require.{name}": Expression(text, "boolean") for name, text in self.require.items()}
        if isinstance(self.keep, Nearest) and isinstance(self.keep.target, str):
            placed["keep.target"] = Expression(self.keep.target, "number")
        if self.strata is not None:
            placed["strata.by"] = Expression(self.strata.by, "name")
        if self.order is not None:
            placed["order.by"] = Expression(self.order.by, "number")
        if self.p_chosen is not None:
            placed["p_chosen"] = Expression(self.p_chosen, "number")
        return placed

    def mistakes(self, study: Study) -> Iterator[str]:
        """What is wrong with the expressions, given the study's columns: `value: …`."""
        if self.has_token_budget and not study.renderings.count:
            yield "budget.tokens: tokens are not counted; set renderings.count: true"
        for place, expression in self.expressions.items():
            if message := column_names.mistake(expression.text, study, expression.result_type):
                yield f"{place}: {message}"
            elif place == "p_chosen" and parse(expression.text).has_window:
                yield f"p_chosen: {expression.text!r} is of several pairs at once; write one of a pair's own columns"
        if self.unpaired is not None:
            yield from (f"unpaired.{line}" for line in self.unpaired.mistakes(study))
