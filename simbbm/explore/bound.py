"""What a number of PCT runs says, and what it does not."""

from __future__ import annotations

import msgspec


class PctBound(msgspec.Struct, frozen=True):
    """The PCT guarantee for one depth.

    Each counted run finds a bug of that depth with at least `probability`, if no run has more than
    `n` agents and `k` steps.
    """

    n: int
    k: int
    depth: int
    probability: float
    runs_counted: int

    @property
    def text(self) -> str:
        """One honest sentence."""
        raise NotImplementedError
