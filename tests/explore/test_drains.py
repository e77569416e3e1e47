"""One drain is enough where nobody can see the order of several, and only there.

Each search is compared with one that reduces nothing, for every end. Numbers are those of the
argument in `explore/search/reductions/drains.py`.
"""

from __future__ import annotations

from typing import Any

import pytest

from simbbm.arm64.context import Shared
from simbbm.arm64.descriptor import ROX, Descriptor, leaf, table
from simbbm.arm64.features import DELAYED, Features
from simbbm.arm64.ops import Cpu
from simbbm.arm64.state import Machine
from simbbm.core.program import repeat_until
from simbbm.core.system import Problem
from simbbm.explore.search.reductions import drains
from tests.explore.drained import (
    BLOCK,
    CHECKS,
    DATUM,
    FOURTH,
    NOABORT,
    assert_same,
    is_one,
    looks,
    of,
    two,
    used,
    values,
)
from tests.support import (
    FLAG,
    FLAG2,
    INV,
    NEW,
    OLD,
    OTHER,
    PTES,
    PX,
    REGIME,
    ROOT,
    SPARE,
    WORDS,
    X,
    Y,
    explore,
    machine,
)

# 1. Other CPUs.


def test_a_store_that_is_polled_does_not_drain_early() -> None:
    """(1) Neither do those before it: the flag may be seen and the datum not yet."""
    stores = of(("str", DATUM, 1), ("str", FLAG2, 1), ("str", FLAG, 1))
    polls = of(("wait", FLAG, is_one), ("ldr", DATUM))

    assert ((), (1, 0)) in values(assert_same(two(stores, polls)))


async def looks_if_new(cpu: Cpu) -> int | None:
    """Read the datum once the page is the new one."""
    if await cpu.ldr(X) == NEW:
        datum: int = await cpu.ldr(DATUM)
        return datum
    return None


def test_a_table_that_others_walk_is_not_written_late() -> None:
    """(1) Who gets the new page may see that the datum is old."""
    stores = of(("str", DATUM, 1), ("str", FLAG2, 1), ("str", PX, leaf(NEW)))
    ends = assert_same(two(stores, looks_if_new, x=leaf(OLD), there=REGIME))

    assert ((), 0) in values(ends)


async def tells_what_it_loads(cpu: Cpu) -> int:
    await cpu.str(DATUM, 1)
    await cpu.str(FLAG + 3, 1)
    value: int = await cpu.ldr(FLAG2)
    if value:
        await cpu.str(FLAG, 1)
    await cpu.dsb("ish")
    return value


async def stores_and_looks(cpu: Cpu) -> tuple[int, int] | None:
    await cpu.str(FLAG2, 1)
    return await looks(cpu)


def test_a_word_that_others_write_is_not_loaded_late() -> None:
    """(1) What it gets decides what else is stored."""
    ends = assert_same(two(tells_what_it_loads, stores_and_looks))

    assert (1, (1, 0)) in values(ends)


@pytest.mark.parametrize(("option", "early"), [("ishld", True), ("ishst", False), ("ish", False)])
def test_a_dsb_of_loads_waits_for_no_store(option: str, early: bool) -> None:
    """(1) What is pending may drain after what is behind it."""
    stores = of(("str", DATUM, 1), ("str", FLAG2, 1), ("dsb", option), ("str", FLAG, 1))
    polls = of(("wait", FLAG, is_one), ("ldr", DATUM))
    system = two(stores, polls)

    assert (((), (1, 0)) in values(assert_same(system))) == early
    assert used(system) or early


# 2. The program itself.


async def tells_what_it_stored(cpu: Cpu) -> None:
    await cpu.str(DATUM, 1)
    await cpu.str(FLAG2, 1)
    if await cpu.ldr(FLAG2):
        await cpu.str(FLAG, 1)


def test_a_load_of_a_pending_word_is_forwarded() -> None:
    """(2) What it gets decides what else is stored."""
    assert (None, (1, 0)) in values(assert_same(two(tells_what_it_stored)))


async def tells_if_another_came_first(cpu: Cpu) -> int:
    await cpu.str(DATUM, 1)
    await cpu.str(FLAG + 3, 1)
    value: int = await cpu.ldr(FLAG2)
    if value:
        await cpu.str(FLAG, 1)
    await cpu.str(FLAG2, 1)
    await cpu.dsb("ish")
    return value


def test_what_a_program_loads_is_read_anew_in_every_state() -> None:
    """(2) Also of a word that it stores itself, later, to the value that another CPU stored."""
    other = of(("str", FLAG2, 1))
    ends = assert_same(two(tells_if_another_came_first, looks, other))

    assert (1, (1, 0), ()) in values(ends)


async def _is_set(cpu: Cpu, word: int) -> bool:
    value: int = await cpu.ldr(word)
    return value == 1


