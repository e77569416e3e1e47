"""Instructions that change (R27): what a cache may hold, what IC takes away, and what ISB does."""

from __future__ import annotations

from typing import Any

import pytest

from simbbm.arm64.descriptor import RO, leaf, table
from simbbm.arm64.features import DELAYED
from simbbm.arm64.footprints import EVERY_PENDING_TLBIS, Kind
from simbbm.arm64.machine import Arm64
from simbbm.arm64.platform.text import Ic, Stale, ic_acted, stored, synchronised
from simbbm.core.errors import ScenarioError
from simbbm.explore.search.reductions.invalidations import is_quiet
from tests.support import (
    FLAG,
    INV,
    OTHER,
    PTES,
    ROOT,
    SPARE,
    WORDS,
    X,
    explore,
    machine,
    skip,
    thread,
)

TEXT_WORD, PLAIN = X, X + 1
NEW = ("str", X, 1)
"""Text is 0, and becomes 1."""
DSB, ISB, ALL, LOCAL, ONE = (
    ("dsb", "ish"),
    ("isb",),
    ("ic", "ialluis"),
    ("ic", "iallu"),
    ("ic", "ivau", X),
)
FETCH = ("fetch", X)
EXECUTABLE = leaf(0, RO._replace(write=True, execute=True))


def patched(*threads: Any, **more: Any) -> Arm64:
    """The little machine, whose page 0 is text, one to one."""
    tables = {
        ROOT: (table(PTES), leaf(4), INV, INV),
        PTES: (EXECUTABLE, leaf(1), INV, INV),
        SPARE: (INV,) * 4,
        OTHER: (INV,) * 4,
    }
    more.setdefault("handler", skip)
    text = frozenset({TEXT_WORD})
    return machine(*((thread, *s) for s in threads), tables=tables, data={}, text=text, **more)


def last(*threads: Any, **more: Any) -> set[Any]:
    """What the last step of the last CPU observes."""
    return {values[-1][-1] for values in explore(patched(*threads, **more)).outcomes}


@pytest.mark.parametrize(
    ("steps", "seen"),
    [
        ((NEW, DSB, ALL, DSB, ISB), {1}),
        ((NEW, DSB, LOCAL, DSB, ISB), {1}),
        ((NEW, DSB, LOCAL, ("dsb", "nsh"), ISB), {1}),
        ((NEW, DSB, ONE, DSB, ISB), {1}),
        ((NEW, DSB, ("ic", "ivau", PLAIN), DSB, ISB), {0, 1}),
        ((NEW, DSB, ALL, DSB), {0, 1}),
        ((NEW, DSB, ALL, DSB, ("svc", 0)), {1}),
        ((NEW, DSB, ALL, ISB), {0, 1}),
        ((NEW, DSB, ALL, ("dsb", "ishst"), ISB), {0, 1}),
        ((NEW, ALL, DSB, ISB), {0, 1}),
        ((NEW, ("dmb", "ish"), ALL, DSB, ISB), {0, 1}),
        ((NEW, DSB, ISB), {0, 1}),
        ((NEW, DSB, ("tlbi", "vmalle1is"), DSB, ISB), {0, 1}),
        ((NEW, ALL, DSB, ALL, DSB, ISB), {1}),
        ((ISB,), {0}),
    ],
    ids=str,
)
@pytest.mark.parametrize("window", [1, 3])
def test_what_is_executed_after_a_change(steps: Any, seen: set[int], window: int) -> None:
    hardware = DELAYED._replace(window=window)
    assert seen == last((*steps, FETCH), hardware=hardware)


TELL = ("str", FLAG, 1)


def is_set(value: int) -> bool:
    return value != 0


@pytest.mark.parametrize(
    ("ic", "between", "seen"),
    [
        (ALL, (ISB,), {1}),
        (ALL, (), {0, 1}),
        (ALL, (DSB,), {0, 1}),
        (LOCAL, (ISB,), {0, 1}),
        (ONE, (ISB,), {1}),
    ],
    ids=str,
)
def test_what_another_cpu_executes(ic: Any, between: Any, seen: set[int]) -> None:
    """Broadcast or not; each CPU needs a context synchronisation of its own."""
    waits = ("wait", FLAG, is_set)
    assert seen == last((NEW, DSB, ic, DSB, TELL), (waits, *between, FETCH))


def test_hardware_whose_caches_are_coherent_shows_none_of_that() -> None:
    assert {1} == last((NEW, DSB, FETCH), hardware=DELAYED.without("stale instruction"))


def test_a_fetch_does_not_see_a_store_that_is_pending() -> None:
    assert {0} <= last((NEW, FETCH), hardware=DELAYED.without("stale instruction"))


def test_a_fetch_is_translated_and_faults() -> None:
    """Page 1 is not executable, page 2 is not mapped; what faults is skipped."""
    for page in (1, 2):
        assert {None} == last((("fetch", page * WORDS),))
        assert {None} == last((("ic", "ivau", 2 * WORDS), ("fetch", page * WORDS)))


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(ScenarioError, match="is no text"):
        explore(patched((("fetch", PLAIN),)))
    with pytest.raises(ScenarioError, match=r"there is no ic\.ivau with these operands"):
        explore(patched((("ic", "ivau"),)))
    with pytest.raises(ScenarioError, match=r"there is no ic\.iallu with these operands"):
        explore(patched((("ic", "iallu", X),)))


def test_an_ic_is_owed_as_a_tlbi_is_and_depends_on_stores_to_text() -> None:
    system = patched((ALL, DSB), ())
    [issues] = system.moves(system.initial())
    assert {EVERY_PENDING_TLBIS, (Kind.OWED, 0)} <= issues.footprint.writes
    state = system.apply(system.initial(), issues)
    acts = system.moves(state)
    assert ["dvm.cpu0 ic ialluis from cpu0: acts", "dvm.cpu1 ic ialluis from cpu0: acts"] == [
        move.label for move in acts
    ]
    assert all((Kind.WORD, TEXT_WORD) in move.footprint.reads for move in acts)


def test_who_may_execute_what_was_is_not_quiet() -> None:
    system = patched((NEW,), (), hardware=DELAYED._replace(late_stores=False))
    before = system.initial()
    after = system.apply(before, system.moves(before)[0])
    assert ((Stale(TEXT_WORD, 0),),) * 2 == tuple(cpu.text for cpu in after.cpus)
    assert not is_quiet(after.cpus[1])


def test_text_as_a_value() -> None:
    memory = patched((NEW,)).initial().memory
    words = frozenset({TEXT_WORD})
    held = stored((), words, memory, (TEXT_WORD, (1,)))
    assert (Stale(TEXT_WORD, 0),) == held == stored(held, words, memory, (TEXT_WORD, (2,)))
    assert () == stored((), words, memory, (TEXT_WORD, (0,)))
    assert () == stored((), words, memory, (PLAIN, (1,)))
    assert held == ic_acted(held, Ic("ivau", PLAIN)) == synchronised(held)
    fetched = ic_acted(held, Ic("ialluis"))
    assert (Stale(TEXT_WORD, 0, fetched=True),) == fetched
    assert () == synchronised(fetched)
    assert held == stored(fetched, words, memory, (TEXT_WORD, (1,)))
