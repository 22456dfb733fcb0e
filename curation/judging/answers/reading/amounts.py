"""Whether two amounts are the same, with their units or against a number without one."""

from fractions import Fraction

from curation.judging.answers.reading.equality import equal_formulas
from curation.judging.answers.reading.exact import names
from curation.judging.answers.reading.units import are_words, describe_alike, factor
from curation.judging.answers.reading.values import Apply, Formula, Number, Quantity


def equal_quantities(one: Quantity, other: Quantity) -> bool:
    """Whether two are the same, converted where their units measure the same. Raises LimitError."""
    ratio = factor(one.unit, other.unit)
    if ratio is not None:
        return equal_formulas(_times(one.amount, ratio), other.amount)
    if {one.unit, other.unit} == {"°", "rad"}:
        degrees, radians = (one, other) if one.unit == "°" else (other, one)
        return equal_formulas(Apply("degrees", (degrees.amount,)), radians.amount)
    alike = are_words(one.unit) and are_words(other.unit) and describe_alike(one.unit, other.unit)
    return alike and equal_formulas(one.amount, other.amount)


def equal_bare(quantity: Quantity, formula: Formula) -> bool:
    """A number with a unit against one without: the same number; of a percentage also its hundredth, of degrees also
    the angle. Raises LimitError."""
    if equal_formulas(quantity.amount, formula):
        return True
    if quantity.unit == "%":
        return equal_formulas(_times(quantity.amount, Fraction(1, 100)), formula)
    return quantity.unit == "°" and not names(formula) and equal_formulas(Apply("degrees", (quantity.amount,)), formula)


def _times(formula: Formula, ratio: Fraction) -> Formula:
    return formula if ratio == 1 else Apply("*", (Number(ratio), formula))