async def stores_and_goes_round(cpu: Cpu) -> None:
    await cpu.str(DATUM, 1)
    await cpu.str(FLAG2, 1)
    await repeat_until(_is_set, cpu, FLAG)


@pytest.mark.timeout(20)
def test_a_program_that_goes_round_on_plain_loads() -> None:
    """(2) Its path would have no end."""
    assert assert_same(two(stores_and_goes_round, of(("str", FLAG, 1))))


# 3. Walks.

FAULTS = leaf(OLD, access_flag=False)


@pytest.mark.parametrize(
    ("x", "slot", "new"),
    [
        (BLOCK, PX, INV),
        (INV, PX, BLOCK),
        (BLOCK, PX, FAULTS),
        (FAULTS, PX, BLOCK),
        (INV, ROOT + 2, table(SPARE)),
    ],
    ids=["break", "make", "no access flag", "access flag", "link"],
)
def test_links_and_breaks_are_not_reduced(x: Descriptor, slot: int, new: Descriptor) -> None:
    """(3) A walk would end or begin; while it is pending, and while it is to come."""
    for steps in ((("str", slot, new), ("str", DATUM, 1)), (("str", DATUM, 1), ("str", slot, new))):
        system = two(of(*steps, ("dsb", "ish")), x=x, root=(BLOCK, INV))
        assert_same(system)
        assert used(system) == 0


def test_a_table_that_is_linked_while_it_is_filled() -> None:
    """(3) Linked first, it gives away what was in it before."""
    fills = of(("str", SPARE, leaf(NEW)), ("str", ROOT + 2, table(SPARE)))
    checks = CHECKS[1:]
    block = leaf(NEW), INV
    ends = assert_same(two(fills, of(("nop",)), spare=leaf(OLD), root=block, always=checks))

    assert "VIOLATED:no_tlb_conflict" in ends


def test_a_table_that_no_walk_reaches_is_like_data() -> None:
    """(3) Whatever is stored there."""
    fills = of(("str", SPARE, leaf(NEW)), ("str", SPARE + 1, INV), ("dsb", "ish"))
    system = two(fills, spare=leaf(OLD), always=CHECKS)

    assert assert_same(system)
    assert used(system)


def test_a_table_descriptor_may_point_to_data() -> None:
    """(3) Walks fault there, whatever is stored."""
    stores = of(("str", DATUM, 1), ("str", FLAG, 1))

    assert assert_same(two(stores, of(("nop",)), root=(table(FLAG), INV)))


# 4. TLBIs.


def test_a_tlbi_ends_the_path() -> None:
    """(4) What it invalidates may come back, until the new descriptors are there."""
    stores = of(
        ("str", PX, leaf(NEW)), ("str", DATUM, 1), ("tlbi", "vmalle1"), ("dsb", "ish"), ("ldr", X)
    )
    ends = assert_same(two(stores, x=leaf(OLD)))

    assert ((OLD,), None) in values(ends)


def test_a_tlbi_arrives_before_a_drain_or_after() -> None:
    """(4) The old page may still be held, if the store is late."""
    stores = of(
        ("str", PX, leaf(NEW)),
        ("str", DATUM, 1),
        ("str", FLAG, 1),
        ("dsb", "ish"),
        ("wait", FLAG2, is_one),
        ("isb",),
        ("ldr", X),
    )
    flushes = of(("wait", FLAG, is_one), ("tlbi", "vmalle1is"), ("dsb", "ish"), ("str", FLAG2, 1))
    ends = assert_same(two(stores, flushes, x=leaf(OLD)))

    assert ((1, OLD), (1,)) in values(ends)


def test_a_tlbi_that_waits_for_a_store() -> None:
    """(4) Once that has drained, the issuer goes on, and may see that another has not."""
    stores = of(("str", DATUM, 1), ("str", X, 7))
    changes = of(
        ("str", PX, INV),
        ("dsb", "ish"),
        ("tlbi", "vmalle1is"),
        ("ldr", OLD * WORDS),
        ("dsb", "ish"),
        ("ldr", DATUM),
    )
    prompt = DELAYED.without("asynchronous TLBI").without("early translation")
    ends = assert_same(two(stores, changes, x=BLOCK, root=(BLOCK, INV), hardware=prompt))

    assert ((), (OLD, 0)) in values(ends)


def test_entries_one_by_one_are_not_reduced() -> None:
    """(4) What is held is what an access has met."""
    stores = of(("str", PX, leaf(NEW)), ("ldr", X))
    tables = {ROOT: (table(PTES), leaf(4), INV, INV), PTES: (leaf(OLD), INV, INV, INV)}
    tables |= {SPARE: (INV,) * 4, OTHER: (INV,) * 4}
    prompt = DELAYED.without("speculative walk")
    system = machine(stores, tables=tables, hardware=prompt, uniform=True, monotone=True)

    assert values(assert_same(system)) == {((OLD,),), ((NEW,),)}


# 5. What accesses get.


