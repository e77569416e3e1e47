"""What a TLBI's completion waits for and undoes: each condition of the rule by itself."""

from __future__ import annotations

import pytest

from simbbm.arm64.cpu import CpuState
from simbbm.arm64.descriptor import RW, leaf
from simbbm.arm64.execution.flight import InFlight
from simbbm.arm64.execution.instructions import RULES, Decoded
from simbbm.arm64.execution.storebuffer import Store, StoreBuffer
from simbbm.arm64.features import DELAYED, Features
from simbbm.arm64.machine import Arm64
from simbbm.arm64.translation.tlb import GLOBAL, LeafEntry, Tlbi
from simbbm.arm64.translation.tlbi_completion import (
    begun_holds_up,
    flight_holds_up,
    overlooked,
    stale,
    stores_hold_up,
    translated_anew,
)
from simbbm.arm64.translation.walks import TRANSLATION, Fault
from tests.support import OLD, WORDS, X, Y, little

ENTRY = LeafEntry(3, 0, 1, OLD, RW, contiguous=False, group=False, asid=GLOBAL)
OTHER = ENTRY._replace(va=1, page=OLD + 1)
EVERY, OF_X, OF_Y = (Tlbi("vmalle1", True), *(Tlbi("vaae1", True, page) for page in (0, 1)))
LOCAL = Tlbi("vmalle1", False)
AFFECTED = Features(errata=("4118414",))
FAULT = Fault(TRANSLATION, 3)


def system(*ablations: str) -> Arm64:
    """A machine, perhaps with rules switched off."""
    return little((("nop",),), x=leaf(OLD), hardware=DELAYED._replace(ablations=ablations))


def storing(machine: Arm64, features: Features, *, again: bool) -> CpuState:
    """A CPU with a pending store; `again`: a TLBI has overlooked it before."""
    buffer = StoreBuffer((Store(OLD * WORDS, (1,), entry=ENTRY, overlooked=again),))
    cpu = machine.initial().cpus[0]
    return machine.shared.cpus.change(cpu, buffer=buffer, features=features)


def test_what_is_stale() -> None:
    shared = system().shared

    assert stale(shared, ENTRY, (), EVERY)
    assert stale(shared, ENTRY, (OTHER,), OF_X)
    assert not stale(shared, None, (), EVERY)
    assert not stale(shared, ENTRY, (), OF_Y), "another page's"
    assert not stale(shared, ENTRY, (OTHER, ENTRY), EVERY), "a walk has brought it back"


@pytest.mark.parametrize(
    ("features", "tlbi", "again", "waits"),
    [
        (Features(), EVERY, False, True),
        (Features(), OF_X, False, True),
        (Features(), OF_Y, False, False),
        (Features(), OF_Y, True, False),
        (AFFECTED, EVERY, False, False),
        (AFFECTED, EVERY, True, True),
        (AFFECTED, OF_Y, True, True),
        (AFFECTED, LOCAL, False, True),
    ],
)
def test_stores_that_hold_up(features: Features, tlbi: Tlbi, again: bool, waits: bool) -> None:
    machine = system()
    cpu = storing(machine, features, again=again)

    assert waits == stores_hold_up(machine.shared, cpu, (), tlbi)
    # What an erratum has overlooked holds up the next broadcast TLBI, whatever that invalidates.
    overlooked = again and features is AFFECTED
    assert overlooked == stores_hold_up(machine.shared, cpu, (ENTRY,), tlbi)
    without = system("no-drain")
    assert not stores_hold_up(without.shared, storing(without, features, again=again), (), tlbi)


@pytest.mark.parametrize(
    ("features", "tlbi", "marked"),
    [
        (AFFECTED, EVERY, [True, True]),
        (AFFECTED, OF_Y, [False, True]),
        (AFFECTED, LOCAL, [False, False]),
        (Features(), EVERY, [False, False]),
    ],
)
def test_stores_that_are_overlooked(features: Features, tlbi: Tlbi, marked: list[bool]) -> None:
    machine = system()
    stores = tuple(Store(e.page * WORDS, (1,), entry=e) for e in (ENTRY, OTHER))
    cpu = machine.shared.cpus.change(
        machine.initial().cpus[0], buffer=StoreBuffer(stores), features=features
    )

    after = overlooked(machine.shared, cpu, (), tlbi).stores
    assert marked == [store.overlooked for store in after]
    assert [store._replace(overlooked=False) for store in after] == list(stores)


