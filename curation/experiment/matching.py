"""Pairs drawn at random so that as many have each combination of matched values as the selection has, under a limit
of pairs of one prompt.

Whether there are enough is a question of flow. The source feeds each group of equal values as many units as it needs
pairs; every candidate is an edge of capacity one from its group to its prompt; each prompt drains into the sink as many
units as it has room for. Pairs are drawn group by group first. What is still missing is found along augmenting paths,
the shortest first (Edmonds and Karp, JACM 1972): a group's pair enters a full prompt, the pair that leaves it is
replaced by another of its own group elsewhere, and so on to a prompt with room.
"""

from collections import defaultdict, deque
from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

import numpy as np

from curation.selection.ranking import Ranker


class Exchange(NamedTuple):
    """One step of an augmenting path: the row that enters its prompt, and the row that leaves it; none leaves the last
    prompt, which has room."""

    enters: int
    leaves: int | None


Drawn: TypeAlias = Mapping[int, set[int]]  # the rows drawn of each prompt


def draw_matched(
    own: np.ndarray, pool: np.ndarray, group: np.ndarray, prompt: np.ndarray, limit: int, ranker: Ranker
) -> np.ndarray:
    """As many rows of `pool` of each group as `own` has, sorted: those that rank first, and at most `limit` of one
    prompt. Fewer only where the limit leaves no other way.

    `own` and `pool` are row numbers of `group` and `prompt`, which are numbered from 0.
    """
    need = np.bincount(group[own], minlength=int(group.max(initial=0)) + 1)
    room = np.full(int(prompt.max(initial=0)) + 1, limit)
    drawn, left = [pool[:0]], pool
    while len(left := left[(need[group[left]] > 0) & (room[prompt[left]] > 0)]):
        first = left[ranker.first_of_each(need[group[left]], group[left], left)]
        first = first[ranker.first_of_each(room[prompt[first]], prompt[first], first)]
        drawn.append(first)
        need -= np.bincount(group[first], minlength=len(need))
        room -= np.bincount(prompt[first], minlength=len(room))
        left = left[~np.isin(left, first)]
    rows = np.concatenate(drawn)
    return np.sort(augment(rows, pool[ranker.argsort(pool)], group, prompt, need, room) if need.any() else rows)


def augment(
    rows: np.ndarray, ranked: np.ndarray, group: np.ndarray, prompt: np.ndarray, need: np.ndarray, room: np.ndarray
) -> np.ndarray:
    """`rows` after exchanges, sorted: with up to `need` more of each group, and up to `room` more of each prompt.
    `ranked` are the rows that may be drawn, the first one first; it holds `rows`.

    Row 0 is drawn, of group 0 at prompt 0. Group 1 needs one more, but both of its rows are at prompt 0, which is
    full. So row 2 enters it, row 0 leaves, and row 1 replaces that at prompt 1:

    >>> group, prompt = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 0])
    >>> augment(np.array([0]), np.arange(4), group, prompt, need=np.array([0, 1]), room=np.array([0, 1])).tolist()
    [1, 2]
    """
    room, drawn = room.copy(), defaultdict[int, set[int]](set)
    for row in rows.tolist():
        drawn[prompt[row]].add(row)
    for source_group in np.repeat(np.arange(len(need)), need).tolist():
        for enters, leaves in augmenting_path(source_group, ranked, group, prompt, room, drawn):
            drawn[prompt[enters]].add(enters)
            if leaves is None:
                room[prompt[enters]] -= 1
            else:
                drawn[prompt[leaves]].remove(leaves)
    return np.array(sorted(row for of_prompt in drawn.values() for row in of_prompt), np.int64)


def augmenting_path(
    source_group: int, ranked: np.ndarray, group: np.ndarray, prompt: np.ndarray, room: np.ndarray, drawn: Drawn
) -> list[Exchange]:
    """A shortest path of exchanges from the source, by way of `source_group`, to the sink; it is given from its end.
    Empty where there is none: no exchanges draw one more row of the group."""
    reached_by = dict[int, Exchange]()  # each group but the first: what takes a row of its away
    seen_prompts, queue = set[int](), deque([source_group])
    while queue:
        for row in ranked[group[ranked] == queue.popleft()].tolist():
            if row in drawn[prompt[row]] or prompt[row] in seen_prompts:
                continue
            if room[prompt[row]] > 0:
                return _path_back(row, source_group, group, reached_by)
            seen_prompts.add(prompt[row])
            for other in sorted(drawn[prompt[row]]):
                if group[other] != source_group and group[other] not in reached_by:
                    reached_by[group[other]] = Exchange(row, other)
                    queue.append(group[other])
    return []


def _path_back(
    last_row: int, source_group: int, group: np.ndarray, reached_by: Mapping[int, Exchange]
) -> list[Exchange]:
    """The exchanges from the last row, at a prompt with room, back to the source's group."""
    path = [Exchange(last_row, None)]
    while (reached := group[path[-1].enters]) != source_group:
        path.append(reached_by[reached])
    return path
