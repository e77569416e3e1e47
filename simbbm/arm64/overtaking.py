"""Loads of a program that overtake earlier operations: what a load may still get.

A program's next operation depends on what its last one returned, so operations cannot be in flight
together. A load that overtakes others was performed when they had not been executed yet: it gets
what its word held at that time. So a CPU remembers what other CPUs overwrite, until it has executed
as many operations as its window holds, or one that later loads cannot overtake: a DMB of loads, a
DSB, an acquire, a context synchronisation event, an MSR. Its own accesses to a word end what is
older there (coherence), and a load never precedes its own translation (R5, R6): a descriptor that
becomes valid may have given it, and ends everything.

Simplified: what an address depends on is not known, a load may overtake that too (more behaviours).
Acquires, exclusives, atomics and loads of descriptors overtake nothing; no load precedes a
descriptor that becomes valid, nor an MSR; one whose translation a completed TLBI has taken away is
translated anew, though it might have been performed before (fewer behaviours).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from simbbm.arm64.descriptor import Descriptor
from simbbm.arm64.storebuffer import StoreBuffer, Word

EARLY = " early "
"""Between the label of a load and the value that it gets for having overtaken something."""


class Overwritten(NamedTuple):
    """What a word held before another CPU wrote to it."""

    address: int
    value: int
    age: int = 0
    """Operations that this CPU has executed since."""


Past = tuple[Overwritten, ...]
"""By address; the values of one word oldest first."""


class Reading(NamedTuple):
    """A value that a load may get, and what later loads may still get after it."""

    value: Any
    past: Past
    suffix: str = ""


def overwritten(
    past: Past,
    buffer: StoreBuffer,
    address: int,
    before: tuple[Word, ...],
    after: tuple[Word, ...],
    *,
    own: bool,
) -> Past:
    """The past of a CPU after words at `address` changed in memory, by its `own` store or not.

    Nothing is remembered that is older than its own pending store to the word, or while a DMB makes
    loads wait for its earlier stores.
    """
    if any(isinstance(word, Descriptor) and word.valid for word in after):
        return ()
    if own or buffer.holds_loads:
        return past
    lost = tuple(
        Overwritten(address + i, old)
        for i, (old, new) in enumerate(zip(before, after, strict=True))
        if old != new and isinstance(old, int) and not buffer.pending(address + i)
    )
    return _canonical((*past, *lost))


def executed(past: Past, window: int) -> Past:
    """The past after one more operation of this CPU."""
    return tuple(one._replace(age=one.age + 1) for one in past if one.age + 1 < window)


def accessed(past: Past, address: int) -> Past:
    """The past after this CPU's access to a word as it is now."""
    return tuple(one for one in past if one.address != address)


def readings(past: Past, address: int) -> Iterator[Reading]:
    """What a load may get that overtakes earlier operations.

    Of equal values the oldest: all that may follow a younger one may follow it as well.
    """
    met = set()
    here = [one for one in past if one.address == address]
    elsewhere = accessed(past, address)
    for i, one in enumerate(here):
        if one.value not in met:
            met.add(one.value)
            left = _canonical((*elsewhere, *here[i:]))
            yield Reading(one.value, left, f"{EARLY}{one.value}")


def _canonical(past: Past) -> Past:
    return tuple(sorted(past, key=lambda one: one.address))
