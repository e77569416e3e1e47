"""The window in which a machine stands still: its length and its parts, over runs of a cost model.

Each run draws a machine. What depends on the number of CPUs (rendezvous, parking, flush, release)
comes from a whole timed run with as many CPUs; what depends on memory (splitting) from pieces that
are measured on the granule and multiplied by exact counts (`pieces`). The others are parked while
the map is split, so the two do not touch (`tests/field/test_cost_window.py` runs both at once).

Simplified: beyond 16 CPUs each part goes on as it grew: parking by the square through 4, 8 and 16
CPUs, since all of them try to count in one word, the others in a line through 8 and 16 (too short
or too long: of whole runs with 24 to 48 CPUs parking is within a factor of two, the others within a
quarter). If several CPUs split (scenario `parallel_split`), each gets an equal share; what they
cost each other in the allocator and in memory's bandwidth is left out (too short).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import NamedTuple

from simbbm.core.choice import run_seed
from simbbm.core.errors import UsageError
from simbbm.field.cost.latencies import Setting
from simbbm.field.cost.model import CostModel, read_model
from simbbm.field.cost.pieces import Costs, Pieces, Walked, measure, walked
from simbbm.field.cost.tables import Blocks, Span, geometry_of, map_memory, page_bytes
from simbbm.field.cost.timed import AT_ONCE, LAZY, PARTS, timed_model, timed_run, timed_together
from simbbm.host.amounts import amount
from simbbm.model import Model

RUNS = 20
CPUS_MAX = 512
"""CONFIG_NR_CPUS, where nobody has changed it."""
WHOLE = 4, 8, 16
"""CPUs of whole runs from which larger ones are told; the last is the most that is run."""
SPLITTERS_MAX = 8
"""CPUs of a whole run in which several split; more of them take longer in proportion."""
RAM_MAX = 1 << 51
"""The linear map that 52-bit addresses have room for, in bytes."""
MS = 10**9
"""Picoseconds in a millisecond."""


class Machine(NamedTuple):
    """A machine, and how its kernel splits the linear map."""

    blocks: Blocks
    granule: str = "4k"
    cpus: int = 8
    protocol: str = LAZY
    preallocated: bool = False
    splitters: int = 1
    """CPUs that split, each its share; all of them have noabort."""


class Spread(NamedTuple):
    """Milliseconds: all but a twentieth of the runs are above `low`, and so below `high`."""

    low: float
    median: float
    high: float


class Window(NamedTuple):
    """The window of a machine in each run, in picoseconds by part."""

    runs: tuple[dict[str, int], ...]

    def part(self, name: str) -> Spread:
        """How long one part takes."""
        return spread([run[name] for run in self.runs])

    @property
    def whole(self) -> Spread:
        """How long all of it takes."""
        return spread([sum(run.values()) for run in self.runs])

    @property
    def others(self) -> Spread:
        """How long all takes but the splitting."""
        return spread([sum(run.values()) - run["splitting"] for run in self.runs])


def spread(times: Sequence[int]) -> Spread:
    """What is said of times in picoseconds."""
    ordered, beyond = sorted(times), len(times) // 20
    low, high = ordered[beyond], ordered[-1 - beyond]
    middle = ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]
    return Spread(low / MS, middle / (2 * MS), high / MS)


class Estimator:
    """Estimates windows by one cost model. What machines have in common is run once."""

    def __init__(self, model: CostModel, runs: int = RUNS, seed: int = 0) -> None:
        self.model = model
        self.runs = runs
        self.seed = seed
        self._drawn = model.drawn(seed, runs)
        self._fixed: dict[tuple[int, int], dict[str, int]] = {}
        self._joined: dict[tuple[int, int, int], int] = {}
        self._pieces: dict[tuple[object, ...], Pieces] = {}

    def window(self, machine: Machine) -> Window:
        """The window of a machine; UsageError for one that cannot be."""
        _require_possible(machine)
        return Window(tuple(self._run(machine, number) for number in range(self.runs)))

    def splitting(self, machine: Machine) -> Spread:
        """How long its linear map is split, if one CPU does that, whoever else waits."""
        _require_possible(machine)
        return spread([self._splitting(machine, number) for number in range(self.runs)])

    def _run(self, machine: Machine, number: int) -> dict[str, int]:
        """The parts of one run."""
        parts = dict(self._parts(machine.cpus, number))
        parts["splitting"] = self._splitting(machine, number)
        if machine.splitters > 1:
            parts["splitting"] += self._joining(machine, number)
        return parts

    def _splitting(self, machine: Machine, number: int) -> int:
        """B3 of one run, by one of those who split."""
        counts = walked(machine.blocks, machine.granule)
        share = Walked(*(-(-count // machine.splitters) for count in counts))
        return self._measured(machine, counts, number).split(share)

    def _joining(self, machine: Machine, number: int) -> int:
        """What it adds that several CPUs split: they wake up, and the boot CPU waits for all."""
        splitters = min(machine.splitters, SPLITTERS_MAX)
        cpus = max(splitters, min(machine.cpus, SPLITTERS_MAX))
        k = cpus, splitters, number
        if k not in self._joined:
            together, alone = (
                self._whole(model, cpus, number)["splitting"]
                for model in (
                    timed_together(cpus, splitters, "scaled"),
                    timed_model(LAZY, cpus, "pmd", "scaled"),
                )
            )
            self._joined[k] = max(0, together - alone)
        return self._joined[k] * machine.splitters // splitters

    def _parts(self, cpus: int, number: int) -> dict[str, int]:
        """The parts that depend on the number of CPUs."""
        if cpus > WHOLE[-1]:
            few, some, many = (self._parts(n, number) for n in WHOLE)
            return {
                part: _further(cpus, few[part], some[part], many[part], curved=part == "parking")
                for part in PARTS
            }
        k = cpus, number
        if k not in self._fixed:
            self._fixed[k] = self._whole(timed_model(LAZY, cpus, "pmd", "scaled"), cpus, number)
        return self._fixed[k]

    def _whole(self, model: Model, cpus: int, number: int) -> dict[str, int]:
        """The parts of a whole timed run."""
        times, setting, jitter, seed = self._costs(Setting(cpus, 4), number)
        return timed_run(model, times, setting, jitter=jitter, seed=seed).parts()

    def _measured(self, machine: Machine, counts: Walked, number: int) -> Pieces:
        """What splitting costs this machine by the piece."""
        wanted = Walked(*(min(count, 1) for count in counts))
        k = (machine.granule, machine.protocol, machine.preallocated, wanted, number)
        if k not in self._pieces:
            setting = Setting(
                2,
                page_bytes(machine.granule) >> 10,
                machine.preallocated,
                at_once=machine.protocol == AT_ONCE,
            )
            costs = self._costs(setting, number)
            self._pieces[k] = measure(machine.granule, machine.protocol, costs, wanted)
        return self._pieces[k]

    def _costs(self, setting: Setting, number: int) -> Costs:
        seed = run_seed(self.seed, number)
        return Costs(self._drawn[number], setting, self.model.jitter, seed)


def _further(cpus: int, few: int, some: int, many: int, *, curved: bool) -> int:
    """What a part takes with more CPUs than are run, from what it takes with as many as WHOLE."""
    a, b, c = WHOLE
    slope = (many - some) // (c - b)
    bend = max(0, slope - (some - few) // (b - a)) // (c - a) if curved else 0
    return many + max(0, slope) * (cpus - c) + bend * (cpus - b) * (cpus - c)


def _require_possible(machine: Machine) -> None:
    """Raise UsageError for a machine that cannot be."""
    geometry = geometry_of(machine.granule)
    if not 2 <= machine.cpus <= CPUS_MAX:
        raise UsageError(
            amount(machine.cpus, "CPU"), f"a split waits for others: 2 to {CPUS_MAX:,}"
        )
    if not 1 <= machine.splitters <= machine.cpus:
        raise UsageError(f"{machine.splitters:,} of {machine.cpus:,} CPUs cannot split the map")
    if machine.blocks.pud and not geometry.level1_blocks:
        raise UsageError(f"{machine.granule} pages have no level 1 blocks", "count contpmd or pmd")
    if min(machine.blocks) < 0:
        raise UsageError("a linear map with fewer than no leaves")
    if not machine.blocks.bytes(machine.granule):
        raise UsageError("there is no RAM")
    if machine.blocks.bytes(machine.granule) > RAM_MAX:
        raise UsageError(f"more than {RAM_MAX >> 50} PiB of RAM", "take fewer leaves")


@cache
def _shipped(runs: int) -> Estimator:
    return Estimator(read_model(), runs)


def window_ms(ram: Iterable[Span], granule: str, cpus: int, runs: int = RUNS) -> Spread:
    """How long a machine with this RAM would stand still, by the shipped cost model."""
    blocks = map_memory(ram, granule, va_bits=52)
    return _shipped(runs).window(Machine(blocks, granule, cpus)).whole
