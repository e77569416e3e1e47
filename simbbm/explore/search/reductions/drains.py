"""Pending stores of one CPU whose order nobody can see: they drain one at a time, at once.

Sixteen stores that clear the contiguous hint reach memory in any order, at any time until the next
DSB, so a search would visit each set of those that have. Where persistent sets take one CPU's moves
alone (`persistent_sets`), and *until the next DSB that waits for stores its program does nothing
but plain loads and stores that none of its pending stores can affect*, its first drain alone is
enough: that drain commutes with everything that can come before it, which is those loads and
stores, and other drains.

The argument, and the test that is false if a sentence is (tests/explore/test_drains.py):

1. Of other CPUs nothing has to be said: what they can do while this CPU stands still neither reads
   nor writes what its moves touch, nor what it loads and stores until that DSB, or it is not taken
   alone. So a store that somebody polls does not drain early, and a DSB that does not wait for
   stores is not the end. `test_a_store_that_is_polled_does_not_drain_early`,
   `test_a_word_that_others_write_is_not_loaded_late`,
   `test_a_table_that_others_walk_is_not_written_late`,
   `test_a_dsb_of_loads_waits_for_no_store`.
2. Of a store the program knows nothing while it is pending: a load of its word is forwarded, and
   another store to its word stays behind it. A program that goes round on plain loads may do so for
   ever: no reduction. `test_a_load_of_a_pending_word_is_forwarded`,
   `test_what_a_program_loads_is_read_anew_in_every_state`,
   `test_a_program_that_goes_round_on_plain_loads`.
3. Each of the stores, pending ones and later ones, is to data, or to a table that none of this
   CPU's walks can reach, or it replaces a leaf by a leaf (both valid, with the access flag set). So
   it ends no walk and begins none, and what faults is the same before and after.
   `test_links_and_breaks_are_not_reduced` (and, for what is no table,
   `test_a_table_descriptor_may_point_to_data`).
4. A walk comes to one leaf descriptor at most, so what the CPU may hold of a page depends on one
   store, and not on the order of several. It may hold the old leaf and, once that store has
   drained, the new one. Nothing takes entries away meanwhile: a TLBI is another kind of step, and
   no reduction while one is pending here: to act, or to complete once a store has drained, which
   lets its issuer go on. Where TLBs have entries one by one (no closure), an access decides what is
   held: no reduction. `test_a_tlbi_ends_the_path`,
   `test_a_tlbi_arrives_before_a_drain_or_after`, `test_a_tlbi_that_waits_for_a_store`,
   `test_entries_one_by_one_are_not_reduced`.
5. What the program's accesses and fetches get is the same before and after each drain. That is so
   for pages that no such store maps (pages of a contiguous group are mapped by each of its leaves),
   and for pages of which a store changes only the size, if the CPU tolerates that, and if it does
   not set the contiguous hint: then the group maps pages of its neighbours, perhaps to elsewhere.
   A store through such a page is pending with the old entry or with the new one, which makes a
   difference to a TLBI that acts on this CPU before it has drained, and none does (4).
   `test_an_access_through_a_page_that_changes`, `test_a_fetch_from_a_page_that_changes`,
   `test_an_access_through_a_page_that_changes_size`,
   `test_an_access_through_a_contiguous_group`, `test_a_change_to_not_global_is_no_change_of_size`,
   `test_a_group_that_comes_to_be_maps_its_neighbours`.
6. States in which the program has gone on before the drain are not visited. What fails there fails
   in the state in which it has drained: the CPU may hold more, and the properties are *monotone*,
   they fail for more entries if for fewer, and judge accesses by what they get (5). Properties that
   do not say that they are like this (`Property.monotone`) switch the reduction off.
   `test_properties_that_are_not_monotone_switch_it_off`.
7. Early translations and faults may be dropped by a drain (R17b): no reduction while there are any.
   `test_early_results_are_not_reduced`.

Not reduced: what is pending at an atomic, an exclusive, a release, an acquire or a DMB.
"""

from __future__ import annotations

from operator import itemgetter
from typing import Any, NamedTuple

from simbbm.arm64.agents import DRAIN
from simbbm.arm64.context import Shared
from simbbm.arm64.cpu import CpuState, Effect
from simbbm.arm64.descriptor import Descriptor
from simbbm.arm64.execution.decoding import decoded
from simbbm.arm64.execution.instructions import LOAD, STORE, ordered_by
from simbbm.arm64.execution.storebuffer import Word
from simbbm.arm64.translation.memory import Memory
from simbbm.arm64.translation.translate import FETCH, READ, WRITE, translations
from simbbm.arm64.translation.walks import is_leaf
from simbbm.core.points import ControlPoint
from simbbm.core.program import Op
from simbbm.core.programs.symbols import Symbol
from simbbm.core.system import STEP, Move

