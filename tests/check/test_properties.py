"""Every property has a small program that trips it, and it alone."""

from __future__ import annotations

from typing import Any

import pytest

from simbbm.arm64.descriptor import RO, Attributes, Descriptor, leaf, table
from simbbm.arm64.features import Features
from simbbm.arm64.machine import Arm64
from simbbm.arm64.registers import Ttbr
from simbbm.check.catalogue import CATALOGUE
from simbbm.check.properties import (
    Property,
    all_ptes_at_end,
    context_restored,
    ng_published,
    no_fault_on_live_map,
    no_size_change_seen,
    no_stale_translation,
    no_tlb_conflict,
    one_table_under_cnp,
    tables_linked_once,
    terminates,
    translations_preserved,
)
from tests.support import (
    FLAG,
    INV,
    NEW,
    OLD,
    OTHER,
    PTABLE,
    PTES,
    PX,
    PY,
    REGIME,
    ROOT,
    SPARE,
    X,
    Y,
    explore,
    machine,
    thread,
)

Steps = tuple[tuple[Any, ...], ...]
DSB, ISB = ("dsb", "ish"), ("isb",)
MAPPED = tuple(leaf(OLD + i) for i in range(4))
GROUPED = (*(leaf(OLD + i, contiguous=True) for i in range(2)), *MAPPED[2:])
NG = leaf(4, not_global=True)
HALF = (NG, *(leaf(4 + i) for i in range(1, 4)))
TABLES = {
    ROOT: (table(PTES), NG, INV, INV),
    PTES: MAPPED,
    SPARE: MAPPED,
    OTHER: (INV,) * 4,
}
"""Pages 0 to 3 are mapped to 8 to 11 by pages."""


def is_never(value: int) -> bool:
    return value < 0


def judged(tables: dict[int, tuple[Descriptor, ...]]) -> list[Property]:
    """All properties, for what is mapped at the start."""
    return [
        no_size_change_seen,
        no_tlb_conflict,
        no_fault_on_live_map(ROOT, ((0, 4),)),
        ng_published(ROOT, ((4, 4),)),
        no_stale_translation,
        terminates,
        translations_preserved(REGIME, tables),
        all_ptes_at_end(REGIME, ((0, 4), (8, 8))),
        context_restored(REGIME),
        tables_linked_once(REGIME),
        one_table_under_cnp,
    ]


def tripped(*threads: Steps, tables: dict[int, Any] | None = None, **more: Any) -> dict[str, str]:
    """Names of the properties that fail in any state, and what one of them says."""
    tables = TABLES | (tables or {})
    properties = judged(tables)
    steps = tuple(p.step for p in properties if p.step)
    system = machine(*((thread, *t) for t in threads), tables=tables, step=steps, **more)
    found = explore(system)
    problems = [state.failure for state in found.failed]
    checks = [p.check for p in properties if p.check]
    problems += [check(system.shared, state) for check in checks for state in found.states]
    finals = [p.final for p in properties if p.final]
    problems += [final(system.shared, state) for final in finals for state in found.ended]
    messages = {p.property: p.message for p in problems if p}
    return messages | ({"terminates": "stuck"} if found.stuck else {})


def with_cnp(table: int) -> Steps:
    """Set CnP for some table in TTBR1, and go back."""
    there = ("msr", "ttbr1_el1", Ttbr(table, cnp=True))
    back = ("msr", "ttbr1_el1", Ttbr(OTHER))
    return there, ISB, back, ISB


