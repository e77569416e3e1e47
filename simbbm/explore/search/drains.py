"""Pending stores of one CPU whose order nobody can see: one order of them is enough.

Sixteen stores that clear the contiguous hint reach memory in any order, so a search would visit
each of the 65,536 sets of those that have. Where persistent sets take one CPU's moves alone
(`persistent_sets`), and some of these moves are drains, fewer are enough:

* *Its program's step is a plain load or store that no pending store can affect.* That step alone.
  Without it the CPU's moves are drains, and each commutes with it: (a) a load reads another word,
  or one that is forwarded; a store to the same word stays behind the one that is pending; (b) what
  its address translates to is the same before and after each of the drains.
* *Its program waits in a DSB, or has finished, so that its only moves are drains.* The first drain
  alone. What could come before it is other drains, which commute: stores to one word keep their
  order, stores to different words are different parts of memory, and (c) what the CPU may hold in
  the end is the same in every order.

The argument, and the test that is false if a sentence is (tests/explore/test_drains.py):

1. Of other CPUs nothing has to be said: what they can do while this CPU stands still neither reads
   nor writes what any of its moves touch, or it would not be taken alone. A store that somebody
   polls is therefore never deferred. `test_a_store_that_is_polled_...`
2. A pending store is either to data, or to a table that none of this CPU's walks can reach, or it
   replaces a leaf by a leaf (both valid, with the access flag set). So it ends no walk and begins
   none, and a fault is none before and after. `test_links_and_breaks_...`
3. (b) and (c): a walk comes to one leaf descriptor at most, so what it may hold of one page depends
   on one pending store. A CPU may hold what the old leaf says and, once that has drained, what the
   new one says; nothing takes entries away meanwhile, as a TLBI is a program's step of another kind,
   and one that arrives is a move of another kind. So in every order it is the old and the new
   leaves that it may hold. `test_a_tlbi_...`
4. (b) for pages that no such store maps, before or after; pages of a contiguous group are mapped by
   each of its leaves. Where a store only changes the size of what maps a page, and the CPU tolerates
   that, (b) holds too; but a store through such a page is pending with the old entry or the new one,
   which makes a difference to a TLBI that acts on this CPU before the store has drained. None can if
   the program does nothing but plain loads and stores until its next DSB, to words that other CPUs
   do not touch. `test_an_access_through_...`
5. States in which some of the stores have drained are not visited. What fails there fails in the
   state in which all have: the CPU may hold more, and the properties are *monotone*, they fail for
   more entries if for fewer. What an access gets is the same before and after each drain (b), so
   properties that judge accesses judge it alike. Properties that do not say that they are like this
   (`Property.monotone`) switch it off. `test_properties_that_are_not_monotone_...`
6. Early translations and faults may be dropped by a drain (R17b): no reduction while there are any.

Not reduced: program steps other than plain loads and stores, so no order of drains and a barrier, an
atomic or a TLBI is left out.
"""

from __future__ import annotations

from typing import NamedTuple

from simbbm.arm64.agents import DRAIN
from simbbm.arm64.context import Shared
from simbbm.arm64.cpu import CpuState
from simbbm.arm64.descriptor import Descriptor, leaves
from simbbm.arm64.execution.storebuffer import Word
from simbbm.arm64.translation.memory import Memory
from simbbm.arm64.translation.translate import READ, WRITE, translations
from simbbm.arm64.translation.walks import is_leaf
from simbbm.core.system import STEP, Move

PLAIN = ("ldr", "str", "fill")


class Enough(NamedTuple):
    """What is enough of one CPU's moves, where all of them are."""

    moves: tuple[int, ...]
    """Their indices."""
    later: frozenset[int] = frozenset()
    """Words to which its program stores before its next DSB: other CPUs may not touch them
    either."""


class _Mapped(NamedTuple):
    """Pages that a pending store maps anew."""

    first: int
    end: int
    resized: bool
    """To the same pages of memory with the same attributes; only the size is another."""


