"""Two sequences of steps side by side: which steps of one are which of the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from simbbm.explore.beside.operations import Step


class Pair(NamedTuple):
    """A step of each side; None: the other side has no such step there."""

    left: Step | None
    right: Step | None


def aligned(left: Sequence[Step], right: Sequence[Step]) -> list[Pair]:
    """The best common subsequence, with what is only on one side in between.

    A pair that writes two values counts half. Where several are the best, the one whose pairs come
    earliest on the left.
    """
    best = _scores(left, right)
    pairs, i, j = [], 0, 0
    while i < len(left) or j < len(right):
        if i < len(left) and j < len(right) and _are_paired(left[i], right[j], best, i, j):
            pairs.append(Pair(left[i], right[j]))
            i, j = i + 1, j + 1
        elif j == len(right) or (i < len(left) and best[i + 1][j] >= best[i][j + 1]):
            pairs.append(Pair(left[i], None))
            i += 1
        else:
            pairs.append(Pair(None, right[j]))
            j += 1
    return pairs


def _are_paired(left: Step, right: Step, best: list[list[int]], i: int, j: int) -> bool:
    likeness = left.is_like(right)
    return likeness > 0 and likeness + best[i + 1][j + 1] == best[i][j]


def _scores(left: Sequence[Step], right: Sequence[Step]) -> list[list[int]]:
    """Of the best common subsequence from each pair of places on."""
    best = [[0] * (len(right) + 1) for _ in range(len(left) + 1)]
    for i in range(len(left) - 1, -1, -1):
        for j in range(len(right) - 1, -1, -1):
            likeness = left[i].is_like(right[j])
            paired = likeness + best[i + 1][j + 1] if likeness else 0
            best[i][j] = max(paired, best[i + 1][j], best[i][j + 1])
    return best