RESTORE = (DSB, ("tlbi", "vae1is", 0, 1), DSB, ("str", PX, leaf(OLD)))
CASES: dict[str, list[tuple[Steps, dict[str, Any]]]] = {
    "no_size_change_seen": [
        ((("str", PTABLE, leaf(OLD)), ("str", PTABLE, table(PTES))), {}),
        (
            (
                ("str", PX, leaf(OLD, contiguous=True)),
                ("str", PY, leaf(OLD + 1, contiguous=True)),
                ("str", PX, leaf(OLD)),
                ("str", PY, leaf(OLD + 1)),
            ),
            {},
        ),
    ],
    "no_tlb_conflict": [
        ((("str", PX, leaf(NEW)), ("str", PX, leaf(OLD))), {}),
        ((("str", PX, leaf(OLD, Attributes(memory="device"))), ("str", PX, leaf(OLD))), {}),
        ((("str", PX, leaf(OLD, not_global=True)), ("str", PX, leaf(OLD))), {}),
    ],
    "no_fault_on_live_map": [
        ((("str", PX, INV), *RESTORE), {}),
        ((("str", PX, leaf(OLD, access_flag=False)), ("str", PX, leaf(OLD))), {}),
        ((("ldr", 15 * 16),), {"handler": None}),
    ],
    "ng_published": [
        # Half of it is rewritten; and all of it was forgotten.
        ((), {"tables": {ROOT: (table(PTES), table(OTHER), INV, INV), OTHER: HALF}}),
        ((), {"tables": {ROOT: (table(PTES), leaf(4), INV, INV)}}),
    ],
    "no_stale_translation": [
        ((("str", PX, leaf(OLD, RO)), DSB, ISB, ("ldr", X), ("str", PX, leaf(OLD))), {}),
    ],
    "terminates": [
        ((("wait", FLAG, is_never),), {}),
        ((("wfe",),), {}),
    ],
    "translations_preserved": [
        ((("str", PX, leaf(OLD, RO)),), {}),
    ],
    "all_ptes_at_end": [
        ((), {"tables": {ROOT: (table(PTES), NG, leaf(12), INV)}}),
        ((), {"tables": {PTES: GROUPED}}),
    ],
    "no_sleep_in_atomic": [
        ((("daifset",), ("might_sleep",), ("daifclr",)), {}),
    ],
    "context_restored": [
        ((("msr", "ttbr0_el1", Ttbr(ROOT, asid=3)), ISB), {}),
        ((("msr", "ttbr1_el1", Ttbr(ROOT)),), {}),
        ((("daifset",),), {}),
    ],
    "tables_linked_once": [
        ((), {"tables": {ROOT: (table(PTES), NG, table(SPARE), table(SPARE))}}),
    ],
    "no_panic": [
        ((("panic", "lost"),), {}),
    ],
    "one_table_under_cnp": [
        (with_cnp(SPARE), {"others": (with_cnp(OTHER),)}),
    ],
}


def test_every_property_of_the_catalogue_is_tripped_here() -> None:
    assert set(CATALOGUE) == set(CASES)
    assert {p.name for p in judged(TABLES)} <= set(CATALOGUE)


@pytest.mark.parametrize(
    ("name", "steps", "more"),
    [(name, *case) for name, cases in CASES.items() for case in cases],
    ids=[f"{name}{n}" for name, cases in CASES.items() for n in range(len(cases))],
)
def test_program_trips_its_property_and_no_other(
    name: str, steps: Steps, more: dict[str, Any]
) -> None:
    others = more.get("others", ())
    own = {k: v for k, v in more.items() if k != "others"}

    assert {name} == set(tripped(steps, *others, **own))


@pytest.mark.parametrize(
    "steps",
    [
        (),
        (("ldr", X), ("str", Y, 1), DSB, ISB),
        (("str", PX, leaf(OLD)), DSB, ISB),
        (("msr", "ttbr0_el1", Ttbr(ROOT, asid=1)), ISB, ("daifset",), ("daifclr",)),
        (("str", PTABLE, table(SPARE)), ("ldr", X)),
        (("might_sleep",),),
    ],
)
def test_program_that_does_no_harm_trips_nothing(steps: Steps) -> None:
    assert {} == tripped(steps)


