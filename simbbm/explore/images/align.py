"""Two sequences of steps side by side: which steps of one are which of the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from simbbm.explore.images.operations import Step


class Pair(NamedTuple):
    """A step of each side; None: the other side has no such step there."""

    left: Step | None
    right: Step | None


def aligned(left: Sequence[Step], right: Sequence[Step]) -> list[Pair]:
    """A longest common subsequence, with what is only on one side in between.

    Where there are several, the one whose pairs come earliest on the left.
    """
    best = _lengths(left, right)
    pairs, i, j = [], 0, 0
    while i < len(left) or j < len(right):
        if i < len(left) and j < len(right) and left[i].asked == right[j].asked:
            pairs.append(Pair(left[i], right[j]))
            i, j = i + 1, j + 1
        elif j == len(right) or (i < len(left) and best[i + 1][j] >= best[i][j + 1]):
            pairs.append(Pair(left[i], None))
            i += 1
        else:
            pairs.append(Pair(None, right[j]))
            j += 1
    return pairs


def _lengths(left: Sequence[Step], right: Sequence[Step]) -> list[list[int]]:
    """Of the longest common subsequence from each pair of places on."""
    best = [[0] * (len(right) + 1) for _ in range(len(left) + 1)]
    for i in range(len(left) - 1, -1, -1):
        for j in range(len(right) - 1, -1, -1):
            if left[i].asked == right[j].asked:
                best[i][j] = best[i + 1][j + 1] + 1
            else:
                best[i][j] = max(best[i + 1][j], best[i][j + 1])
    return best
