"""Published figures, and what is predicted for the same machines.

Two kinds exist. How much memory tables of pages take: of a 256 GB AmpereOne, whose MemTotal grew by
what blocks saved. And how long map_mem() took to paint a linear map of PTEs at boot, before and
after a series that made it batch its barriers (2024, v6.9-rc1): the same stores in such a loop,
without the other CPUs. Nobody has published the length of a window.

The range for `fill_entry` of the shipped model was fitted to the fastest and the slowest of the six
times after that series, so of these four are a check. What is said of the times before it is weak:
their painting also mapped and unmapped each table, and flushed its mapping.
"""

from __future__ import annotations

from typing import NamedTuple

from simbbm.field.cost.tables import Blocks, Span, map_memory, split_tables
from simbbm.field.cost.timed import AT_ONCE, LAZY
from simbbm.field.cost.window import Estimator, Machine, Spread

TABLES, PAINTING, UNBATCHED = "tables", "painting", "painting, unbatched"
UNITS = {TABLES: "MiB", PAINTING: "ms", UNBATCHED: "ms"}
SAVED_KIB = 259_505_132 - 258_988_984
MEMTOTAL_KIB = 259_505_132
"""Of the AmpereOne with blocks, in KiB."""


class Published(NamedTuple):
    """A published figure, and what is predicted."""

    what: str
    machine: str
    gib: int
    published: float
    predicted: Spread
    """Of tables: for MemTotal, for what lies between, and for all RAM that is built in."""
    fitted: bool = False
    """The model was fitted to it: that it is met says nothing."""

    @property
    def unit(self) -> str:
        """MiB or ms."""
        return UNITS[self.what]

    @property
    def met(self) -> bool:
        """Whether the figure lies within what is predicted."""
        return self.predicted.low <= self.published <= self.predicted.high


PAINTED = (
    ("Apple M2, VM", 16, 151, 11, True),
    ("SA8775p, VM", 36, 358, 25, False),
    ("Ampere Altra, VM", 64, 2191, 61, False),
    ("Ampere Altra, VM", 256, 8990, 261, False),
    ("HR350A", 256, 2213, 204, False),
    ("Ampere Altra", 512, 17443, 837, True),
)
"""Machine, GB, milliseconds of map_mem() before and after the series, whether it was fitted to."""


def published(estimator: Estimator) -> list[Published]:
    """Every published figure beside its prediction."""
    found = [_tables()]
    for machine, gib, before, after, fitted in PAINTED:
        blocks = map_memory([Span(0, gib << 30)], "4k")
        lazy, at_once = (
            estimator.splitting(Machine(blocks, protocol=protocol)) for protocol in (LAZY, AT_ONCE)
        )
        found.append(Published(PAINTING, machine, gib, after, lazy, fitted))
        found.append(Published(UNBATCHED, machine, gib, before, at_once))
    return sorted(found, key=lambda row: [*UNITS].index(row.what))


def _tables() -> Published:
    """What blocks saved on the AmpereOne. Where its RAM lies was not published."""
    least, most = (_mib(size) for size in (MEMTOTAL_KIB << 10, 256 << 30))
    predicted = Spread(least, (least + most) / 2, most)
    return Published(TABLES, "AmpereOne, 192 cores", 256, SAVED_KIB / 1024, predicted)


def _mib(size: int) -> float:
    """MiB of tables for a linear map of level 1 blocks, so many as there are in this much RAM."""
    return split_tables(Blocks(pud=size >> 30), "4k").bytes / 2**20
