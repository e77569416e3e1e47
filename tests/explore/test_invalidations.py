"""One TLBI that acts is enough where nobody can see when several do, and only there.

Each search is compared with one that reduces nothing, for every end. Numbers are those of the
argument in `explore/search/reductions/invalidations.py`.
"""

from __future__ import annotations

from typing import Any

import pytest

from simbbm.arm64.agents import DVM
from simbbm.arm64.context import Shared
from simbbm.arm64.descriptor import ROX, leaf
from simbbm.arm64.features import DELAYED
from simbbm.arm64.machine import Arm64
from simbbm.arm64.ops import Aborted, Cpu
from simbbm.arm64.registers import Ttbr
from simbbm.arm64.state import Machine
from simbbm.check.verdict import Verdict
from simbbm.core.program import repeat_until
from simbbm.core.system import Problem
from simbbm.explore.search.prove import Prover
from simbbm.explore.search.reductions import invalidations
from simbbm.explore.search.reductions.reduced_system import ReducedSystem
from simbbm.model import Model
from tests.explore.drained import CHECKS, assert_same, is_one, of, two
from tests.explore.test_ample import STORE, chosen
from tests.explore.test_persistent_sets import assert_all_persistent
from tests.scenarios.everything import GOOD
from tests.support import (
    FLAG,
    INV,
    NEW,
    OLD,
    PTABLE,
    PX,
    PY,
    SPARE,
    THIRD,
    X,
    searched_next,
)

DSB, ISB, NOP = ("dsb", "ish"), ("isb",), ("nop",)
PAGE_X, PAGE_Y, NOBODYS = 0, 1, 13
FLUSH_X, FLUSH_Y = ("tlbi", "vaale1is", PAGE_X), ("tlbi", "vaale1is", PAGE_Y)
FLUSH_ALL = ("tlbi", "vmalle1is")
TELL, TOLD = ("str", FLAG, 1), ("wait", FLAG, is_one)
LATE = DELAYED.without("early translation")


def alone(system: Arm64) -> int:
    """In how many states a TLBI acts alone, where its CPU or others have more moves."""
    space = ReducedSystem(system, symmetry=False)
    times, waiting = 0, [space.initial()]
    met = set(waiting)
    while waiting:
        state = waiting.pop()
        rows = space.rows.rows(state)
        choice = space.chosen(state, rows)
        if choice and len(choice.moves) < len(moves := rows[choice.cpu].moves):
            times += moves[choice.moves[0]].kind in DVM
        for after in searched_next(space, state):
            if after not in met:
                met.add(after)
                waiting.append(after)
    return times


def got(ends: dict[str, set[Machine]], cpu: int = 0) -> set[Any]:
    """What a program returns."""
    return {state.cpus[cpu].point.value for state in ends["HOLDS"]}


def after_change(*steps: tuple[Any, ...], new: Any = NEW, **more: Any) -> Arm64:
    """The first CPU has changed a page, holds the old one as well, and does these steps."""
    changed = ("str", PX, leaf(new) if isinstance(new, int) else new), DSB
    return two(of(*changed, *steps), of(NOP), x=leaf(OLD), y=leaf(THIRD), **more)


@pytest.mark.parametrize(
    ("layout", "most"), [("contpmd", 650), pytest.param("mixed", 1_050, marks=pytest.mark.quality)]
)
def test_a_flush_by_page_is_proved_in_few_states(layout: str, most: int) -> None:
    """Four TLBIs, and sixteen, which had no answer before."""
    proof = Prover(Model(GOOD, {"cpus": 2, "layout": layout, "flush": "pages"})).prove()

    assert proof.verdict == Verdict.PROVED
    assert proof.states < most


# Of its own TLBIs.


def test_one_act_is_enough_for_a_flush_by_page() -> None:
    """All that it is made for: TLBIs, a DSB, and an ISB after it."""
    system = after_change(FLUSH_X, FLUSH_Y, DSB, ISB, ("ldr", X), always=CHECKS[:1])

    assert got(assert_same(system)) == {(NEW,)}
    assert alone(system)


