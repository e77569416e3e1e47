"""What it may cost to find out whose moves are enough: nothing is looked at twice, or in vain."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import pytest

from simbbm.arm64.descriptor import leaf
from simbbm.arm64.footprints import Kind, cpu_footprint
from simbbm.arm64.machine import Arm64
from simbbm.arm64.ops import Cpu
from simbbm.arm64.registers import WALKS_NOTHING
from simbbm.arm64.rows import Row
from simbbm.check.verdict import Verdict
from simbbm.explore.search import breadth_first
from simbbm.explore.search.breadth_first import Limits, Progress
from simbbm.explore.search.prove import Prover
from simbbm.explore.search.reductions.persistent_sets import (
    LOOK_EVERY,
    MAX_LOOKAHEAD,
    PersistentSets,
)
from simbbm.explore.search.reductions.standing import Future
from simbbm.model import Model
from simbbm.scenario import Scenario
from tests.explore.test_ample import (
    FLUSH,
    NOP,
    STORE,
    TABLES,
    after,
    ahead_of,
    ample_of,
    is_one,
    taken,
)
from tests.explore.test_prove import little as programs
from tests.support import (
    FLAG,
    FLAG2,
    OLD,
    REGIME,
    X,
    little,
    machine,
    thread,
)


def none_is_looked_at(*_: Any) -> Any:
    raise AssertionError


def test_nothing_is_looked_at_where_the_next_steps_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two that conflict at once; and one that is alone."""
    conflict = (("ldaddal", FLAG, 1),)
    for threads, expected in (((conflict, conflict), None), (((NOP,),), 0)):
        system = little(*threads, uniform=True)
        ample = ample_of(system)
        monkeypatch.setattr(ample.standing, "future", none_is_looked_at)
        assert taken(ample, system.initial()) == expected


def test_a_mask_has_the_bits_of_its_cells_and_they_are_kept_in_little_memory() -> None:
    """Cells that only their own CPU touches have none. A mask is as long as its highest bit."""
    ample = ample_of(little((NOP,), uniform=True))
    words = [(Kind.WORD, address) for address in range(20_000)]
    first = ample._mask(frozenset(words[:2]))
    tracemalloc.start()
    whole = ample._mask(frozenset(words))
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert ample._mask(frozenset([(Kind.CPU, 0)])) == 0
    assert first.bit_count() == 2
    assert whole == (1 << len(words)) - 1
    assert ample._mask(frozenset(words[:1])) | ample._mask(frozenset(words[1:2])) == first
    assert kept < 5_000_000


def search(system: Arm64, ample: PersistentSets) -> int:
    """Ask in every state of a search without symmetry; say how many there are."""
    waiting = [system.initial()]
    met = set(waiting)
    while waiting:
        state = waiting.pop()
        cpu = taken(ample, state)
        for move in system.moves(state):
            following = system.apply(state, move)
            if cpu in (None, move.cpu) and following not in met:
                met.add(following)
                waiting.append(following)
    return len(met)


def three(*, symmetry: bool = False) -> tuple[Arm64, PersistentSets]:
    """CPUs of some steps each, two of them alike."""
    steps = (NOP, ("ldr", X), *STORE, NOP)
    system = little((NOP, ("ldr", FLAG2), NOP), steps, steps, x=leaf(OLD), uniform=True)
    system.keeps_values = True
    return system, ample_of(system, symmetry=symmetry)


