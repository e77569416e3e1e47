"""Pending stores of one CPU whose order nobody can see: they drain one at a time, at once.

Sixteen stores that clear the contiguous hint reach memory in any order, at any time until the next
DSB, so a search would visit each set of those that have. Where persistent sets take one CPU's moves
alone (`persistent_sets`), and *until its next DSB its program does nothing but plain loads and
stores that none of its pending stores can affect*, its first drain alone is enough: that drain
commutes with everything that can come before it, which is those loads and stores, and other drains.

The argument, and the test that is false if a sentence is (tests/explore/test_drains.py):

1. Of other CPUs nothing has to be said: what they can do while this CPU stands still neither reads
   nor writes what its moves touch, nor what it loads and stores until that DSB, or it is not taken
   alone. So a store that somebody polls does not drain early. `test_a_store_that_is_polled_...`
2. Of a store the program knows nothing while it is pending: a load of its word is forwarded, and
   another store to its word stays behind it. `test_a_load_of_a_pending_word_...`
3. Each of the stores, pending ones and later ones, is to data, or to a table that none of this
   CPU's walks can reach, or it replaces a leaf by a leaf (both valid, with the access flag set). So
   it ends no walk and begins none, and what faults is the same before and after.
   `test_links_and_breaks_...`
4. A walk comes to one leaf descriptor at most, so what the CPU may hold of a page depends on one
   store, and not on the order of several. It may hold the old leaf and, once that store has
   drained, the new one. Nothing takes entries away meanwhile: a TLBI is another kind of step, and
   one that arrives is another kind of move. `test_a_tlbi_...`
5. What the program's accesses and fetches get is the same before and after each drain. That is so
   for pages that no such store maps (pages of a contiguous group are mapped by each of its leaves),
   and for pages of which a store changes only the size, if the CPU tolerates that. A store through
   such a page is pending with the old entry or with the new one, which makes a difference to a TLBI
   that acts on this CPU before it has drained, and none does (4). `test_an_access_through_...`
6. States in which the program has gone on before the drain are not visited. What fails there fails
   in the state in which it has drained: the CPU may hold more, and the properties are *monotone*,
   they fail for more entries if for fewer, and judge accesses by what they get (5). Properties that
   do not say that they are like this (`Property.monotone`) switch the reduction off.
   `test_properties_that_are_not_monotone_...`
7. Early translations and faults may be dropped by a drain (R17b): no reduction while there are any.
   `test_early_results_...`

Not reduced: what is pending at an atomic, an exclusive, a release, an acquire or a DMB.
"""

from __future__ import annotations

from typing import NamedTuple

from simbbm.arm64.agents import DRAIN
from simbbm.arm64.context import Shared
from simbbm.arm64.cpu import CpuState
from simbbm.arm64.descriptor import Descriptor, leaves
from simbbm.arm64.execution.storebuffer import Word
from simbbm.arm64.translation.memory import Memory
from simbbm.arm64.translation.translate import FETCH, READ, WRITE, translations
from simbbm.arm64.translation.walks import is_leaf
from simbbm.core.programs.automaton import ControlPoint
from simbbm.core.system import STEP, Move

PLAIN = ("ldr", "str", "fill")

Pages = dict[tuple[int, str], int]
"""What accesses get: by page and kind of access, the page of memory."""


class Path(NamedTuple):
    """What a program does until its next DSB."""

    points: dict[ControlPoint, int]
    """Its control points, with how many loads come before each."""
    memory: Memory
    """As it was where the path was found."""
    gets: Pages
    stored: dict[int, tuple[Word, ...]]
    """The values that reach each word until then, those of pending stores included."""
    loads: tuple[tuple[int, Word], ...]
    """The words that are loaded, in order, with the values that the program gets."""


