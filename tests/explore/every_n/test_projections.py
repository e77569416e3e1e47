"""The views contain the projections of all real states, and of small protocols nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

import pytest

from simbbm.arm64.cpu import CpuState
from simbbm.arm64.rows import Rows
from simbbm.arm64.state import Machine
from simbbm.arm64.translation.memory import Memory
from simbbm.core.programs.symbols import Linear
from simbbm.explore.every_n.views import Views
from simbbm.explore.search.reductions.symmetry import Symmetry
from simbbm.model import Model
from simbbm.scenario import Scenario
from tests.explore.every_n.gathering import adds, counts, gathers, of, proved
from tests.explore.every_n.test_mutants import ANNOUNCING, CALLING
from tests.scenarios.everything import GOOD

Seen = tuple[Any, ...]


def cpu_seen(cpu: CpuState, number: int) -> Seen:
    """What can be compared of a CPU: not what its program has observed of counters."""
    return (
        cpu.point.full_label if cpu.point.op else "finished",
        cpu.pc,
        cpu.monitor,
        cpu.event,
        cpu.masked,
        tuple((s.address, s.release, s.group) for s in cpu.buffer.stores[:1]),
        cpu.mmu.content(),
        tuple((p.issuer == number, p.tlbi, p.acted) for p in cpu.pending_tlbis),
    )


def memory_seen(memory: Memory, counters: frozenset[int], cpus: int) -> Seen:
    """Tables, and data but for counters."""
    data: dict[int, Any] = {a: v for a, v in memory.data.items() if a not in counters}
    numbers = {
        a: v.constant + v.everyone * cpus if isinstance(v, Linear) else v for a, v in data.items()
    }
    return memory.tables.digest, tuple((a, v) for a, v in numbers.items() if v)


def seen(memory: Seen, boot: CpuState, others: list[Seen]) -> Iterator[Seen]:
    for pair in combinations(sorted(others, key=repr), 2):
        yield memory, cpu_seen(boot, 0), pair


def of_views(views: Views, cpus: int) -> set[Seen]:
    counters = frozenset(views.abstraction.counting.addresses)
    found: set[Seen] = set()
    for g, known in enumerate(views.of):
        shared = views.parts.shared[g]
        memory = memory_seen(shared.memory, counters, cpus)
        for members in known:
            others = [cpu_seen(views.parts.locals[m].cpu, 1) for m in members]
            found.update(seen(memory, shared.boot.cpu, others))
    return found


def of_states(scenario: Scenario, params: dict[str, Any], cpus: int) -> set[Seen]:
    """All states of a machine, up to an exchange of CPUs that are alike."""
    model = Model(scenario, {**params, "cpus": cpus})
    system = model.system
    rows = Rows(system)
    symmetry = Symmetry(rows)

    def canonical(state: Machine) -> Machine:
        return rows.machine(symmetry.canonical(rows.state(state)))

    counters = frozenset(model.setup.counters)
    first = canonical(system.initial())
    states: dict[Machine, None] = {first: None}
    waiting, found = [first], set[Seen]()
    while waiting:
        state = waiting.pop()
        memory = memory_seen(state.memory, counters, cpus)
        others = [cpu_seen(cpu, n) for n, cpu in enumerate(state.cpus) if n]
        found.update(seen(memory, state.cpus[0], others))
        for move in system.moves(state):
            after = canonical(system.apply(state, move))
            if after not in states:
                states[after] = None
                waiting.append(after)
    return found


def closed(scenario: Scenario) -> Views:
    answer = proved(scenario)
    assert answer.closed is not None
    return answer.closed


@pytest.mark.parametrize("scenario", [of(gathers, adds), of(gathers, counts), ANNOUNCING])
@pytest.mark.parametrize("cpus", [4, 5])
def test_the_views_are_the_projections(scenario: Scenario, cpus: int) -> None:
    assert of_states(scenario, {}, cpus) == of_views(closed(scenario), cpus)


@pytest.mark.parametrize("cpus", [4, 5])
def test_the_views_of_a_loop_of_calls_contain_the_projections(cpus: int) -> None:
    """A loop of stores is one store, which is in the buffer earlier than the last of them."""

    def coarse(found: set[Seen]) -> set[Seen]:
        return {(m, *((c[0], c[1:4]) for c in pair)) for m, _, pair in found}

    assert coarse(of_states(CALLING, {}, cpus)) <= coarse(of_views(closed(CALLING), cpus))


@pytest.mark.quality
def test_the_views_of_the_protocol_contain_the_projections() -> None:
    from simbbm.explore.every_n.prove import ProverForAll

    params = {"layout": "pmd"}
    views = ProverForAll(GOOD, params, ample=False).prove().closed
    assert views is not None

    def coarse(found: set[Seen]) -> set[Seen]:
        """Without the store buffer of the boot CPU, in which a loop of stores is one."""
        return {(m, boot[0], boot[6], pair) for m, boot, pair in found if "stlr" not in boot[0]}

    assert coarse(of_states(GOOD, params, 4)) <= coarse(of_views(views, 4))
