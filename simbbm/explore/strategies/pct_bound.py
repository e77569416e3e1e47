"""The guarantee of PCT for a number of runs."""

from __future__ import annotations

import msgspec


class PctBound(msgspec.Struct, frozen=True):
    """The PCT guarantee for one depth.

    Each counted run finds a bug of that depth with at least `probability`, if no run has more than
    `n` agents and `k` steps.
    """

    n: int
    """The most distinct agents seen in a run, hardware included."""
    k: int
    """The number of steps among which priorities change; longer runs are not counted."""
    depth: int
    probability: float
    """1 / (n * k**(depth-1))."""
    runs_counted: int
    runs_too_long: int = 0

    @property
    def missed(self) -> float:
        """Upper bound of the probability that all counted runs missed such a bug."""
        return float((1 - self.probability) ** self.runs_counted)

    @property
    def text(self) -> str:
        """The bound as a sentence for people."""
        left_out = f"; {self.runs_too_long} longer runs not counted" if self.runs_too_long else ""
        return (
            f"pct:depth={self.depth}: {self.runs_counted:,} runs would all have missed a bug of "
            f"that depth (in the order of agents) with p <= {self.missed:.2g}, as far as no run "
            f"has more than n={self.n} agents and k={self.k} steps{left_out}. Not a proof."
        )


def pct_bound(depth: int, n: int, k: int, counted: int, too_long: int = 0) -> PctBound:
    """The guarantee for the measured numbers of agents, steps and runs."""
    return PctBound(n, k, depth, 1 / (n * k ** (depth - 1)), counted, too_long)
