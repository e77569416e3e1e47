"""Little machines for tests, and everything that can happen on them.

`little` is one level 2 root of four entries: entry 0 points to a table of pages that tests change,
entry 1 is a block that maps all tables and flags for ever.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from simbbm.arm64.cpu import CpuSpec
from simbbm.arm64.descriptor import INVALID_DESCRIPTOR, Descriptor, leaf, table
from simbbm.arm64.features import DELAYED, Features, Hardware
from simbbm.arm64.geometry import SCALED4, Geometry
from simbbm.arm64.machine import Arm64, MachineSpec
from simbbm.arm64.ops import CPU, Aborted, Cpu
from simbbm.arm64.registers import Regime, Tcr, Ttbr
from simbbm.arm64.rows import State
from simbbm.arm64.state import Judged, Machine
from simbbm.core.program import Program
from simbbm.core.programs.automaton import Automaton
from simbbm.core.programs.edits import Edits
from simbbm.core.system import Move
from simbbm.explore.search.reductions.reduced_system import ReducedSystem
from simbbm.explore.search.reductions.symmetry import Symmetry

WORDS = SCALED4.page_words

X, Y, Z = 0, WORDS, 2 * WORDS
"""Words on pages 0, 1 and 2, whose descriptors tests change."""
TABLES = 4 * WORDS
ROOT, PTES, SPARE, OTHER = TABLES, TABLES + 4, TABLES + 8, TABLES + 12
PX, PY, PZ = PTES, PTES + 1, PTES + 2
"""Where the descriptors of those pages are; mapped one to one."""
PTABLE = ROOT
"""Where the table descriptor above them is."""
FLAG, FLAG2 = 5 * WORDS, 5 * WORDS + 1

OLD, NEW, THIRD = 8, 9, 10
"""Pages of data; every word of page n is n."""
DATA = {page * WORDS + word: page for page in (OLD, NEW, THIRD) for word in range(WORDS)}
INV = INVALID_DESCRIPTOR

REGIME = Regime((Ttbr(ROOT, asid=1),), (Ttbr(OTHER),), (Tcr(4, 0, a1=False, epd1=True),))
Step = tuple[Any, ...]
OBSERVES = (
    "ldr",
    "ldar",
    "ldapr",
    "ldxr",
    "ldaxr",
    "stxr",
    "stlxr",
    "ldaddal",
    "mrs",
    "wait",
    "fetch",
)


async def thread(cpu: Cpu, *steps: Step) -> tuple[Any, ...]:
    """Do these steps, return what was observed; a load that faulted observed None."""
    seen = []
    for name, *operands in steps:
        value = await getattr(cpu, name)(*operands)
        if name in OBSERVES:
            seen.append(value)
    return tuple(seen)


async def skip(cpu: Cpu, aborted: Aborted) -> None:
    """Go on after what faulted."""
    await cpu.eret(retry=False)


async def retry(cpu: Cpu, aborted: Aborted) -> None:
    """Try again what faulted."""
    await cpu.eret(retry=True)


def machine(
    *programs: tuple[Any, ...],
    tables: Mapping[int, tuple[Descriptor, ...]],
    regime: Regime | tuple[Regime, ...] = REGIME,
    features: Features | tuple[Features, ...] = Features(),  # noqa: B008 - frozen
    geometry: Geometry = SCALED4,
    data: Mapping[int, int] = DATA,
    hardware: Hardware = DELAYED,
    handler: Program | None = skip,
    pc: int | None = None,
    vbar: int | None = None,
    speculative: tuple[int, ...] = (),
    edits: Edits = Edits(),  # noqa: B008 - frozen
    power: tuple[str, ...] = (),
    text: frozenset[int] = frozenset(),
    **judged: Any,
) -> Arm64:
    """A machine whose CPUs run `program(cpu, *args)`, one (program, *args) each."""
    automaton = Automaton(edits)
    regimes = regime if isinstance(regime[0], Regime) else (regime,) * len(programs)
    featured = features if isinstance(features[0], Features) else (features,) * len(programs)
    cpus = tuple(
        CpuSpec(automaton.start(program, CPU, *args), its, has, pc, vbar, power=how)
        for (program, *args), its, has, how in zip(
            programs, regimes, featured, power or ("on",) * len(programs), strict=True
        )
    )
    spec = MachineSpec(
        geometry=geometry,
        hardware=hardware,
        handler=handler,
        speculative=speculative,
        text=text,
        automaton=automaton,
        cpus=cpus,
        tables=dict(tables),
        data=dict(data),
    )
    return Arm64(spec, Judged(**judged))


def little(
    *threads: tuple[Step, ...],
    x: Descriptor = INV,
    y: Descriptor = INV,
    z: Descriptor = INV,
    spare: tuple[Descriptor, ...] = (INV,) * 4,
    other: tuple[Descriptor, ...] = (INV,) * 4,
    ets2: bool = False,
    **more: Any,
) -> Arm64:
    """The little machine, a tuple of steps for each CPU."""
    tables = {
        ROOT: (table(PTES), leaf(4), INV, INV),
        PTES: (x, y, z, INV),
        SPARE: spare,
        OTHER: other,
    }
    programs = [(thread, *steps) for steps in threads]
    more.setdefault("features", Features(ets2=ets2))
    return machine(*programs, tables=tables, **more)


class Explored(NamedTuple):
    """Every reachable state, and how runs end."""

    states: set[Machine]
    ended: set[Machine]
    stuck: set[Machine]
    failed: set[Machine]

    @property
    def outcomes(self) -> set[tuple[Any, ...]]:
        """What the CPUs return, in runs that end well."""
        return {tuple(cpu.point.value for cpu in state.cpus) for state in self.ended}

    @property
    def problems(self) -> set[str]:
        """Names of the properties that fail somewhere."""
        return {state.failure.property for state in self.failed if state.failure}


def successors(system: Arm64, state: Machine) -> Iterator[tuple[Move, Machine]]:
    """Moves of a state and what follows."""
    for move in system.moves(state):
        yield move, system.apply(state, move)


def explore(system: Arm64, limit: int = 100_000) -> Explored:
    """Walk all states, not beyond those that fail."""
    initial = system.initial()
    found = Explored({initial}, set(), set(), set())
    waiting = deque([initial])
    while waiting:
        state = waiting.popleft()
        if problem := system.problem(state):
            found.failed.add(state._replace(failure=problem))
            continue
        following = list(successors(system, state))
        if not any(not move.optional for move, _ in following):
            if system.unfinished(state):
                found.stuck.add(state)
            elif problem := system.final_problem(state):
                found.failed.add(state._replace(failure=problem))
            else:
                found.ended.add(state)
        for _, after in following:
            if after not in found.states:
                found.states.add(after)
                waiting.append(after)
        assert len(found.states) <= limit, f"more than {limit} states"
    return found


def outcomes(*threads: tuple[Step, ...], **more: Any) -> set[tuple[Any, ...]]:
    """Everything that threads on the little machine can return."""
    return explore(little(*threads, **more)).outcomes


def representative(symmetry: Symmetry, state: Machine) -> Machine:
    """The state that stands for this one and its permutations."""
    rows = symmetry.rows
    return rows.machine(symmetry.canonical(rows.state(state)))


def searched_next(space: ReducedSystem, state: State) -> list[State]:
    """The states with which a search goes on, one for each move that it takes."""
    return [after for _, after in space.successors(state, space.rows.rows(state))]
