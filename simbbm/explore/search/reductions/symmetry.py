"""CPU symmetry: states that differ by a permutation of like CPUs are represented by one of them.

Two CPUs are alike if they start in the same state: same program and arguments, features, regime. A
permutation moves whole CPUs (registers, store buffer, translations, monitor, pending TLBIs) and
renames what names a CPU: the issuers of pending TLBIs. Programs know their number from MPIDR_EL1
alone; if one does different things for two numbers of its class, its class is no class, and so it
is if an SGI names one of its members.

Not recognised as alike: CPUs whose programs get different arguments (per-CPU addresses), and those
that run listings, each of which is a thread of its own (`flight.Thread`).
"""

from __future__ import annotations

from functools import partial
from itertools import groupby

from simbbm.arm64.cpu import CpuState
from simbbm.arm64.rows import FIELD, PENDING, Memo, Rows, State
from simbbm.core.values import digest

LAST = 1 << 128
"""More than every sort key: of CPUs that stand still (`standing`)."""
SELF = -1
"""Role of a TLBI's issuer that is the CPU on which the TLBI is pending."""


class NotAlikeError(Exception):
    """A program depends on which member of its class it runs on."""


class Symmetry:
    """The classes of like CPUs of one machine, and a representative of every state."""

    def __init__(self, rows: Rows, *, wanted: bool = True) -> None:
        self.rows = rows
        cpus = rows.system.initial().cpus if wanted else ()
        order = sorted(range(len(cpus)), key=lambda i: (cpus.index(cpus[i]), i))
        groups = (tuple(g) for _, g in groupby(order, key=lambda i: cpus.index(cpus[i])))
        self.classes = tuple(g for g in groups if len(g) > 1)
        self._class_of = {i: c for c, group in enumerate(self.classes) for i in group}
        self._keys: dict[tuple[CpuState, int], str] = {}
        """Sort keys by CPU value and class: a program may tell apart the members of one class
        only."""
        self._ranks = {i: Memo(partial(self._rank, i)) for i in self._class_of}
        """By CPU number, its sort key as a number, by the field of its value."""
        self._groups = tuple(
            (tuple(rows.places[i] for i in group), Memo(partial(self._rank_of, group[0])))
            for group in self.classes
        )
        """By class the places of its members, and sort keys by the number of a value on which no
        TLBI is pending: those are the same for all members."""
        self._in_place = tuple(range(len(rows.places)))
        rows.named = self._require_unlike
        self._renames: dict[tuple[int, tuple[int, ...]], int] = {}

    def canonical(self, state: State) -> State:
        """Return the representative of a state; who stands still comes last in it."""
        if state & self.rows.pending:
            numbers = self.arrangement(state)
            return state if numbers == self._in_place else self.arranged(state, numbers)
        for places, ranks in self._groups:
            cpus = [state >> place & FIELD for place in places]
            ordered = sorted(cpus, key=ranks.__getitem__)
            if ordered != cpus:
                for place, old, new in zip(places, cpus, ordered, strict=True):
                    state += (new - old) << place
        return state

    def arrangement(self, state: State) -> tuple[int, ...]:
        """Which CPU goes to which place in the representative: numbers by place.

        Members of a class are sorted by content, those that stand still last.
        """
        fields = self.rows.fields
        numbers = list(range(len(fields)))
        for group in self.classes:
            ranks = [(self._ranks[i][state & fields[i]], i) for i in group]
            ranks.sort()
            for place, (_, i) in zip(group, ranks, strict=True):
                numbers[place] = i
        return tuple(numbers)

    def arranged(self, state: State, numbers: tuple[int, ...]) -> State:
        """Return the state with CPU `numbers[place]` at each place."""
        places, memory_at = self.rows.places, self.rows.memory_at
        after = state >> memory_at << memory_at
        for i, place in zip(numbers, places, strict=True):
            cpu = state >> places[i] & FIELD
            after |= (self._renamed(cpu, numbers) if cpu & PENDING else cpu) << place
        return after

    def _renamed(self, cpu: int, numbers: tuple[int, ...]) -> int:
        """The value of a CPU after a permutation: pending TLBIs name their issuers."""
        k = cpu, numbers
        renamed = self._renames.get(k)
        if renamed is None:
            new = {i: place for place, i in enumerate(numbers)}
            pe = self.rows.cpus.parts[cpu]
            pending = (p._replace(issuer=new[p.issuer]) for p in pe.pending_tlbis)
            changed = self.rows.system.shared.cpus.change(pe, pending_tlbis=tuple(sorted(pending)))
            renamed = self._renames[k] = self.rows.cpu(changed)
        return renamed

    def _rank(self, number: int, field: int) -> int:
        return self._rank_of(number, field >> self.rows.places[number])

    def _rank_of(self, number: int, cpu: int) -> int:
        pe = self.rows.cpus.parts[cpu]
        return LAST if pe.point is self.rows.placeholder else int(self.key(pe, number), 16)

    def key(self, pe: CpuState, number: int) -> str:
        """Sort key of a class's members: a digest of what does not depend on the CPU's number.

        Different CPUs may have equal keys: of issuers of pending TLBIs only the class counts.
        """
        k = pe, self._class_of[number]
        key = self._keys.get(k)
        if key is None:
            self._require_alike(pe, number)
            if pe.pending_tlbis:
                roles = (p._replace(issuer=self._role(p.issuer, number)) for p in pe.pending_tlbis)
                pending_tlbis = tuple(sorted(roles))
                return digest(
                    tuple(
                        pending_tlbis if part is pe.pending_tlbis else part for part in pe.parts()
                    )
                )
            key = self._keys[k] = digest(pe.content())
        return key

    def _role(self, issuer: int, number: int) -> int:
        """The role of an issuer: this CPU, a member of a class, or a certain other CPU."""
        if issuer == number:
            return SELF
        group = self._class_of.get(issuer)
        return issuer if group is None else SELF - 1 - group

    def _require_unlike(self, number: int) -> None:
        """Refuse a program that names one member of a class."""
        if number in self._class_of:
            raise NotAlikeError(f"an interrupt is for cpu{number} alone")

    def _require_alike(self, pe: CpuState, number: int) -> None:
        """Refuse a program that is about to tell the members of its class apart."""
        if pe.mnemonic != "mrs.mpidr_el1":
            return
        group = self.classes[self._class_of[number]]
        if len({id(pe.point.after(i)) for i in group}) > 1:
            raise NotAlikeError(f"{pe.point.where}: {pe.point.label} tells CPUs apart")
