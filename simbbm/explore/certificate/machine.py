"""Steps for the checker: the machine's own moves, from a shared state and some local ones.

What a move does to one CPU depends on no third one (`Arm64.apply` goes CPU by CPU), so each move is
applied to the boot CPU, the one that moves, and one other at a time, once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from simbbm.arm64.cpu import CpuState, Effect
from simbbm.arm64.execution.decoding import decoded
from simbbm.arm64.footprints import Kind
from simbbm.arm64.machine import Arm64
from simbbm.arm64.state import Machine
from simbbm.arm64.translation.memory import Memory
from simbbm.arm64.translation.view import Hit
from simbbm.core.programs.symbols import (
    Batch,
    Held,
    Linear,
    OwnNumber,
    Symbol,
    asked,
    compared,
    refusals,
)
from simbbm.core.system import STEP, Cell, Move
from simbbm.core.unknown import NeedsValueError
from simbbm.explore.certificate.counted import (
    After,
    Count,
    Counters,
    Fault,
    History,
    Share,
    Store,
    World,
    stored,
)
from simbbm.explore.certificate.orders import Able, first_of_boot, somebody_tells
from simbbm.explore.certificate.states import BOOT, OTHER, Local, Shared, symbolic
from simbbm.explore.search.reductions.invalidations import as_one


def is_calling(boot: CpuState) -> bool:
    """Whether a loop of stores that call CPUs is on its way."""
    return any(isinstance(word, Batch) for store in boot.buffer.stores for word in store.words)


class Turn(NamedTuple):
    """What a step does to what all share, and to the CPU that takes it; None: the boot CPU."""

    shared: Shared
    after: Shared
    own: Local | None
    own_after: Local | None


class Act:
    """A move of one CPU in a shared state, in one world."""

    def __init__(self, on: Steps, shared: Shared, own: Local | None, move: Move, world: World,
                 there: Machine) -> None:  # fmt: skip
        self.on, self.shared, self.own, self.move, self.world = on, shared, own, move, world
        self.there = there
        self.effect: Any = move.effect
        self.machine = on.judged(on.system.apply(there, move))
        if self.machine.memory.tables is not there.memory.tables and is_calling(there.cpus[BOOT]):
            raise Fault("tables change while CPUs are called")
        self.memory = on.without_counters(self.machine.memory)
        self.others: dict[Local, Local] = {}
        self.taken = False
        """Whether it is among the moves that are enough (`orders`)."""
        effect: Any = move.effect
        self.plain = not on.concerns_counters(effect.write)
        """Nothing is counted, announced or called."""
        boot = self.moved() if own is None else shared.boot._replace(cpu=self.machine.cpus[BOOT])
        self.shared_after = shared._replace(memory=self.memory, boot=boot)
        self.own_after = None if own is None else self.moved()
        if self.own_after is not None:
            on.seated(self.own_after.cpu, OTHER, OTHER)
        on.check(boot.cpu)

    def mover(self) -> Local:
        """The CPU that moves, before."""
        return self.own if self.own is not None else self.shared.boot

    def moved(self) -> Local:
        """The CPU that moved, with its history as it was."""
        before, cpu = self.mover(), self.machine.cpus[-1]
        armed, fresh = before.armed, {*before.fresh}
        if self.move.kind == STEP and cpu.point is not before.cpu.point:
            armed = before.cpu.point.full_label if self.world.loaded else ""
            if armed in self.on.kept:
                fresh.add((self.world.counter, armed))
        return Local(cpu, before.history, armed, tuple(sorted(fresh)))

    def other(self, local: Local) -> Local:
        """Another CPU afterwards."""
        if local not in self.others:
            seat = len(self.there.cpus)
            cpus = (*self.there.cpus, self.on.seated(local.cpu, OTHER, seat))
            after = self.on.judged(self.on.system.apply(self.there._replace(cpus=cpus), self.move))
            cpu = self.on.seated(after.cpus[-1], seat, OTHER)
            self.others[local] = local._replace(cpu=cpu)
        return self.others[local]


class Steps:
    """The steps of configurations."""

    def __init__(
        self, system: Arm64, counters: Counters, readings: dict[str, list[str]], *, reduced: bool
    ) -> None:
        self.system, self.counters, self.readings = system, counters, readings
        self.reduced = reduced
        """Several TLBIs on a CPU that holds nothing are one."""
        self.alone: dict[tuple[Shared, bool], int] = {}
        """Where one move of the boot CPU is enough: its index (`orders`)."""
        self.kept = {label for labels in readings.values() for label in labels}
        self._acts: dict[tuple[Shared, Local | None, bool], tuple[list[Act], bool]] = {}
        self._fit: set[Any] = set()
        self.turns: dict[Turn, dict[tuple[Local, Local], None]] = {}
        """Steps that are not plain, and what they did to others."""

    def initial(self) -> tuple[Shared, list[Local]]:
        """The initial state."""
        state = self.system.initial()
        counts = tuple(
            self.counters.set_to(c, (state.memory.data.get(a, 0), 0))
            for c, a in enumerate(self.counters.at)
        )
        for c, declared in enumerate(self.counters.declared):
            if declared.calls is not None:
                tickets = counts[self.counters.at.index(declared.calls)]
                if counts[c].base != (0, 0) or tickets.base != (0, 0):
                    raise Fault(f"{declared.name} does not start at 0")
        none = (Share(),) * len(counts)
        boot, *others = (Local(cpu, none) for cpu in state.cpus)
        if any(other != others[0] for other in others):
            raise Fault("the CPUs but the first are not alike")
        return Shared(self.without_counters(state.memory), boot, counts), others

    def without_counters(self, memory: Memory) -> Memory:
        """Memory with nothing known of what counters hold."""
        held: dict[int, Any] = {
            a: Held(d.name) for a, d in zip(self.counters.at, self.counters.declared, strict=True)
        }
        return self.system.shared.memories.memory(memory.tables, memory.data | held)

    def concerns_counters(self, write: tuple[int, tuple[Any, ...]] | None) -> bool:
        """Whether a store goes to a counter, or announces one, or what it stores is a symbol."""
        if write is None:
            return False
        words = range(write[0], write[0] + len(write[1]))
        announced = (declared.announces for declared in self.counters.declared)
        return any(a in words for a in (*self.counters.at, *announced)) or any(
            isinstance(word, Symbol) for word in write[1]
        )

    def judged(self, state: Machine) -> Machine:
        """A state, if nothing is wrong with it."""
        if problem := state.failure or self.system.problem(state):
            raise Fault(f"a bad view: {problem.message}")
        return state

    def seated(self, cpu: CpuState, old: int, new: int) -> CpuState:
        """A CPU under another number; its TLBIs are its own, or the boot CPU's."""
        for pending in cpu.pending_tlbis:
            if pending.issuer not in (BOOT, old):
                raise Fault("a broadcast TLBI of another CPU than the boot CPU")
        renamed = [p._replace(issuer=new) if p.issuer == old else p for p in cpu.pending_tlbis]
        if old == BOOT or not renamed:
            return cpu
        cpu = self.system.shared.cpus.change(cpu, pending_tlbis=tuple(sorted(renamed)))
        try:
            return as_one(self.system.shared, cpu, BOOT) if self.reduced else cpu
        except ValueError as error:
            raise Fault(str(error)) from None

    def acts(self, shared: Shared, own: Local | None, *, owed: bool) -> tuple[list[Act], bool]:
        """What a CPU can do (the boot CPU: None), and whether it may have no move that is due."""
        k = shared, own, owed
        if k not in self._acts:
            self._acts[k] = self._asked(shared, own, owed=owed)
        return self._acts[k]

    def _asked(self, shared: Shared, own: Local | None, *, owed: bool) -> tuple[list[Act], bool]:
        cpus = (shared.boot.cpu,) if own is None else (shared.boot.cpu, own.cpu)
        mover = shared.boot if own is None else own
        state, number = Machine(shared.memory, cpus), len(cpus) - 1
        self.check(mover.cpu)
        acts, blocked, due = [], False, False
        for n, world in enumerate(self._worlds(shared, mover, state, number)):
            there = state
            if world.value is not None:
                data: dict[int, Any] = state.memory.data | {
                    self.counters.at[world.counter]: world.value
                }
                memory = self.system.shared.memories.memory(state.memory.tables, data)
                there = state._replace(memory=memory)
            moves = self._moves(there, number, owed=owed and own is None)
            blocked |= not any(m.kind == STEP and not m.optional for m in moves)
            due |= any(m.kind != STEP and not m.optional for m in moves)
            for move in moves:
                if move.kind == STEP or n == 0:
                    taken = self._as_any(mover, number, move, world, shared)
                    acts.append(Act(self, shared, own, taken, world, there))
        return acts, blocked and not due

    def _moves(self, state: Machine, number: int, *, owed: bool) -> tuple[Move, ...]:
        try:
            own = state.cpus[number]
            moves = self.system.moves_of(own, state.memory, number, owed=owed)
        except NeedsValueError:
            moves = ()
        if refusals or asked or compared:
            told = refusals[0] if refusals else "a comparison that the certificate does not name"
            raise Fault(told)
        return moves

    def _as_any(self, own: Local, number: int, move: Move, world: World, shared: Shared) -> Move:
        """A step as any CPU would take it: it learns of its number that it is not 0."""
        op, effect = own.cpu.point.op, move.effect
        assert op is not None or move.kind != STEP
        assert isinstance(effect, Effect)
        if effect.signal or (number and effect.tlbi and effect.tlbi.broadcast):
            raise Fault("an interrupt, or a broadcast TLBI of another CPU than the boot CPU")
        if shared.boot.cpu.pending_tlbis and is_calling(shared.boot.cpu):
            raise Fault("a TLBI while CPUs are called")
        if move.kind != STEP or op is None:
            return move
        if op.mnemonic in ("str", "stlr") and type(op.args[1]) is Batch:
            batch = op.args[1]
            calls = world.counter >= 0 and self.counters.declared[world.counter]
            if number or not calls or calls.calls is None or calls.name != batch.counter:
                raise Fault("a loop of stores to something that calls nobody")
            if shared.boot.armed != batch.at:
                raise Fault("a loop of stores that does not begin with what was just loaded")
        if number and op.mnemonic == "mrs.mpidr_el1":
            try:
                point = own.cpu.point.after(OwnNumber())
            except NeedsValueError:
                raise Fault(refusals[0]) from None
            cpu = self.system.shared.cpus.change(effect.after, point=point)
            return move._replace(effect=effect._replace(after=cpu))
        return move

    def _worlds(self, shared: Shared, own: Local, state: Machine, number: int) -> Iterator[World]:
        """What the next step of a CPU may find in the counters."""
        pe = state.cpus[number]
        instruction = decoded(pe.point) if pe.point.op is not None else None
        words: set[int] = set()
        if instruction is not None and instruction.rule.access:
            words = {instruction.address}
            if not instruction.physical:
                page, word = divmod(instruction.address, self.system.spec.geometry.page_words)
                found = self.system.shared.view(pe, state.memory).lookup(page)
                pages = {hit.page for hit in found if isinstance(hit, Hit)}
                words = {p * self.system.spec.geometry.page_words + word for p in pages}
        counters = [c for c, a in enumerate(self.counters.at) if a in words]
        if not counters:
            yield World()
            return
        if len(words) > 1:
            raise Fault("an access to one of several words, one of them a counter")
        (c,), at = counters, pe.point.full_label
        near = [(n, (c, n) in own.fresh) for n in sorted(self.readings.get(at, ()))]
        yield from self.counters.worlds(c, shared.counts[c], own.history, pe.point.op, at, near)

    def check(self, cpu: CpuState) -> None:
        """No operand is made of a symbol but what is stored, or waited for."""
        op = cpu.point.op
        if op is None or cpu.point in self._fit:
            return
        head = op.mnemonic.partition(".")[0]
        for n, operand in enumerate(op.args):
            plain = head in ("str", "stlr", "stxr", "stlxr") and n == 1
            plain |= head == "wait" and n == 2
            if not plain and symbolic(operand):
                raise Fault(f"{cpu.point.label}: an operand is made of a symbol")
        self._fit.add(cpu.point)

    def is_counted(self, cell: Cell) -> bool:
        """Whether a cell is a counter, or the word that announces one."""
        announced = (declared.announces for declared in self.counters.declared)
        return cell[0] == Kind.WORD and cell[1] in (*self.counters.at, *announced)

    def take_alone(self, shared: Shared, near: list[Local], *, owed: bool) -> None:
        """Take one move of the boot CPU alone; Fault if it matters, to it or to one of these."""
        boot, acts = self._able(shared, None, owed=owed)
        plain = all(act.plain and act.world == acts[0].world for act in acts)
        first = first_of_boot(self.system, shared.memory, boot) if plain else None
        if first is None or any(map(self.is_counted, first.before.writes)):
            raise Fault("one move of the boot CPU is taken, and others there matter to it")
        others = (self._able(shared, one, owed=False)[0] for one in near)
        if somebody_tells(self.system, shared.memory, boot, first, others):
            raise Fault("one move of the boot CPU is taken, and others there matter to a CPU")
        self.alone[shared, owed] = first.move

    def _able(self, shared: Shared, own: Local | None, *, owed: bool) -> tuple[Able, list[Act]]:
        acts = self.acts(shared, own, owed=owed)[0]
        number, one = (BOOT, shared.boot) if own is None else (OTHER, own)
        moves = tuple(act.move for act in acts)
        return Able(number, one.cpu, moves, tuple(a.machine.cpus[number] for a in acts)), acts

    def of(
        self, shared: Shared, others: list[Local], *, every: bool = False
    ) -> Iterator[tuple[Shared, list[Local]]]:
        """What every step of a configuration leads to that is enough, or simply every one."""
        owed = any(p.issuer == BOOT for one in others for p in one.cpu.pending_tlbis)
        for n in range(len(others) + 1):
            own = others[n - 1] if n else None
            if n > 1 and own is others[n - 2]:
                continue  # the same step, of a CPU in the same state
            rest = [one for m, one in enumerate(others, 1) if m != n]
            acts = self.acts(shared, own, owed=owed)[0]
            if own is None and not every and (shared, owed) in self.alone:
                acts = [acts[self.alone[shared, owed]]]
            for act in acts:
                act.taken |= not every
                yield from self._after(act, rest)

    def _after(self, act: Act, rest: list[Local]) -> Iterator[tuple[Shared, list[Local]]]:
        boot, counts = act.shared.boot, act.shared.counts
        if act.plain:
            own = [act.own_after] if act.own_after is not None else []
            yield act.shared_after, [*own, *map(act.other, rest)]
            return
        before = [*([act.own] if act.own is not None else []), *rest]
        cpus = [*([act.moved()] if act.own is not None else []), *(act.other(one) for one in rest)]
        new_boot = act.moved() if act.own is None else boot._replace(cpu=act.machine.cpus[BOOT])
        for after, c in self._written(
            act, counts, [boot.history, *(one.history for one in before)]
        ):
            then = new_boot
            if after.left:
                buffer = boot.cpu.buffer
                then = then._replace(cpu=self.system.shared.cpus.change(then.cpu, buffer=buffer))
            known = [
                one._replace(history=tuple(h), fresh=tuple(f for f in one.fresh if f[0] != c))
                for one, h in zip((then, *cpus), after.histories, strict=True)
            ]
            self.counters.check_signs(tuple(after.counts), [one.history for one in known])
            self.check(known[0].cpu)
            shared = Shared(act.memory, known[0], tuple(after.counts))
            others = [one._replace(cpu=self.seated(one.cpu, OTHER, OTHER)) for one in known[1:]]
            self._keep(act, after, shared, list(zip(before, others, strict=True)))
            yield shared, others

    def _keep(
        self, act: Act, after: After, shared: Shared, pairs: list[tuple[Local, Local]]
    ) -> None:
        """Keep a step, under the CPU that takes it or is called; one not looked at is elsewhere."""
        n = 1 if act.own is not None else after.called
        if n == 0:
            return
        own = (None, None) if n is None else pairs.pop(n - 1)
        self.turns.setdefault(Turn(act.shared, shared, *own), {}).update(dict.fromkeys(pairs))

    def moved(self) -> Iterator[tuple[Turn, Iterable[tuple[Local, Local]]]]:
        """Each step that was taken, and what it did to others; no polls that change nothing."""
        for acts, _ in self._acts.values():
            for act in filter(lambda each: each.plain and each.taken, acts):
                turn = Turn(act.shared, act.shared_after, act.own, act.own_after)
                same = turn.shared == turn.after and turn.own == turn.own_after
                if not (act.move.optional and same and all(a == b for a, b in act.others.items())):
                    yield turn, act.others.items()
        yield from self.turns.items()

    def _written(
        self, act: Act, counts: tuple[Count, ...], histories: list[History]
    ) -> Iterator[tuple[After, int]]:
        """The counters after a move, and which was stored to."""
        if act.effect.write is None:
            yield After(list(counts), [list(h) for h in histories]), -1
            return
        (address, words), by = act.effect.write, BOOT if act.own is None else OTHER
        for c, declared in enumerate(self.counters.declared):
            announced = declared.announces is not None and address <= declared.announces
            if announced and declared.announces < address + len(words) and histories[by][c].duty:
                h = list(histories[by])
                h[c] = h[c]._replace(duty=False)
                histories = [*histories[:by], tuple(h), *histories[by + 1 :]]
                counts = (*counts[:c], counts[c]._replace(duty=()), *counts[c + 1 :])
        at = [c for c, a in enumerate(self.counters.at) if address <= a < address + len(words)]
        if not at:
            if any(isinstance(w, Symbol) and type(w) is not Linear for w in words):
                raise Fault("what was read from a counter is stored elsewhere")
            yield After(list(counts), [list(h) for h in histories]), -1
            return
        if len(words) > 1:
            raise Fault("a counter is stored to together with other words")
        mover, (c,) = act.mover(), at
        point, drain = mover.cpu.point, act.move.kind != STEP
        store = Store(c, words[0], by, point.op, point.full_label, mover.armed, drain)
        for after in stored(self.counters, store, act.world, counts, histories):
            yield after, c