PLAIN = ("ldr", "str", "fill")
SHORT = 8
"""A path of fewer accesses is followed sooner than it is looked up."""


class Path(NamedTuple):
    """What a program does until its next DSB that waits for stores."""

    stored: dict[int, tuple[Word, ...]]
    """The values that reach each word until then, those of pending stores included."""
    loaded: frozenset[int]
    """The words that are loaded."""
    pages: frozenset[int]
    """The pages that accesses and fetches go through."""


class _Hop(NamedTuple):
    """A plain load or store on a path, and where the program is then."""

    word: int
    loads: bool
    got: tuple[int, str] | None
    """The page and kind of access that were translated; None: the address is physical."""
    after: ControlPoint


class _Trail(NamedTuple):
    """A path with the accesses that it consists of."""

    path: Path
    hops: tuple[_Hop, ...]
    last: dict[object, int]
    """By word that is loaded, and by page and kind of access, the index of the last hop."""
    certain: dict[tuple[int, str], int]
    """The pages of memory that accesses get."""
    at: int = 0
    """The index of the hop that comes next."""

    def drained(self, address: int, words: tuple[Word, ...]) -> _Trail:
        """The same once the first store to these words has drained."""
        stored = dict(self.path.stored)
        for word in range(address, address + len(words)):
            if rest := stored.pop(word)[1:]:
                stored[word] = rest
        return self._replace(path=self.path._replace(stored=stored))

    def stepped(self) -> _Trail:
        """The same once the program has taken a step: a store of it is pending now."""
        hop, path, certain = self.hops[self.at], self.path, self.certain
        if hop.loads and self.last[hop.word] == self.at:
            path = path._replace(loaded=path.loaded - {hop.word})
        if hop.got and self.last[hop.got] == self.at:
            certain = {got: page for got, page in certain.items() if got != hop.got}
            path = path._replace(pages=frozenset(page for page, _ in certain))
        return self._replace(path=path, certain=certain, at=self.at + 1)


def path(shared: Shared, pe: CpuState, memory: Memory, moves: tuple[Move, ...]) -> Path | None:
    """The path on which the first of the drains among a CPU's `moves` is enough; None: none."""
    if pe.flight or not shared.hardware.closure:
        return None
    foreseen = _foreseen(pe, memory)
    if len(moves) < 2 or all(move.kind != DRAIN for move in moves):
        if foreseen and moves:
            _foresee(shared, foreseen, memory, moves)
        return None
    if pe.pending_tlbis or pe.mmu.early_leaves or pe.mmu.early_faults or pe.mmu.regime.vttbr:
        return None
    follower = _Follower(shared, pe, memory)
    found = foreseen if foreseen and follower.gets(foreseen.certain) else follower.follow()
    if found is None:
        return None
    _foresee(shared, found, memory, moves)
    return found.path if _is_harmless(shared, pe, memory, found.path) else None


def _foresee(shared: Shared, trail: _Trail, memory: Memory, moves: tuple[Move, ...]) -> None:
    """Keep what is left of a path after the first drain, or after the program's next step.

    With real tables a path has hundreds of accesses, and would be followed from each state on it.
    """
    if len(trail.hops) - trail.at < SHORT:
        return
    first = next((move for move in moves if move.kind == DRAIN), moves[0])
    effect, left, after = first.effect, trail, memory
    assert isinstance(effect, Effect)
    if first.kind == DRAIN and effect.write:
        left, after = trail.drained(*effect.write), shared.memories.write(memory, *effect.write)
    elif first.kind == STEP and effect.after.point is trail.hops[trail.at].after:
        left = trail.stepped()
    else:
        return
    after.tables.memo["path", after, effect.after.point] = effect.after.buffer, left


def _foreseen(pe: CpuState, memory: Memory) -> _Trail | None:
    """What was foreseen for this state.

    Its loads get the same values: memory is the same, but for what has drained, which loads that
    come to it got from the store buffer before.
    """
    foreseen: Any = memory.tables.memo.pop(("path", memory, pe.point), None)
    return foreseen[1] if foreseen and foreseen[0] == pe.buffer else None