@pytest.mark.parametrize(
    ("features", "harmless"),
    [
        (Features(), False),
        (Features(bbm=2), False),
        (Features(bbm=2, noabort=True), True),
        (Features(bbm=3), True),
    ],
)
def test_cpu_that_never_aborts_may_see_a_size_change(features: Features, harmless: bool) -> None:
    (steps, _), *_ = CASES["no_size_change_seen"]

    assert harmless == (not tripped(steps, features=features))


@pytest.mark.parametrize("others", [with_cnp(SPARE), (("nop",),)])
def test_cnp_for_one_table_is_a_promise_that_is_kept(others: Steps) -> None:
    assert {} == tripped(with_cnp(SPARE), others)


def test_under_another_asid_there_may_be_another_table() -> None:
    """The other CPU never has the first one's ASID while it has CnP set."""
    regimes = tuple(REGIME._replace(ttbr0=(Ttbr(ROOT, asid),)) for asid in (1, 2))
    quick = (("msr", "ttbr1_el1", Ttbr(SPARE, cnp=True)), ISB)
    other = (("msr", "ttbr1_el1", Ttbr(OTHER, cnp=True)), ISB)
    found = [
        "one_table_under_cnp" in tripped(quick, other, regime=regime)
        for regime in (regimes, REGIME)
    ]

    assert [False, True] == found


def test_cpu_that_never_aborts_may_not_see_two_outputs() -> None:
    (steps, _), *_ = CASES["no_tlb_conflict"]

    assert {"no_tlb_conflict"} == set(tripped(steps, features=Features(bbm=3, noabort=True)))


def test_conflict_is_judged_on_every_cpu() -> None:
    """The second CPU is the one that may not see it."""
    (steps, _), *_ = CASES["no_size_change_seen"]
    features = (Features(bbm=2, noabort=True), Features())
    (message,) = tripped(steps, (("ldr", FLAG),), features=features).values()

    assert message.startswith("cpu1 may hold two entries")


@pytest.mark.parametrize(("address", "word"), [(X, "USED by its next step"), (FLAG, "HELD")])
def test_conflict_says_whether_it_was_used(address: int, word: str) -> None:
    system = machine(
        (thread, ("str", PTABLE, leaf(OLD))),
        (thread, ("ldr", address)),
        tables=TABLES,
        features=(Features(noabort=True), Features()),
        always=(no_size_change_seen.check,),
    )
    failures = [state.failure for state in explore(system).failed]
    messages = [f.message for f in failures if f and f.cpu == 1]

    assert any(word in message for message in messages)
    assert address == X or not any("USED" in message for message in messages)


def test_conflict_abort_that_nobody_handles_is_a_conflict() -> None:
    found = explore(
        machine((thread, ("str", PTABLE, leaf(OLD)), DSB, ("ldr", X)), tables=TABLES, handler=None)
    )

    assert {"no_tlb_conflict"} == found.problems


def test_gap_below_a_cached_table_counts_after_the_root_was_left() -> None:
    """The table is unlinked from the live map, and may still be walked."""
    steps = (("str", PTABLE, table(SPARE)), DSB, ("str", PX, INV))
    more = (("tlbi", "vmalle1"), DSB, ("str", PX, INV))

    (message,) = tripped(steps).values()
    assert "cached level 2 table entry" in message
    assert {} == tripped((steps[0], DSB, *more))


def test_map_that_is_not_live_may_have_gaps() -> None:
    steps = (
        ("msr", "ttbr0_el1", Ttbr(SPARE, asid=1)),
        ISB,
        ("tlbi", "vmalle1"),
        DSB,
    )
    live = no_fault_on_live_map(ROOT, ((0, 4),))
    tables = TABLES | {SPARE: (table(OTHER), leaf(4), INV, INV), OTHER: MAPPED}
    system: Arm64 = machine((thread, *steps, ("str", PX, INV)), tables=tables, always=(live.check,))

    assert not explore(system).failed
    early = machine((thread, *steps[:3], ("str", PX, INV)), tables=tables, always=(live.check,))
    assert explore(early).failed