def test_a_dsb_waits_for_own_tlbis_first() -> None:
    """(1) Once they have acted here it may end whenever others have completed them."""
    waits = FLUSH_X, DSB

    assert chosen((NOP,), waits, at=("cpu1",), quiet=False) == 1
    assert chosen((NOP,), waits, at=("cpu1", "dvm.cpu1"), quiet=False) == 0


def test_a_dsb_that_waits_for_no_tlbi() -> None:
    """(1) On a machine without that rule what comes after it may get what is taken away."""
    hardware = LATE._replace(ablations=("dsb-waits-for-tlbi",))
    system = after_change(FLUSH_X, FLUSH_Y, DSB, ("ldr", X), hardware=hardware)

    assert (OLD,) in got(assert_same(system))


def test_an_access_between_tlbis() -> None:
    """(2) It may get what is taken away."""
    system = after_change(FLUSH_X, FLUSH_Y, ("ldr", X), DSB, hardware=LATE)

    assert (OLD,) in got(assert_same(system))


def test_an_isb_between_tlbis() -> None:
    """(2) It drops what was translated before, and what is taken away later is translated yet."""
    system = after_change(FLUSH_X, FLUSH_Y, ISB, DSB, ("ldr", X))

    assert (OLD,) in got(assert_same(system))


async def tells_if_it_faults(cpu: Cpu, tlbi: Any) -> Any:
    """A TLBI that is fetched from a page which may be executable no more."""
    await cpu.str(PX, leaf(NEW))
    await cpu.str(PY, leaf(NEW))
    await cpu.dsb("ish")
    await cpu.tlbi("vaale1is", PAGE_Y)
    await cpu.br(PAGE_X)
    value = await tlbi(cpu, "vaale1is", PAGE_X)
    await cpu.dsb("ish")
    return value


async def says_so(cpu: Cpu, aborted: Aborted) -> None:
    await cpu.eret(retry=False, result=1)


def test_a_fetch_that_may_fault() -> None:
    """(2) The exception is a context synchronisation: what is taken away later is not forgotten."""
    code = leaf(12, ROX)
    more: dict[str, Any] = {"root": (INV, code), "low": code, "pc": 12, "vbar": 12}
    more["handler"] = says_so
    more |= {"x": leaf(OLD, ROX), "y": leaf(THIRD)}
    ends = assert_same(two((tells_if_it_faults, Cpu.tlbi), of(), **more))
    faulted = [state.cpus[0] for state in ends["HOLDS"] if state.cpus[0].point.value == 1]

    assert {bool(pe.mmu.early_leaves) for pe in faulted} == {True, False}


def test_a_pending_store() -> None:
    """(2) It drains at any time: it is one more move."""
    system = after_change(("str", X, 1), FLUSH_X, FLUSH_Y, DSB)

    assert assert_same(system)


def test_equal_tlbis() -> None:
    """(2) The third is not kept if none has acted, and is if one has."""
    local = ("tlbi", "vaale1", PAGE_X)

    assert assert_all_persistent(after_change(local, local, local, DSB))


async def issues(cpu: Cpu) -> bool:
    await cpu.tlbi("vaale1is", PAGE_X)
    await cpu.tlbi("vaale1is", PAGE_Y)
    return False


async def goes_round(cpu: Cpu) -> None:
    await cpu.tlbi("vaale1is", NOBODYS)
    await repeat_until(issues, cpu)


@pytest.mark.timeout(20)
def test_a_program_that_goes_round_on_tlbis() -> None:
    """(2) What it may issue before has no end."""
    system = two((goes_round,), of(NOP))

    assert invalidations._issued(system.initial().cpus[0].point) is None
    assert assert_same(system) == {}


