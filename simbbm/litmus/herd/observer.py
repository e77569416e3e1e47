"""The end of an execution of a herd7 test: what a condition may ask, and how it is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from simbbm.arm64.execution.listed import Listed
from simbbm.arm64.execution.listing import Listing
from simbbm.arm64.state import Machine
from simbbm.arm64.translation.memory import MemoryPool
from simbbm.litmus.herd import tree
from simbbm.litmus.herd.arithmetic import equal, stored
from simbbm.litmus.herd.layout import Layout, atoms_of
from simbbm.litmus.notation.conditions import evaluate
from simbbm.litmus.notation.syntax import PAGE_WORDS


class Outcome(NamedTuple):
    """What one final state shows."""

    registers: tuple[tuple[tree.ThreadRegister, Any], ...]
    words: tuple[tuple[tree.Word, Any], ...]
    faults: tuple[tuple[tuple[Any, ...], ...], ...]
    """By thread, number, kind and perhaps place of its faults."""


class Observer:
    """Looks at the final states of one test."""

    def __init__(
        self,
        test: tree.HerdTest,
        layout: Layout,
        listings: Sequence[Listing],
        memories: MemoryPool,
    ) -> None:
        self.test = test
        self.layout = layout
        self.listings = listings
        self.memories = memories
        named = dict.fromkeys(test.shown)
        for condition in (test.condition, test.filtered):
            for atom in atoms_of(condition) if condition else ():
                if isinstance(atom, tree.RegisterIs | tree.WordIs):
                    named.setdefault(atom.where)
        self._registers = [w for w in named if isinstance(w, tree.ThreadRegister)]
        self._words = [w for w in named if not isinstance(w, tree.ThreadRegister)]
        self._wanted = test.quantifier != "forall"

    def outcome(self, state: Machine) -> Outcome:
        """Return what a final state shows."""
        flights = [pe.flight for pe in state.cpus]
        values = []
        for flight in flights:
            assert isinstance(flight, Listed)
            values.append(dict(flight.registers))
        layout = self.layout
        return Outcome(
            tuple((r, self._register(values[r.thread], r)) for r in self._registers),
            tuple((w, self.memories.read(state.memory, layout.word(w))) for w in self._words),
            tuple(flight.faults for flight in flights if isinstance(flight, Listed)),
        )

    def _register(self, values: dict[int, Any], register: tree.ThreadRegister) -> Any:
        """What a register holds; one that the thread does not write holds its first value."""
        if register.number in values:
            return values[register.number]
        for item in self.test.items:
            if item.where == register and item.value is not None:
                assert not isinstance(item.value, tree.Array)
                return self.layout.value(item.value)
        return 0

    def counts(self, outcome: Outcome) -> bool:
        """Whether the test looks at such ends: `filter` may leave some out."""
        filtered = self.test.filtered
        return filtered is None or evaluate(filtered, self._judge(outcome))

    def reached(self, outcome: Outcome) -> bool:
        """Whether the condition holds; of `forall`, whether it does not."""
        return evaluate(self.test.condition, self._judge(outcome)) == self._wanted

    def _judge(self, outcome: Outcome) -> Callable[[Any], bool]:
        registers = dict(outcome.registers)
        words = dict(outcome.words)
        layout = self.layout

        def judge(atom: tree.Atom) -> bool:
            match atom:
                case tree.RegisterIs(where=register, value=value):
                    return equal(registers[register], layout.value(value))
                case tree.WordIs(where=where, value=value):
                    wanted = layout.value(value, where.name)
                    if isinstance(where, tree.Descriptor):
                        wanted = stored(wanted, layout.value(where))
                    return equal(words[where], wanted)
                case tree.Faulted(thread=thread):
                    faults = outcome.faults[thread] if thread < len(outcome.faults) else ()
                    return any(self._is(atom, fault) for fault in faults)
                case tree.Always(value=value):
                    return value

        return judge

    def _is(self, atom: tree.Faulted, fault: tuple[Any, ...]) -> bool:
        number, kind, *_ = fault
        if atom.kind not in ("", kind):
            return False
        if atom.label and self.layout.labels.get((atom.thread, atom.label)) != number:
            return False
        return not atom.variable or self._page(atom.thread, fault) == atom.variable

    def _page(self, thread: int, fault: tuple[Any, ...]) -> str | None:
        """The variable to whose page the access went."""
        number, _, *place = fault
        listing, layout = self.listings[thread], self.layout
        code = (*listing.instructions, *(listing.fault or ()))
        known = code[number if number >= 0 else -1 - number].place
        address = place[0] if place else known.address if known else 0
        return next((n for n in layout.variables if layout.page(n) == address // PAGE_WORDS), None)

    def text(self, outcome: Outcome) -> str:
        """Return an outcome as herd7 writes it."""
        layout = self.layout
        shown = [f"{r.thread}:X{r.number}={layout.text(value)}" for r, value in outcome.registers]
        shown += [
            f"[{layout.text(layout.value(where))}]={layout.text(value)}"
            for where, value in outcome.words
        ]
        names = {(t, at): name for (t, name), at in layout.labels.items()}
        for thread, faults in enumerate(outcome.faults):
            for fault in faults:
                label = names.get((thread, fault[0]))
                where = f"P{thread}:{label}" if label else f"P{thread}"
                page = self._page(thread, fault) or "?"
                shown.append(f"fault({where},{page},MMU:{_KINDS.get(fault[1], fault[1])})")
        return "; ".join(shown)


_KINDS = {
    "translation": "Translation",
    "permission": "Permission",
    "access-flag": "AccessFlag",
}