@pytest.mark.parametrize("symmetry", [True, False])
def test_each_future_and_each_step_is_found_out_once(
    symmetry: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    system, ample = three(symmetry=symmetry)
    looked, stepped = Counter[Future](), Counter[Any]()
    judge = ample.standing.fails

    def fails(future: Future, rows: Mapping[int, Row]) -> bool:
        looked[future] += 1
        return judge(future, rows)

    def footprint(*args: Any) -> Any:
        stepped[args[1:]] += 1
        return cpu_footprint(*args)

    monkeypatch.setattr(ample.standing, "fails", fails)
    monkeypatch.setattr(
        import_module("simbbm.explore.search.reductions.persistent_sets"),
        "cpu_footprint",
        footprint,
    )
    search(system, ample)

    assert set(looked.values()) == {1}
    assert set(stepped.values()) == {1}


def test_a_look_ahead_is_reduced_itself() -> None:
    """Two CPUs of eight independent steps each: of 81 states it meets those of one order."""
    steps = (NOP,) * 8
    system = little(steps, (("wait", FLAG, is_one), ("ldr", X)), steps, uniform=True)
    ample = ample_of(system)
    ahead_of(ample, system.initial(), 0b101)

    assert len([f for f in ample._futures if f[-1] == 0b101]) == 17


def test_a_look_ahead_gives_up_beyond_its_limit() -> None:
    """Three steps are four states."""
    for most, expected in ((4, 1), (3, None)):
        system = little((NOP,) * 3, (NOP,), uniform=True)
        ample = ample_of(system)
        ample.most = most
        assert taken(ample, system.initial()) == expected
        assert ample.given_up == (expected is None)


def test_whether_a_cpu_stays_quiet_is_asked_up_to_the_limit() -> None:
    """Beyond it TLBIs do not act alone any more, and all else is as it was."""
    for most, expected in ((6, (0, (1,))), (5, (1, (0, 1)))):
        system = little((NOP,), (FLUSH, *[NOP] * 4), uniform=True)
        ample, here = ample_of(system), after(system, "cpu1")
        ample.most = most
        assert ample.chosen(ample.rows.state(here)) == expected
        assert (ample.none_is_quiet, ample.given_up) == (most == 5, False)


def test_three_cpus_are_the_measure_of_the_limit() -> None:
    most = [ample_of(little(*((NOP,),) * cpus, uniform=True)).most for cpus in (1, 2, 3, 4, 6)]

    assert [1, 1, 1, 2, 8] == [m // MAX_LOOKAHEAD for m in most]


def test_once_given_up_nothing_is_looked_at_any_more() -> None:
    """Nor inside a look ahead that has asked for another one, which gave up."""
    system, ample = three()
    ample.most = 3
    for name in ("future", "after"):
        own = getattr(ample.standing, name)

        def asked(*args: Any, own: Any = own) -> Any:
            assert not ample.given_up
            return own(*args)

        setattr(ample.standing, name, asked)
    states = search(system, ample)

    assert ample.given_up
    assert states > search(*three())


def test_once_given_up_all_moves_are_taken() -> None:
    """Even of a CPU that touches nothing, which would be enough."""
    system = machine(
        (thread, NOP),
        (thread, NOP),
        tables=TABLES,
        regime=(REGIME, WALKS_NOTHING),
        uniform=True,
    )
    ample = ample_of(system)
    assert taken(ample, system.initial()) == 1
    ample.given_up = True
    assert taken(ample, system.initial()) is None


async def adds_nothing(cpu: Cpu) -> None:
    """Many steps, none of which commutes with another CPU's, and which lead to few states."""
    for _ in range(30):
        await cpu.ldaddal(FLAG, 0)


def long_look_ahead() -> Scenario:
    """The boot CPU's step touches nothing that others do in the thousand states that follow."""
    return programs((thread, NOP), (adds_nothing,), (adds_nothing,), (thread, NOP))


class Looked:
    """How many states of look-aheads there were; since the first of them a limit is hit."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.states = 0
        visit = PersistentSets._visit

        def visited(ample: PersistentSets, future: Future) -> Any:
            self.states += 1
            return visit(ample, future)

        monkeypatch.setattr(PersistentSets, "_visit", visited)
        prove = import_module("simbbm.explore.search.prove")
        for module, name in (
            (breadth_first, "monotonic"),
            (prove, "monotonic"),
            (breadth_first, "memory_used"),
        ):
            monkeypatch.setattr(module, name, lambda: 2 if self.states else 0)


@pytest.mark.parametrize("limits", [Limits(seconds=1), Limits(memory=1)], ids=["seconds", "memory"])
def test_limits_are_looked_at_inside_a_look_ahead(
    limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends there, however long it would be; without limits, and up to others, it goes on."""
    looked = Looked(monkeypatch)
    told: list[Progress] = []
    proof = Prover(Model(long_look_ahead()), limits, tell=told.append).prove()

    assert Verdict.INCONCLUSIVE is proof.verdict
    assert proof.message.startswith("--max-")
    assert "not every state was visited" in proof.message
    assert (1, LOOK_EVERY) == (proof.states, looked.states)
    assert [progress.states for progress in told] == [1, 1]

    looked.states = 0
    assert Verdict.PROVED is Prover(Model(long_look_ahead()), Limits(states=10_000)).prove().verdict
    assert looked.states > 3 * LOOK_EVERY / 2
