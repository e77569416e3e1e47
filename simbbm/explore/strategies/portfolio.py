"""The default strategy: several in turn, since none is best for every bug.

Uniform walks hardly find bugs behind a long sequence of steps, PCT is weak where a bug needs many
orderings, surprise bounds where hardware has to be late many times, and it is not known beforehand
which bug there is. Runs take turns by number, so that a portfolio depends on nothing but the
campaign's seed.
"""

from __future__ import annotations

from simbbm.core.choice import Chooser
from simbbm.explore.strategies.pct import Pct
from simbbm.explore.strategies.pos import Pos
from simbbm.explore.strategies.profile import Profile
from simbbm.explore.strategies.random_walk import RandomWalk
from simbbm.explore.strategies.surprise import Surprise
from simbbm.explore.strategies.urw import Urw

Member = RandomWalk | Pct | Pos | Surprise | Urw


def default_members() -> tuple[Member, ...]:
    """What `default` rotates over.

    Chosen by measurement over all bad twins: of the mixtures that were tried it has the lowest
    worst case, and `nox -s quality` prints what each finds alone.
    """
    return (Pct(2), Urw(), Pct(3), Surprise(2), Pos(), RandomWalk())


class Portfolio:
    """Run number i belongs to member i modulo their count."""

    def __init__(self, name: str, members: tuple[Member, ...]) -> None:
        self.name = name
        self.members = members
        self.needs_calibration = any(member.needs_calibration for member in members)

    def calibrated(self, profile: Profile) -> Portfolio:
        """The same portfolio, with every member calibrated."""
        return Portfolio(self.name, tuple(m.calibrated(profile) for m in self.members))

    def chooser(self, seed: bytes, number: int) -> Chooser:
        """The chooser of the member that run `number` belongs to."""
        return self.members[number % len(self.members)].chooser(seed, number)