def test_what_is_issued_later_acts_on_others() -> None:
    """(3) Another has a store that is pending, for which a TLBI may have to wait."""
    local = (("tlbi", "vaale1", PAGE_X), ("tlbi", "vaale1", PAGE_Y))
    at: dict[str, Any] = {"at": ("cpu1", "cpu0"), "quiet": False, "monotone": True}

    assert chosen((*local, DSB), STORE, **at) == 1
    assert chosen((*local, FLUSH_X, DSB), STORE, **at) is None
    assert chosen((*local, FLUSH_X, DSB), (NOP,), **at) == 0


TABLE = ("tlbi", "vaae1is", PAGE_Y)
"""Takes away the entry of the table that has page X as well."""


def without_table(*steps: tuple[Any, ...]) -> Arm64:
    """A CPU that may hold the entry of a table which is not linked any more."""
    return two(of(("str", PTABLE, INV), DSB, *steps, DSB, ISB, ("ldr", X)), of(NOP), x=leaf(OLD))


def test_a_tlbi_of_a_table_entry() -> None:
    """(4) What is below it stays, if that was to go before."""
    ends = assert_same(without_table(TABLE, FLUSH_X))

    assert got(ends) == {(OLD,), (None,)}


def test_a_later_tlbi_of_a_table_entry() -> None:
    """(4) What is below it goes if it acts first, though it was issued last."""
    ends = assert_same(without_table(FLUSH_X, TABLE))

    assert any(not state.cpus[0].mmu.leaves for state in ends["HOLDS"])


def test_tlbis_of_others() -> None:
    """(5) Once it has acted, its issuer changes a page before the own one acts."""
    changes = of(TOLD, ("tlbi", "vaale1is", NOBODYS), DSB, ("str", PX, leaf(NEW)))
    ends = assert_same(two(of(FLUSH_X, TELL, DSB), changes, x=leaf(OLD)))

    assert {bool(state.cpus[0].mmu.leaves) for state in ends["HOLDS"]} == {True, False}


def old_without_new(shared: Shared, state: Machine) -> Problem | None:
    """Some CPU holds what was on page X, and not what was on page Y."""
    for pe in state.cpus:
        held = {(leaf.va, leaf.page) for leaf in pe.mmu.leaves}
        if (PAGE_X, OLD) in held and (PAGE_Y, THIRD) not in held:
            return Problem("old_without_new", "", 0)
    return None


def test_properties_that_are_not_monotone_switch_it_off() -> None:
    """(6) They may judge states in which another TLBI has acted first."""
    steps = of(("str", PY, INV), DSB, ("str", PX, INV), DSB, FLUSH_X, FLUSH_Y, DSB)
    given: dict[str, Any] = {"x": leaf(OLD), "y": leaf(THIRD), "always": (old_without_new,)}
    system = two(steps, of(NOP), monotone=False, **given)

    assert "VIOLATED:old_without_new" in assert_same(system)
    assert not alone(two(steps, of(), monotone=False, **given))
    assert alone(two(steps, of(), **given))


# On a quiet CPU.

LEAVE = (("msr", "ttbr0_el1", Ttbr(SPARE, asid=1)), ISB)
THERE = (INV, leaf(4), INV, INV)
"""A root that maps the tables and flags, and nothing else."""


async def looks(cpu: Cpu) -> bool:
    value: int = await cpu.ldr(FLAG)
    return value == 1


async def spins(cpu: Cpu) -> None:
    await repeat_until(looks, cpu)


def flushes(count: int) -> tuple[Any, ...]:
    """A CPU that issues so many TLBIs, waits for all, and says so."""
    tlbis = (("tlbi", "vaale1is", NOBODYS + i) for i in range(count))
    return of(*tlbis, DSB, ("str", FLAG, 1))


def test_a_quiet_cpu_that_spins() -> None:
    """(10) It goes round until it is told; the states are as many as the TLBIs, and not 4**n."""
    assert assert_same(two(flushes(2), (spins,), monotone=False))
    few, many = (len(_met(two(flushes(n), (spins,)))) for n in (4, 8))

    assert many < 2 * few