class Drains:
    """Finds the paths on which pending stores may drain at once."""

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self._paths: dict[ControlPoint, Path] = {}
        """By each control point on it, the path that was found last."""

    def path(self, pe: CpuState, memory: Memory, moves: tuple[Move, ...]) -> Path | None:
        """The path on which the first of the drains among a CPU's `moves` is enough; None: none."""
        kinds = {move.kind for move in moves}
        if len(moves) < 2 or DRAIN not in kinds or not kinds <= {DRAIN, STEP} or pe.flight:
            return None
        if pe.mmu.early_leaves or pe.mmu.early_faults:
            return None
        path = self._paths.get(pe.point)
        if path is None or not self._still_holds(path, pe, memory):
            path = self._find(pe, memory)
            if path is not None:
                self._paths.update(dict.fromkeys(path.points, path))
        return path

    def _find(self, pe: CpuState, memory: Memory) -> Path | None:
        """Follow the program to its next DSB, or its end; None if it does anything else before."""
        geometry, point = self.shared.geometry, pe.point
        points, gets, loads = {point: 0}, Pages(), list[tuple[int, Word]]()
        pending = dict[int, Word]()
        stored = dict[int, tuple[Word, ...]]()

        def store(address: int, words: tuple[Word, ...]) -> None:
            for word, value in enumerate(words, address):
                pending[word] = value
                stored[word] = (*stored.get(word, ()), value)

        for each in pe.buffer.stores:
            store(each.address, each.words)
        while (op := point.op) is not None and not op.mnemonic.startswith("dsb"):
            if op.mnemonic not in PLAIN:
                return None
            page, offset = divmod(op.args[0], geometry.page_words)
            at = self._gets(pe, memory, page, READ if op.mnemonic == "ldr" else WRITE, gets)
            if at is None:
                return None
            word = at * geometry.page_words + offset
            if op.mnemonic == "ldr":
                value = pending.get(word)
                if value is None:
                    value = self.shared.memories.read(memory, word)
                loads.append((word, value))
                point = point.after(value)
            else:
                store(word, leaves(*op.args[1:]) if op.mnemonic == "fill" else op.args[1:])
                point = point.after()
            points[point] = len(loads)
        if pe.pc is not None and self._gets(pe, memory, pe.pc, FETCH, gets) is None:
            return None
        path = Path(points, memory, gets, stored, tuple(loads))
        return path if self._is_harmless(path, pe, memory) else None

    def _gets(
        self, pe: CpuState, memory: Memory, page: int, access: str, gets: Pages
    ) -> int | None:
        """The page of memory that an access is certain to get, noted in `gets`; None: it is not."""
        results = translations(self.shared, pe, memory, page, access)
        if len(results) != 1 or results[0].fault:
            return None
        gets[page, access] = results[0].page
        return results[0].page

    def _is_harmless(self, path: Path, pe: CpuState, memory: Memory) -> bool:
        """Whether none of the stores ends or begins a walk, or changes what the path gets."""
        geometry, view = self.shared.geometry, self.shared.view(pe, memory)
        pages = {page for page, _ in path.gets}
        for word, values in path.stored.items():
            base = geometry.table(word)
            for va, level, _ in view.places(base):
                old = memory.tables.by_address[base].entries[word - base]
                every = (old, *(value for value in values if isinstance(value, Descriptor)))
                if not all(is_leaf(d, level) and d.cacheable for d in every):
                    return False
                same = len({(d.output, d.attributes) for d in every}) == 1
                if same and pe.features.tolerates_size_change:
                    continue
                group = geometry.group(level) if any(d.contiguous for d in every) else 1
                size = geometry.pages(level) * group
                first = va + (word - base) // group * size
                if any(first <= page < first + size for page in pages):
                    return False
        return True

    def _still_holds(self, path: Path, pe: CpuState, memory: Memory) -> bool:
        """Whether a path that was found earlier is what the program does from here on too.

        It is if of memory only that has changed which the path itself stores, if what is pending is
        among that, if its next loads get the same values, and its accesses the same pages.
        """
        stored = path.stored
        for store in pe.buffer.stores:
            for word, value in enumerate(store.words, store.address):
                if value not in stored.get(word, ()):
                    return False
        if not _differs_by(path.memory, memory, stored):
            return False
        if not self._loads_the_same(path, pe, memory):
            return False
        gets = Pages()
        return all(
            self._gets(pe, memory, page, access, gets) == at
            for (page, access), at in path.gets.items()
        )

    def _loads_the_same(self, path: Path, pe: CpuState, memory: Memory) -> bool:
        """Whether the loads of a path from here on get the values that they got."""
        read, issued = self.shared.memories.read, dict[int, Word]()
        for store in pe.buffer.stores:
            issued.update(enumerate(store.words, store.address))
        own = path.stored.keys()
        for word, value in path.loads[path.points[pe.point] :]:
            now = issued.get(word)
            if (read(memory, word) if now is None else now) != value and word not in own:
                return False
        return True


def _differs_by(before: Memory, after: Memory, stored: dict[int, tuple[Word, ...]]) -> bool:
    """Whether memory has changed in words that are stored alone, to values that are."""
    if before is after:
        return True
    if before.data is not after.data:
        words = before.data.keys() | after.data.keys()
        changed = [
            (w, after.data.get(w, 0)) for w in words if before.data.get(w) != after.data.get(w)
        ]
        if not all(value in stored.get(word, ()) for word, value in changed):
            return False
    for base, table in after.tables.by_address.items():
        old = before.tables.by_address[base]
        if table is not old:
            entries = zip(old.entries, table.entries, strict=True)
            for word, (one, other) in enumerate(entries, base):
                if one is not other and one != other and other not in stored.get(word, ()):
                    return False
    return True
