"""A state stands for its permutations: which CPUs are alike, and when they are not."""

from __future__ import annotations

from importlib import import_module
from itertools import permutations

import pytest

from simbbm.arm64.descriptor import leaf, table
from simbbm.arm64.machine import Arm64
from simbbm.arm64.ops import Cpu
from simbbm.arm64.registers import Ttbr
from simbbm.arm64.rows import Rows
from simbbm.core.choice import Tape
from simbbm.core.program import routine
from simbbm.explore.search.reductions.standing import Standing
from simbbm.explore.search.reductions.symmetry import NotAlikeError, Symmetry
from simbbm.litmus.scenario import scenario_of
from simbbm.model import Model
from tests.explore.test_reductions import walk
from tests.litmus.rows import made
from tests.scenarios.everything import GOOD
from tests.support import (
    FLAG,
    INV,
    OTHER,
    PTES,
    REGIME,
    ROOT,
    SPARE,
    little,
    machine,
    representative,
)


def symmetry_of(system: Arm64, *, wanted: bool = True) -> Symmetry:
    return Symmetry(Rows(system), wanted=wanted)


@pytest.mark.parametrize("seed", range(6))
def test_permuted_states_have_one_representative(seed: int) -> None:
    system = Model(GOOD, {"cpus": 4, "layout": "pmd"}).system
    symmetry = symmetry_of(system)
    rows = symmetry.rows
    tape = Tape(b"%d" % seed)
    state = system.initial()
    for _ in range(150):
        for order in permutations((1, 2, 3)):
            other = rows.machine(symmetry.arranged(rows.state(state), (0, *order)))
            assert representative(symmetry, other) == representative(symmetry, state)
            following, wanted = (
                {representative(symmetry, system.apply(one, m)) for m in system.moves(one)}
                for one in (other, state)
            )
            assert following == wanted
        moves = system.moves(state)
        if not moves:
            break
        state = system.apply(state, moves[tape.below(len(moves))])


def test_issuers_are_renamed_with_their_cpus() -> None:
    """A TLBI of one of two like CPUs waits at the other: permuted, that is another state."""
    steps = (("tlbi", "vmalle1is"), ("dsb", "ish"))
    system = little(steps, steps, uniform=True)
    symmetry = symmetry_of(system)
    states = [system.initial()]
    for cpu in (0, 1):
        move = next(m for m in system.moves(states[0]) if m.cpu == cpu)
        states.append(system.apply(states[0], move))

    assert ((0, 1),) == symmetry.classes
    assert states[1] != states[2]
    assert representative(symmetry, states[1]) == representative(symmetry, states[2])


async def tells(cpu: object) -> None:
    """What its number is decides what it does."""
    number = await cpu.mrs_mpidr()  # type: ignore[attr-defined]
    for _ in range(number):
        await cpu.nop()  # type: ignore[attr-defined]


def test_programs_that_tell_cpus_apart_are_no_class() -> None:
    system = machine((tells,), (tells,), tables={0x40: (table(0x44), leaf(4), INV, INV)})

    with pytest.raises(NotAlikeError, match=r"tells\.mrs\.mpidr_el1 tells CPUs apart"):
        representative(symmetry_of(system), system.initial())


@routine
async def is_the_last(cpu: Cpu) -> bool:
    """Forgets the number."""
    return await cpu.mrs_mpidr() == 3


async def switches_and_tells(cpu: Cpu) -> None:
    """Go to the same tables as everybody; then CPU 3 alone does something else."""
    await cpu.msr("ttbr0_el1", Ttbr(OTHER, asid=1))
    await cpu.isb()
    await cpu.tlbi("vmalle1")
    await cpu.dsb("nsh")
    await cpu.isb()
    if await is_the_last(cpu):
        await cpu.nop()


def test_each_class_is_asked_whether_it_tells_its_members_apart() -> None:
    """Two classes come to one and the same state; what is so of the first is not of the second."""
    tables = {ROOT: (table(0x44), leaf(4), INV, INV), OTHER: (INV, leaf(4), INV, INV)}
    other = REGIME._replace(ttbr0=(Ttbr(SPARE, asid=1),))
    system = machine(
        *((switches_and_tells,),) * 4,
        tables=tables | {PTES: (INV,) * 4, SPARE: (INV,) * 4},
        regime=(REGIME, REGIME, other, other),
        uniform=True,
    )
    symmetry = symmetry_of(system)
    assert ((0, 1), (2, 3)) == symmetry.classes

    with pytest.raises(NotAlikeError):
        walk(system, symmetry=True, ample=False)


