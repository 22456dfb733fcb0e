"""Exchanges along augmenting paths, against SciPy's maximum flow.

Kinds of fault: a path that stops before one that there is; a row drawn twice, or beyond a limit; a row of another
group; the pairs that rank first passed over.
"""

import doctest

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_flow

from curation.experiment import matching
from curation.experiment.matching import augment, draw_matched
from curation.selection.ranking import Ranker

GROUPS, PROMPTS = 5, 6


def most_that_match(group: np.ndarray, prompt: np.ndarray, need: np.ndarray, limit: int) -> int:
    """How many rows can be drawn, by SciPy: the source is node 0, the sink the last one."""
    rows = len(group)
    first_row, first_prompt, sink = 1 + GROUPS, 1 + GROUPS + rows, 1 + GROUPS + rows + PROMPTS
    edges = [
        *((0, 1 + number, int(count)) for number, count in enumerate(need)),
        *((1 + int(group[row]), first_row + row, 1) for row in range(rows)),
        *((first_row + row, first_prompt + int(prompt[row]), 1) for row in range(rows)),
        *((first_prompt + number, sink, limit) for number in range(PROMPTS)),
    ]
    tails, heads, capacities = (np.array(column, np.int32) for column in zip(*edges, strict=True))
    return int(maximum_flow(csr_array((capacities, (tails, heads)), shape=(sink + 1, sink + 1)), 0, sink).flow_value)


CANDIDATES = st.lists(st.tuples(st.integers(0, GROUPS - 1), st.integers(0, PROMPTS - 1)), min_size=1, max_size=40)


@given(CANDIDATES, st.data(), st.integers(1, 3), st.integers(0, 9))
def test_as_many_are_drawn_as_any_flow_allows(
    candidates: list[tuple[int, int]], data: st.DataObject, limit: int, seed: int
) -> None:
    group, prompt = (np.array(column) for column in zip(*candidates, strict=True))
    everything = np.arange(len(group))
    own = np.array(data.draw(st.lists(st.sampled_from(everything.tolist()), unique=True, max_size=12)), np.int64)
    rows = draw_matched(own, everything, group, prompt, limit, Ranker(everything, seed))
    need = np.bincount(group[own], minlength=GROUPS)
    assert len(rows) == most_that_match(group, prompt, need, limit)
    assert len(set(rows.tolist())) == len(rows) and np.all(np.diff(rows) > 0)
    assert np.all(np.bincount(group[rows], minlength=GROUPS) <= need)
    assert np.bincount(prompt[rows], minlength=PROMPTS).max() <= limit


def test_a_path_goes_through_as_many_prompts_as_it_takes() -> None:
    """Group 0 needs a row, and its only one is at prompt 0, which group 1 fills; that of group 1 is at prompt 1, which
    group 2 fills, and so on: only the last prompt has room."""
    length = 30
    group = np.array([0, *(number for number in range(1, length) for _ in range(2))])
    prompt = np.array([0, *(place for number in range(1, length) for place in (number - 1, number))])
    drawn = np.arange(1, 2 * length - 1, 2)  # each group but 0 at the prompt before its own
    need, room = np.eye(1, length, dtype=np.int64)[0], np.eye(1, length, length - 1, dtype=np.int64)[0]
    rows = augment(drawn, np.arange(len(group)), group, prompt, need, room)
    assert rows.tolist() == [0, *range(2, 2 * length - 1, 2)]
    assert room.tolist() == [0] * (length - 1) + [1]  # what is given stays as it is


def test_two_groups_do_not_both_take_the_last_room() -> None:
    """Groups 0 and 1 can give up prompts 0 and 2 for prompt 1, which has room for one of them."""
    group, prompt = np.array([0, 0, 1, 1, 2, 3]), np.array([0, 1, 2, 1, 0, 2])
    rows = augment(np.array([0, 2]), np.arange(6), group, prompt, np.array([0, 0, 1, 1]), np.array([0, 1, 0]))
    assert rows.tolist() == [1, 2, 4]


def test_the_rows_that_rank_first_are_drawn_where_nothing_is_in_their_way() -> None:
    ids, group = np.arange(100), np.zeros(100, np.int64)
    ranker = Ranker(ids, 7)
    rows = draw_matched(np.arange(10), ids, group, ids, 1, ranker)
    assert rows.tolist() == sorted(ids[ranker.argsort(ids)][:10].tolist())


def test_the_example_of_the_docstring_is_true() -> None:
    assert doctest.testmod(matching) == (0, 2)  # none failed of two
