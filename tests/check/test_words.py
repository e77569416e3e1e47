"""What properties say: whether a conflict is used or only held, what is held, and what is amiss."""

from __future__ import annotations

from typing import Any

import pytest

from simbbm.arm64.descriptor import ROX, leaf, table
from simbbm.arm64.features import Features
from simbbm.arm64.machine import Arm64
from simbbm.arm64.registers import Ttbr
from simbbm.arm64.state import Machine
from simbbm.check.properties import (
    all_ptes_at_end,
    context_restored,
    no_fault_on_live_map,
    no_size_change_seen,
    no_size_change_seen_below,
    no_tlb_conflict,
)
from tests.support import (
    INV,
    NEW,
    OLD,
    OTHER,
    PTABLE,
    PTES,
    PX,
    REGIME,
    ROOT,
    SPARE,
    X,
    Y,
    explore,
    little,
    machine,
    thread,
)


def stored(system: Arm64) -> Machine:
    """The state in which the first store has reached memory, and nothing else was done."""
    state = system.initial()
    for kind in ("cpu0:", "cpu0.drain"):
        move = next(m for m in system.moves(state) if m.label.startswith(kind))
        state = system.apply(state, move)
    return state


def said(*after: tuple[Any, ...], **more: Any) -> str:
    """What is said of two outputs for page 0, when these steps are next."""
    more.setdefault("x", leaf(OLD))
    system = little((("str", PX, leaf(NEW)), *after), **more)
    assert no_tlb_conflict.check is not None
    problem = no_tlb_conflict.check(system.shared, stored(system))
    assert problem is not None
    return problem.message


USED, HELD = "(USED by its next step)", "(HELD, speculation may meet them)"


@pytest.mark.parametrize(
    ("step", "what"),
    [
        (("ldr", X), USED),
        (("str", X + 1, 1), USED),
        (("ldr", Y), HELD),
        (("tlbi", "vmalle1is"), HELD),
        (("msr", "ttbr0_el1", Ttbr(SPARE)), HELD),
        (("msr", "vbar_el1", 0), HELD),
        (("br", 0), HELD),
        (("nop",), HELD),
    ],
    ids=str,
)
def test_whether_a_conflict_is_used(step: tuple[Any, ...], what: str) -> None:
    assert said(step).endswith(what)


def test_who_has_finished_only_holds_it_and_who_executes_from_it_uses_it() -> None:
    assert said().endswith(HELD)
    code = {"x": leaf(OLD, ROX), "pc": 0}
    assert said(("nop",), **code).endswith(USED)
    assert said(("nop",), x=leaf(OLD), y=leaf(NEW, ROX), pc=1).endswith(HELD)


def test_neighbours_are_told_as_one_entry() -> None:
    tables = {
        ROOT: (table(PTES), leaf(4), INV, INV),
        PTES: tuple(leaf(OLD + i) for i in range(4)),
        SPARE: (INV,) * 4,
        OTHER: (INV,) * 4,
    }
    system = machine((thread, ("str", PTABLE, leaf(OLD))), tables=tables)
    assert no_size_change_seen.check is not None
    problem = no_size_change_seen.check(system.shared, stored(system))

    assert problem is not None
    assert "4 pages from page 0x0 on -> pages from 0x8 on" in problem.message
    assert "level 2 block page 0x0 -> page 0x8" in problem.message


def test_pages_of_a_contiguous_group_are_told_as_such() -> None:
    group: dict[str, Any] = {"x": leaf(OLD, contiguous=True), "y": leaf(OLD + 1, contiguous=True)}
    final = all_ptes_at_end(REGIME, ((0, 4),)).final
    assert final is not None
    system = little((), **group)
    problem = final(system.shared, system.initial())

    assert problem is not None
    told = (
        "at the end there is still "
        "2 pages of a contiguous group from page 0x0 on -> pages from 0x8 on"
    )
    assert told == problem.message


@pytest.mark.parametrize(
    ("step", "what"),
    [
        (("daifset",), "cpu0 ends with its interrupts masked"),
        (("msr", "ttbr0_el1", Ttbr(SPARE)), "cpu0 ends with other translation registers"),
    ],
    ids=["masked", "registers"],
)
def test_what_is_not_restored(step: tuple[Any, ...], what: str) -> None:
    system = little((step,))
    (end,) = explore(system).ended
    final = context_restored(REGIME).final
    assert final is not None
    problem = final(system.shared, end)

    assert problem is not None
    assert what == problem.message


@pytest.mark.parametrize(("bbm", "judged"), [(0, True), (1, True), (2, False), (3, False)])
def test_a_level_of_bbm_is_enough_by_itself(bbm: int, judged: bool) -> None:
    check = no_size_change_seen_below(2).check
    system = little((("str", PTABLE, leaf(OLD)),), x=leaf(OLD), features=Features(bbm=bbm))
    assert check is not None

    assert (check(system.shared, stored(system)) is not None) == judged


@pytest.mark.parametrize("other_maps", [False, True])
@pytest.mark.parametrize(("ttbr1", "is_its"), [(ROOT, True), (SPARE, False)])
def test_another_map_counts_only_where_it_may(other_maps: bool, ttbr1: int, is_its: bool) -> None:
    """Page 0 is not mapped in the map that starts at ROOT; TTBR1 may have another."""
    check = no_fault_on_live_map(ROOT, ((0, 1),), other_maps=other_maps).check
    system = little((("nop",),), regime=REGIME._replace(ttbr1=(Ttbr(ttbr1),)))
    assert check is not None

    assert (check(system.shared, system.initial()) is None) == (other_maps and not is_its)