def test_who_is_in_order_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """The very state, once its CPUs are known; else they change places, and none is made anew."""
    system = little((("str", FLAG, 1), ("nop",)), (("str", FLAG, 1), ("nop",)), uniform=True)
    symmetry, state = symmetry_of(system), system.initial()
    first, second = (
        symmetry.rows.state(system.apply(state, move)) for move in system.moves(state)[:2]
    )
    in_order = symmetry.canonical(first)
    assert in_order in (first, second)

    def looked_at(*_: object, **__: object) -> None:
        raise AssertionError

    module = import_module("simbbm.explore.search.reductions.symmetry")
    monkeypatch.setattr(module, "digest", looked_at)
    monkeypatch.setattr(system.shared.cpus, "change", looked_at)
    for other in (first, second):
        assert symmetry.canonical(other) == in_order
    monkeypatch.setattr(symmetry, "key", looked_at)
    assert symmetry.canonical(in_order) is in_order


def test_who_stands_still_comes_last() -> None:
    """Though they would be in order, were all of them to move."""
    steps = (("nop",),)
    system = little(steps, steps, steps, uniform=True)
    symmetry = symmetry_of(system)
    rows = symmetry.rows
    state, there = rows.state(system.initial()), Standing(rows, symmetry)
    first, second, third = rows.fields
    blank = there.future(state, 0)[0]

    assert (0, 1, 2) == symmetry.arrangement(state)
    assert (0, 2, 1) == symmetry.arrangement(state & ~second | blank & second)
    assert (1, 2, 0) == symmetry.arrangement(state & ~first | blank & first)
    for active in (0b011, 0b101, 0b110):
        assert there.future(state, active) == (state & ~third | blank & third, 0b011)


def test_what_is_alike() -> None:
    """Who starts in the same state; if that is wanted, and not of listings."""
    one, two = (("nop",),), (("nop",), ("nop",))
    system = little(one, two, one, two, two, uniform=True)
    assert ((0, 2), (1, 3, 4)) == symmetry_of(system).classes
    assert () == symmetry_of(system, wanted=False).classes
    assert () == symmetry_of(little(one, two)).classes
    threads = made(["r0 = ld x"], ["r0 = ld x"], condition="0:r0=0")
    assert () == symmetry_of(Model(scenario_of(threads), {}).system).classes


def test_an_issuer_is_oneself_one_of_a_class_or_a_certain_cpu() -> None:
    """Of like CPUs a pending TLBI's issuer is told apart by what it is to the one that has it."""
    flushes = (("tlbi", "vmalle1is"), ("nop",))
    alone = (("tlbi", "vmalle1is"), ("nop",), ("nop",))
    system = little(flushes, flushes, flushes, alone, (*alone, ("nop",)), uniform=True)
    symmetry, state = symmetry_of(system), system.initial()
    keys = {}
    for issuer in range(5):
        [move] = system.moves_of(state.cpus[issuer], state.memory, issuer, owed=False)
        after = system.apply(state, move)
        keys[issuer] = [symmetry.key(after.cpus[i], i) for i in (0, 1, 2)]

    has = after.cpus[0]
    assert [p.issuer for p in has.pending_tlbis] == [4]
    his = system.shared.cpus.change(has, pending_tlbis=(has.pending_tlbis[0]._replace(issuer=0),))
    assert symmetry.key(his, 1) == symmetry.key(his, 2) != symmetry.key(his, 0)
    assert symmetry.key(his, 1) != symmetry.key(system.shared.cpus.change(his, event=True), 1)
    assert keys[0][1] == keys[0][2] == keys[1][2] == keys[2][1]
    assert keys[3] == keys[3][:1] * 3
    assert len({keys[0][0], keys[0][1], keys[3][0], keys[4][0]}) == 4
    assert keys[0][0] == keys[1][1]
