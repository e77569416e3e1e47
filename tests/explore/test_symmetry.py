"""A state stands for its permutations: which CPUs are alike, and when they are not."""

from __future__ import annotations

from itertools import permutations

import pytest

from simbbm.arm64.descriptor import leaf, table
from simbbm.arm64.ops import Cpu
from simbbm.arm64.registers import Ttbr
from simbbm.arm64.symmetry import NotAlikeError, Symmetry
from simbbm.core.choice import Tape
from simbbm.core.program import routine
from tests.explore.test_reductions import walk
from tests.scenarios.everything import GOOD
from tests.support import INV, OTHER, PTES, REGIME, ROOT, SPARE, little, machine


@pytest.mark.parametrize("seed", range(6))
def test_permuted_states_have_one_representative(seed: int) -> None:
    system = GOOD.system({"cpus": 4, "layout": "pmd"})
    symmetry = Symmetry(system)
    tape = Tape(b"%d" % seed)
    state = system.initial()
    for _ in range(150):
        for order in permutations((1, 2, 3)):
            other = symmetry.arranged(state, [0, *order])
            assert symmetry.canonical(other) == symmetry.canonical(state)
            following = {symmetry.canonical(system.apply(other, m)) for m in system.moves(other)}
            assert following == {
                symmetry.canonical(system.apply(state, m)) for m in system.moves(state)
            }
        moves = system.moves(state)
        if not moves:
            break
        state = system.apply(state, moves[tape.below(len(moves))])


def test_issuers_are_renamed_with_their_cpus() -> None:
    """A TLBI of one of two like CPUs waits at the other: permuted, that is another state."""
    steps = (("tlbi", "vmalle1is"), ("dsb", "ish"))
    system = little(steps, steps, uniform=True)
    symmetry = Symmetry(system)
    states = [system.initial()]
    for cpu in (0, 1):
        move = next(m for m in system.moves(states[0]) if m.cpu == cpu)
        states.append(system.apply(states[0], move))

    assert ((0, 1),) == symmetry.classes
    assert states[1] != states[2]
    assert symmetry.canonical(states[1]) == symmetry.canonical(states[2])


async def tells(cpu: object) -> None:
    """What its number is decides what it does."""
    number = await cpu.mrs_mpidr()  # type: ignore[attr-defined]
    for _ in range(number):
        await cpu.nop()  # type: ignore[attr-defined]


def test_programs_that_tell_cpus_apart_are_no_class() -> None:
    system = machine((tells,), (tells,), tables={0x40: (table(0x44), leaf(4), INV, INV)})

    with pytest.raises(NotAlikeError, match=r"tells\.mrs\.mpidr_el1 tells CPUs apart"):
        Symmetry(system).canonical(system.initial())


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
    symmetry = Symmetry(system)
    assert ((0, 1), (2, 3)) == symmetry.classes

    with pytest.raises(NotAlikeError):
        walk(system, symmetry=True, ample=False)