async def tells_what_it_gets(
    cpu: Cpu, slot: int, new: Descriptor, address: int, old: int
) -> int | None:
    """Change a descriptor, and tell if a page is another one or faults."""
    await cpu.str(DATUM, 1)
    await cpu.str(slot, new)
    value: int | None = await cpu.ldr(address)
    if value != old:
        await cpu.str(FLAG, 1)
    await cpu.dsb("ish")
    return value


def test_an_access_through_a_page_that_changes() -> None:
    """(5) It may get the new page."""
    ends = assert_same(two((tells_what_it_gets, PX, leaf(NEW), X, OLD), x=leaf(OLD)))

    assert (NEW, (1, 0)) in values(ends)


@pytest.mark.parametrize("tolerates", [True, False])
def test_an_access_through_a_page_that_changes_size(tolerates: bool) -> None:
    """(5) It may get a TLB conflict abort, if the CPU does not tolerate that."""
    tells = tells_what_it_gets, PX, leaf(OLD), X, OLD
    features = NOABORT if tolerates else Features()
    system = two(tells, x=leaf(OLD, contiguous=True), y=INV, features=features)

    assert ((None, (1, 0)) in values(assert_same(system))) == (not tolerates)
    pe, memory = system.initial().cpus[0], system.initial().memory
    trail = drains._Follower(system.shared, pe, memory).follow()
    assert trail is not None
    assert drains._is_harmless(system.shared, pe, memory, trail.path) == tolerates


async def tells_if_it_faults(cpu: Cpu) -> int | None:
    await cpu.str(DATUM, 1)
    await cpu.str(PX, leaf(NEW))
    value: int | None = await cpu.ldr(FLAG2)
    if value is None:
        await cpu.str(FLAG, 1)
    await cpu.dsb("ish")
    return value


def test_a_fetch_from_a_page_that_changes() -> None:
    """(5) It may fault, where the new page is not executable."""
    code = leaf(12, ROX)
    system = two(tells_if_it_faults, x=leaf(OLD, ROX), root=(INV, code), low=code, pc=0, vbar=12)
    ends = assert_same(system)

    assert (None, (1, 0)) in values(ends)


def test_an_access_through_a_contiguous_group() -> None:
    """(5) The new group maps its neighbour as well."""
    tells = tells_what_it_gets, PX, leaf(10, contiguous=True), Y, NEW
    group: dict[str, Any] = {"x": leaf(OLD, contiguous=True), "y": leaf(NEW, contiguous=True)}
    ends = assert_same(two(tells, **group))

    assert (FOURTH, (1, 0)) in values(ends)


def test_a_change_to_not_global_is_no_change_of_size() -> None:
    """(5) It makes a conflict between the two entries."""
    tells = tells_what_it_gets, PX, leaf(OLD, not_global=True), X, OLD
    ends = assert_same(two(tells, x=leaf(OLD), features=NOABORT))

    assert (None, (1, 0)) in values(ends)


def test_a_group_that_comes_to_be_maps_its_neighbours() -> None:
    """(5) And not to where their own descriptors say."""
    tells = tells_what_it_gets, PX, leaf(OLD, contiguous=True), Y, FOURTH
    ends = assert_same(two(tells, x=leaf(OLD), y=leaf(FOURTH), features=NOABORT))

    assert (NEW, (1, 0)) in values(ends)


# 6. Properties.


def finished_late(shared: Shared, state: Machine) -> Problem | None:
    """A program must not finish with stores pending: not of what it holds."""
    if any(pe.finished and pe.buffer.stores for pe in state.cpus):
        return Problem("finished_late", "stores are pending", 0)
    return None


def test_properties_that_are_not_monotone_switch_it_off() -> None:
    """(6) They may judge states in which the program has gone on."""
    loads = of(("str", DATUM, 1), ("ldr", FLAG2))
    ends = assert_same(two(loads, of(("nop",)), always=(finished_late,), monotone=False))

    assert "VIOLATED:finished_late" in ends


# 7. Early results.


def test_early_results_are_not_reduced() -> None:
    """(7) A drain may drop them."""
    stores = of(("tlbi", "vmalle1"), ("str", DATUM, 1), ("str", FLAG2, 1))
    seen = {"leaves": 0, "faults": 0, "": 0}
    for before, after in ((leaf(OLD), INV), (INV, leaf(OLD))):
        system = two(stores, of(("str", PX, after)), x=before)
        for state in explore(system).states:
            pe, moves = state.cpus[0], [m for m in system.moves(state) if m.cpu == 0]
            early = pe.mmu.early_leaves or pe.mmu.early_faults
            if len(moves) < 2 or pe.pending_tlbis or pe.mnemonic != "str":
                continue
            path = drains.path(system.shared, pe, state.memory, tuple(moves))
            seen["leaves" if pe.mmu.early_leaves else "faults" if early else ""] += 1
            assert (path is None) == bool(early)
    assert all(seen.values())
