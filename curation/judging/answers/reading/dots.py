r"""Lists that go on: `1, 2, \ldots, n`, `1:4:9:\ldots`. The dots stand among the items, as a name of their own."""

from curation.judging.answers.reading.stream import Stream
from curation.judging.answers.reading.values import Items, Name, Number, Value

DOTS = Name("…")


def dots(stream: Stream) -> Name | None:
    """Three dots, taken; None, with nothing taken, of anything else."""
    if [stream.sign(ahead) for ahead in range(3)] != [".", ".", "."]:
        return None
    stream.place += 3
    return DOTS


def goes_on(value: Value) -> bool:
    """Whether `value` is a list with dots."""
    return isinstance(value, Items) and DOTS in value.items


def ends(items: Items) -> "tuple[tuple[Value, ...], tuple[Value, ...]]":
    """What stands before the first dots and behind the last; all that is there twice where there are none."""
    if not goes_on(items):
        return items.items, items.items
    first, last = items.items.index(DOTS), items.items[::-1].index(DOTS)
    return items.items[:first], items.items[len(items.items) - last :]


def rise(items: Items) -> bool:
    """Whether a number comes first and none is below one before it: a set that is written in its one order."""
    numbers = [item.value for item in items.items if isinstance(item, Number)]
    return all(isinstance(item, Number) for item in items.items[:1]) and numbers == sorted(numbers)