def _met(system: Arm64) -> set[int]:
    space = ReducedSystem(system, symmetry=False)
    waiting = [space.initial()]
    met = set(waiting)
    while waiting:
        for after in searched_next(space, waiting.pop()):
            if after not in met:
                met.add(after)
                waiting.append(after)
    return met


@pytest.mark.parametrize("held", ["leaf", "early", "store"])
def test_who_holds_something_is_not_quiet(held: str) -> None:
    """(7) It loses an entry, a translation that it made early, or it has to be waited for."""
    own = {
        "leaf": (("str", PX, leaf(NEW)), DSB, ("ldr", X)),
        "early": (("str", PX, INV), DSB, ("tlbi", "vaale1", PAGE_X), DSB, ("ldr", X)),
        "store": (("str", PX, INV), DSB, ("str", X, 1)),
    }[held]
    hardware = LATE if held == "leaf" else DELAYED
    flushing = of(FLUSH_X, DSB, ("ldr", OLD * 16))
    system = two(of(*own), flushing, x=leaf(OLD), monotone=False, hardware=hardware)

    assert assert_same(system)


def test_who_comes_to_hold_something() -> None:
    """(8) It leaves the live map: what it has of that stays, if the TLBI has acted before."""
    system = two(of(TOLD, *LEAVE), of(FLUSH_ALL, TELL, DSB), x=leaf(OLD), root=(INV, INV))
    ends = assert_same(system)

    assert {bool(state.cpus[0].mmu.leaves) for state in ends["HOLDS"]} == {True, False}


OWN = {"exclusive": (("ldxr", PX), ("stxr", PX, INV)), "store": (("str", PX, INV),)}
"""How a CPU breaks a page without a store that is pending: the store is the program's own step."""


@pytest.mark.parametrize("how", OWN)
def test_who_comes_to_hold_something_by_its_own_store(how: str) -> None:
    """(8) The TLBI acts before it; then the old page is held when the new one is mapped."""
    broken = of(*OWN[how], ("wait", FLAG, is_one), ISB, ("str", PX, leaf(NEW)))
    given: dict[str, Any] = {"x": leaf(OLD), "always": CHECKS, "monotone": False}
    hardware = LATE._replace(late_stores=False)
    ends = assert_same(two(broken, of(FLUSH_X, DSB, TELL), hardware=hardware, **given))

    assert ends.keys() == {"HOLDS", "VIOLATED:no_tlb_conflict"}


def test_who_comes_to_hold_something_by_another() -> None:
    """(8) A third CPU changes a page of it."""
    ends = assert_same(
        two(of(), of(FLUSH_X, TELL, DSB), of(TOLD, ("str", PX, leaf(NEW))), x=leaf(OLD))
    )

    assert {bool(state.cpus[0].mmu.leaves) for state in ends["HOLDS"]} == {True, False}


def test_who_comes_to_hold_something_once_others_let_it_go_on() -> None:
    """(8) It waits for a TLBI of its own that another has to complete, and leaves the live map."""
    own = of(TOLD, FLUSH_ALL, DSB, *LEAVE)
    ends = assert_same(two(own, of(FLUSH_ALL, TELL, DSB), x=leaf(OLD), root=(INV, INV)))

    assert {bool(state.cpus[0].mmu.leaves) for state in ends["HOLDS"]} == {True, False}


def test_what_comes_after_the_dsb_is_no_matter() -> None:
    """(8) The issuer changes the page, but then it has acted."""
    system = two(of(NOP, NOP), of(FLUSH_X, DSB, ("str", PX, leaf(NEW))), x=leaf(OLD))

    assert assert_same(system)
    assert alone(system)


def test_issuers_of_other_tlbis_go_on() -> None:
    """(9) One of them changes the page before the other's TLBI acts."""
    one, other = of(FLUSH_X, TELL, DSB), of(TOLD, FLUSH_Y, DSB, ("str", PX, leaf(NEW)))
    ends = assert_same(two(of(), one, other, x=leaf(OLD)))

    assert {bool(state.cpus[0].mmu.leaves) for state in ends["HOLDS"]} == {True, False}
