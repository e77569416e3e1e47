"""Store buffer: order against a naive oracle, forwarding, and one value for equal buffers."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from simbbm.arm64.execution.storebuffer import StoreBuffer
from tests.support import FLAG, FLAG2, outcomes


class Event(NamedTuple):
    """What a program does: a barrier (`loads` or not), or a store."""

    barrier: bool = False
    loads: bool = False
    address: int = 0
    length: int = 1
    release: bool = False


BARRIERS = st.builds(Event, st.just(value=True), loads=st.booleans())
STORES = st.builds(
    Event,
    address=st.integers(0, 3),
    length=st.integers(1, 2),
    release=st.booleans(),
)
EVENTS = st.lists(st.one_of(BARRIERS, STORES, STORES), min_size=3, max_size=7)


class Oracle:
    """The program's own order, kept whole: nothing is grouped, numbered or forgotten."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.drained: list[bool] = []

    def add(self, event: Event) -> None:
        self.events.append(event)
        self.drained.append(event.barrier)

    def pending(self) -> list[int]:
        return [i for i, done in enumerate(self.drained) if not done]

    def held_by_barrier(self, at: int, *, loads: bool = False) -> bool:
        """Whether a barrier lies between a pending store and position `at`."""
        return any(
            barrier.barrier and (barrier.loads or not loads)
            for first in self.pending()
            for barrier in self.events[first:at]
        )

    def drainable(self) -> list[int]:
        """Positions among the pending stores of those that may reach memory."""
        pending = self.pending()
        found = []
        for n, i in enumerate(pending):
            store = self.events[i]
            mine = set(range(store.address, store.address + store.length))
            earlier = [self.events[j] for j in pending[:n]]
            same = any(mine & set(range(e.address, e.address + e.length)) for e in earlier)
            if not same and not (store.release and earlier) and not self.held_by_barrier(i):
                found.append(n)
        return found

    def forward(self, address: int) -> int | None:
        for i in reversed(self.pending()):
            store = self.events[i]
            if store.address <= address < store.address + store.length:
                return 10 * i + address - store.address
        return None


def added(buffer: StoreBuffer, event: Event, number: int) -> StoreBuffer:
    if event.barrier:
        return buffer.ordered(loads=event.loads)
    words = tuple(10 * number + i for i in range(event.length))
    return buffer.push(event.address, words, release=event.release)


@settings(max_examples=300)
@given(EVENTS, st.lists(st.integers(0, 11), min_size=14, max_size=14))
def test_stores_reach_memory_as_the_program_order_oracle_says(
    events: list[Event], choices: list[int]
) -> None:
    oracle, buffer = Oracle(), StoreBuffer()
    waiting = list(enumerate(events))
    while waiting or oracle.pending():
        assert oracle.drainable() == buffer.drainable()
        end = len(oracle.events)
        assert oracle.held_by_barrier(end) == buffer.holds_stores
        assert oracle.held_by_barrier(end, loads=True) == buffer.holds_loads
        releases = any(oracle.events[i].release for i in oracle.pending())
        assert releases == buffer.holds_release
        assert [oracle.forward(a) for a in range(5)] == [buffer.forward(a) for a in range(5)]
        choice = choices.pop()
        if waiting and (choice % 3 or not oracle.pending()):
            number, event = waiting.pop(0)
            oracle.add(event)
            buffer = added(buffer, event, number)
        else:
            n = oracle.drainable()[choice // 3 % len(oracle.drainable())]
            oracle.drained[oracle.pending()[n]] = True
            buffer = buffer.drained(n)


@given(EVENTS, EVENTS, st.data())
def test_history_that_has_drained_leaves_no_trace(
    before: list[Event], after: list[Event], data: st.DataObject
) -> None:
    buffer = StoreBuffer()
    for number, event in enumerate(before):
        buffer = added(buffer, event, number)
    first = buffer
    for number, event in enumerate(after, len(before)):
        buffer = added(buffer, event, number)
    old_words = {store.words[0] for store in buffer.stores if store in first.stores}
    for _ in [event for event in before if not event.barrier]:
        old = [n for n in buffer.drainable() if buffer.stores[n].words[0] in old_words]
        buffer = buffer.drained(data.draw(st.sampled_from(old)))
    fresh = StoreBuffer()
    for number, event in enumerate(after, len(before)):
        fresh = added(fresh, event, number)

    assert fresh == buffer


@given(EVENTS)
def test_second_barrier_in_a_row_changes_nothing(events: list[Event]) -> None:
    buffer = StoreBuffer()
    for number, event in enumerate(events):
        buffer = added(buffer, event, number)
    once = buffer.ordered(loads=True)

    assert once == once.ordered(loads=True) == once.ordered(loads=False)


def test_store_exclusive_waits_for_stores_before_dmb_ishst() -> None:
    ends = outcomes(
        (("str", FLAG, 1), ("dmb", "ishst"), ("ldxr", FLAG2), ("stxr", FLAG2, 1)),
        (("ldr", FLAG2), ("ldr", FLAG)),
    )

    assert ((0, 0), (1, 0)) not in ends
    assert ((0, 0), (1, 1)) in ends


def test_store_exclusive_may_overtake_stores_without_a_barrier() -> None:
    ends = outcomes(
        (("str", FLAG, 1), ("ldxr", FLAG2), ("stxr", FLAG2, 1)),
        (("ldr", FLAG2), ("ldr", FLAG)),
    )

    assert ((0, 0), (1, 0)) in ends
