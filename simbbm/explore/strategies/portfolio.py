"""The default strategy: several in turn, since no single one is best at every bug.

Uniform walks are a cliff for bugs behind a long run of steps, PCT is weak where a bug needs many
orderings, surprise bounds where hardware is late everywhere, and nobody knows beforehand which it
will be. Runs take turns by number, so that a
portfolio depends on nothing but the campaign's seed.
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
        """The same with every member fitted."""
        return Portfolio(self.name, tuple(m.calibrated(profile) for m in self.members))

    def chooser(self, seed: bytes, number: int) -> Chooser:
        """The chooser of the member whose turn it is."""
        return self.members[number % len(self.members)].chooser(seed, number)