def enough(shared: Shared, pe: CpuState, memory: Memory, moves: tuple[Move, ...]) -> Enough | None:
    """The moves of one CPU that are enough where all of them are; None: all."""
    drains = tuple(k for k, move in enumerate(moves) if move.kind == DRAIN)
    steps = tuple(k for k, move in enumerate(moves) if move.kind == STEP)
    if not drains or len(drains) + len(steps) < max(2, len(moves)) or pe.flight is not None:
        return None
    if pe.mmu.early_leaves or pe.mmu.early_faults:
        return None
    mapped = _mapped_anew(shared, pe, memory)
    if mapped is None:
        return None
    if steps:
        later = _step_is_unaffected(shared, pe, memory, mapped)
        return None if later is None else Enough(steps, later)
    waits = pe.finished or pe.mnemonic.startswith("dsb")
    return Enough(drains[:1]) if waits else None


def _mapped_anew(shared: Shared, pe: CpuState, memory: Memory) -> list[_Mapped] | None:
    """The pages that pending stores map anew; None if one of them does anything else to walks."""
    found: list[_Mapped] = []
    for store in pe.buffer.stores:
        mapped = _replaces_leaves(shared, pe, memory, store.address, store.words)
        if mapped is None:
            return None
        found += mapped
    return found


def _replaces_leaves(
    shared: Shared, pe: CpuState, memory: Memory, address: int, words: tuple[Word, ...]
) -> list[_Mapped] | None:
    """The pages that a store maps anew, if it replaces leaves by leaves; None if not."""
    geometry, base, found = shared.geometry, shared.geometry.table(address), []
    for va, level, _ in shared.view(pe, memory).places(base):
        for index, new in enumerate(words, address - base):
            old = memory.tables.by_address[base].entries[index]
            assert isinstance(new, Descriptor)
            if not all(is_leaf(d, level) and d.cacheable for d in (old, new)):
                return None
            group = geometry.group(level) if old.contiguous or new.contiguous else 1
            size = geometry.pages(level) * group
            first = va + index // group * size
            same = (old.output, old.attributes) == (new.output, new.attributes)
            resized = same and pe.features.tolerates_size_change
            found.append(_Mapped(first, first + size, resized))
    return found


def _step_is_unaffected(
    shared: Shared, pe: CpuState, memory: Memory, mapped: list[_Mapped]
) -> frozenset[int] | None:
    """None if a pending store can affect the program's next step; else `Enough.later`."""
    op = pe.point.op
    if op is None or op.mnemonic not in PLAIN:
        return None
    page, word = divmod(op.args[0], shared.geometry.page_words)
    used = {page, pe.pc}  # It is fetched too.
    here = [m for m in mapped if any(p is not None and m.first <= p < m.end for p in used)]
    if not all(m.resized for m in here):
        return None
    if op.mnemonic != "ldr":
        # With which of two entries it was translated matters to TLBIs, while it is pending.
        return _stores_until_dsb(shared, pe, memory) if here else frozenset()
    results = translations(shared, pe, memory, page, READ)
    words = (t.page * shared.geometry.page_words + word for t in results if not t.fault)
    return None if any(map(pe.buffer.pending, words)) else frozenset()


def _stores_until_dsb(shared: Shared, pe: CpuState, memory: Memory) -> frozenset[int] | None:
    """The words to which a program stores before its next DSB; None if it does anything else
    than plain loads and stores before, or if what it loads is not certain."""
    geometry, point, pending = shared.geometry, pe.point, pe.buffer
    stored = set[int]()
    while (op := point.op) is not None and not op.mnemonic.startswith("dsb"):
        if op.mnemonic not in PLAIN:
            return None
        address, *value = op.args
        page, offset = divmod(address, geometry.page_words)
        results = translations(shared, pe, memory, page, WRITE if value else READ)
        if len(results) != 1 or results[0].fault:
            return None
        word = results[0].page * geometry.page_words + offset
        if not value:
            known = pending.forward(word)
            point = point.after(shared.memories.read(memory, word) if known is None else known)
            continue
        words = leaves(*value) if op.mnemonic == "fill" else tuple(value)
        changed = _replaces_leaves(shared, pe, memory, word, words)
        if changed is None or not all(m.resized for m in changed):
            return None
        pending = pending.push(word, words)
        stored.update(range(word, word + len(words)))
        point = point.after()
    return frozenset(stored)