LOAD = Decoded(RULES["ldr"], "ldr", "", "ldr", "here")
CODE = {
    "x": LOAD._replace(address=X),
    "y": LOAD._replace(address=Y),
    "y+1": LOAD._replace(address=Y + 1),
    "?": LOAD._replace(addressed=False),
    "physical": LOAD._replace(address=X, physical=True),
    "": Decoded(RULES["isb"], "isb", "", "isb", "here"),
}
Flying = tuple[tuple[InFlight, ...], list[Decoded]]


def flying(*accesses: tuple[str, InFlight]) -> Flying:
    """A window of loads, by where they go and what is known of them."""
    return tuple(entry for _, entry in accesses), [CODE[at] for at, _ in accesses]


FRESH = InFlight(0)
HIT = InFlight(0, OLD * WORDS, ENTRY)
HIT_OTHER = InFlight(0, (OLD + 1) * WORDS, OTHER)
DONE = HIT._replace(done=True)
DONE_OTHER = HIT_OTHER._replace(done=True)
FAULTED = InFlight(0, fault=FAULT)


@pytest.mark.parametrize(
    ("older", "younger", "waits"),
    [
        (("y", FRESH), ("x", DONE), True),
        (("?", FRESH), ("x", DONE), True),
        (("y", HIT), ("x", DONE), True),
        (("y+1", FRESH), ("x", DONE), False),
        (("physical", FRESH), ("x", DONE), False),
        (("", FRESH), ("x", DONE), False),
        (("y", FRESH), ("physical", DONE), False),
        (("y", FRESH), ("x", HIT), False),
        (("y", FRESH), ("x", DONE_OTHER), False),
        (("y", DONE_OTHER), ("x", DONE), False),
        (("y", DONE), ("x", DONE), False),
        (("y", HIT_OTHER), ("x", DONE), False),
        (("y", FAULTED), ("x", DONE), False),
    ],
)
def test_accesses_that_hold_up(
    older: tuple[str, InFlight], younger: tuple[str, InFlight], waits: bool
) -> None:
    """A younger one is done by an entry that is gone; the older one to its offset is open."""
    flight = flying(older, younger)

    assert waits == flight_holds_up(system().shared, *flight, (), OF_X)
    for rule in ("no-drain", "no-same-offset"):
        assert not flight_holds_up(system(rule).shared, *flight, (), OF_X)
    assert not flight_holds_up(system().shared, *flying(younger, older), (), OF_X)


def test_a_fault_that_was_taken_holds_up_until_barriers_order_it() -> None:
    """TLBIs for other pages, and faults that barriers do not delay, are not waited for (R10)."""
    flight = flying(("x", FAULTED._replace(taken=True)), ("y", FRESH))

    assert begun_holds_up(system().shared, *flight, (), OF_X, (False, False))
    assert not begun_holds_up(system().shared, *flight, (), OF_X, (True, False))
    elsewhere = flying(("y", FAULTED._replace(taken=True)), ("x", FRESH))
    assert not begun_holds_up(system().shared, *elsewhere, (), OF_X, (False, False))


@pytest.mark.parametrize(
    ("at", "entry", "tlbi", "ordered", "again"),
    [
        ("x", HIT, OF_X, True, True),
        ("x", HIT, OF_Y, True, False),
        ("x", DONE, OF_X, True, False),
        ("physical", HIT, OF_X, True, False),
        ("", HIT, OF_X, True, False),
        ("x", FAULTED, EVERY, False, True),
        ("x", FAULTED, OF_X, False, True),
        ("x", FAULTED, OF_Y, False, False),
        ("x", FAULTED, EVERY, True, False),
        ("x", HIT, OF_Y, False, False),
        ("x", FAULTED._replace(done=True), EVERY, False, False),
    ],
)
def test_accesses_that_are_translated_anew(
    at: str, entry: InFlight, tlbi: Tlbi, ordered: bool, again: bool
) -> None:
    flight = flying((at, entry))
    after = translated_anew(system().shared, *flight, (), tlbi, [ordered])
    without = translated_anew(system("no-drain").shared, *flight, (), tlbi, [ordered])

    assert after == ((InFlight(0),) if again else (entry,))
    assert without is flight[0]