class _Follower:
    """Follows a program over plain loads and stores."""

    def __init__(self, shared: Shared, pe: CpuState, memory: Memory) -> None:
        self.shared = shared
        self.pe = pe
        self.memory = memory
        self.stored: dict[int, tuple[Word, ...]] = {}
        self.hops: list[_Hop] = []
        self._certain: dict[tuple[int, str], int | None] = {}
        """The pages of memory that accesses get."""

    def gets(self, certain: dict[tuple[int, str], int]) -> bool:
        """Whether these accesses, and the program's fetches, are certain to get these pages."""
        fetch = (self.pe.pc, FETCH)
        fetched = self.pe.pc is None or fetch in certain
        return fetched and all(self.got(*got) == at for got, at in certain.items())

    def follow(self) -> _Trail | None:
        """The path up to a DSB that waits for stores, or the end; None if anything else comes."""
        for each in self.pe.buffer.stores:
            self._store(each.address, each.words)
        if self.pe.pc is not None and self.got(self.pe.pc, FETCH) is None:
            return None
        point, met = self.pe.point, set[ControlPoint]()
        while point.op is not None and not _waits_for_stores(point.op):
            if point.op.mnemonic not in PLAIN or point in met:
                return None
            met.add(point)
            access = decoded(point)
            loads = LOAD in access.rule.kinds
            if not access.addressed or access.operands is None:
                return None
            page, offset = divmod(access.address, self.shared.geometry.page_words)
            got = None if access.physical else (page, READ if loads else WRITE)
            at = page if got is None else self.got(*got)
            if at is None:
                return None
            word = at * self.shared.geometry.page_words + offset
            if loads:
                value = self._load(word)
                if isinstance(value, Symbol):  # What a counter holds is not one value.
                    return None
                point = point.after(value)
            else:
                self._store(word, access.operands)
                point = point.after()
            self.hops.append(_Hop(word, loads, got, point))
        return self._trail()

    def _trail(self) -> _Trail:
        last: dict[object, int] = {}
        for i, hop in enumerate(self.hops):
            last |= {hop.word: i} if hop.loads else {}
            last |= {hop.got: i} if hop.got else {}
        certain = {got: at for got, at in self._certain.items() if at is not None}
        loaded = frozenset(hop.word for hop in self.hops if hop.loads)
        path = Path(self.stored, loaded, frozenset(page for page, _ in certain))
        return _Trail(path, tuple(self.hops), last, certain)

    def _store(self, address: int, words: tuple[Word, ...]) -> None:
        for word, value in enumerate(words, address):
            self.stored[word] = (*self.stored.get(word, ()), value)

    def _load(self, word: int) -> Word:
        pending = self.stored.get(word)
        return pending[-1] if pending else self.shared.memories.read(self.memory, word)

    def got(self, page: int, access: str) -> int | None:
        """The page of memory that an access is certain to get; None: it is not certain."""
        k = (page, access)
        if k not in self._certain:
            results = translations(self.shared, self.pe, self.memory, page, access)
            is_certain = len(results) == 1 and not results[0].fault
            self._certain[k] = results[0].page if is_certain else None
        return self._certain[k]


def _waits_for_stores(op: Op) -> bool:
    """Whether it is a DSB of stores: one of loads alone (`dsb ishld`) leaves them pending."""
    mnemonic, _, option = op.mnemonic.partition(".")
    return mnemonic == "dsb" and STORE in ordered_by(option).before


def _is_harmless(shared: Shared, pe: CpuState, memory: Memory, path: Path) -> bool:
    """Whether none of the stores ends or begins a walk, or changes what the path gets."""
    geometry, view = shared.geometry, shared.view(pe, memory)
    for word, values in path.stored.items():
        base = geometry.table(word)
        table = memory.tables.by_address.get(base)
        if table is None:  # Data: walks that a descriptor leads there fault, whatever it says.
            continue
        old = table.entries[word - base]
        new = [value for value in values if isinstance(value, Descriptor)]
        for va, level, _ in view.places(base):
            if not all(is_leaf(d, level) and d.cacheable for d in (old, *new)):
                return False
            if pe.features.tolerates_size_change and _only_less_contiguous(old, new):
                continue
            group = geometry.group(level) if any(d.contiguous for d in (old, *new)) else 1
            size = geometry.pages(level) * group
            first = va + (word - base) // group * size
            if any(first <= page < first + size for page in path.pages):
                return False
    return True


def _only_less_contiguous(old: Descriptor, new: list[Descriptor]) -> bool:
    """Whether descriptors map one page alike, and make no group that there was not."""
    alike = all(_mapping(d) == _mapping(old) for d in new)
    return alike and (old.contiguous or not any(d.contiguous for d in new))


_mapping = itemgetter(
    *(i for i, name in enumerate(Descriptor._fields) if name not in ("contiguous", "software"))
)
"""What a leaf descriptor says but for the contiguous hint and software bits: every other field."""
