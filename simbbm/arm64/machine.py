"""The transition system of a machine: all CPUs, memory and what is between them.

A state (`state.py:Machine`) is a tuple of interned parts, so it hashes and compares by identity in
no time, and is identified across processes by `digest`.
"""

from __future__ import annotations

from dataclasses import dataclass
from sys import intern

from simbbm.arm64.agents import DRAIN, DVM, WALK, act, hardware_moves, received
from simbbm.arm64.context import Description, Shared
from simbbm.arm64.cpu import NOTHING, ON, CpuPool, CpuSpec, CpuState, Effect, LocalMove, Pending
from simbbm.arm64.descriptor import Descriptor
from simbbm.arm64.execution.ahead import started
from simbbm.arm64.execution.execute import instruction_moves
from simbbm.arm64.execution.flight import observed, without_history
from simbbm.arm64.execution.listed import start_thread
from simbbm.arm64.execution.storebuffer import StoreBuffer, Word
from simbbm.arm64.footprints import footprint
from simbbm.arm64.platform.interrupts import received_signal
from simbbm.arm64.platform.power import at_reset, comes_up
from simbbm.arm64.platform.text import stored
from simbbm.arm64.state import Judged, Machine, owed_mask, waits_for
from simbbm.arm64.translation.constant import constant_pages
from simbbm.arm64.translation.guests import GuestMmus
from simbbm.arm64.translation.memory import Memory, MemoryPool, Tables, Unreadable
from simbbm.arm64.translation.mmu import Mmus
from simbbm.arm64.translation.optional.cnp import groups, share, without_effect
from simbbm.arm64.translation.optional.physical_cache import closed
from simbbm.core.errors import ScenarioError
from simbbm.core.points import Programs
from simbbm.core.system import LAST_RESORT, STEP, Footprint, Move, Problem
from simbbm.core.values import digest

NOTHING_JUDGED = Judged()
MAX_REMEMBERED = 400_000
"""CPU states in a memory whose moves are remembered."""


@dataclass(frozen=True, kw_only=True, eq=False)
class MachineSpec(Description):
    """What a machine starts as."""

    automaton: Programs
    cpus: tuple[CpuSpec, ...]
    tables: dict[int, tuple[Descriptor, ...]]
    data: dict[int, int]


class Arm64:
    """The transition system of a machine, with the properties that are judged on its states."""

    def __init__(
        self,
        spec: MachineSpec,
        judged: Judged = NOTHING_JUDGED,
        *,
        constant: tuple[frozenset[int], ...] | None = None,
    ) -> None:
        self.spec = spec
        self.judged = judged
        self.keeps_values = False
        """Never drop the pools: for a search that compares states by identity."""
        self.landmarks = dict(judged.sometimes)
        if spec.hardware.event_stream:
            self.landmarks["delayed_wakeups"] = self.waits_for_event_stream
        self.common = groups(spec.cpus) if spec.hardware.common_tlb else ()
        """Groups of CPUs that share a TLB."""
        handler = getattr(spec.handler, "__wrapped__", spec.handler)
        hypervisor = getattr(spec.hypervisor, "__wrapped__", spec.hypervisor)
        mmus = GuestMmus if any(cpu.regime.vttbr for cpu in spec.cpus) else Mmus
        self.shared = Shared(
            **spec.described() | {"handler": handler, "hypervisor": hypervisor},
            automaton=spec.automaton,
            constant=constant_pages(spec) if constant is None else constant,
            memories=MemoryPool(spec.geometry.entries),
            mmus=mmus(spec.geometry, spec.hardware),
            cpus=CpuPool(),
            tlbs=tuple(spec.cpus[group[0]].features.tlb for group in self.common),
        )
        self._flights = tuple(
            start_thread(cpu.listing, self.shared) if cpu.listing else None for cpu in spec.cpus
        )
        """The initial flights of listings: made once, since threads compare by identity."""
        self._local: dict[tuple[CpuState, Memory, int, bool], tuple[Move, ...]] = {}
        self._fine: dict[Tables, set[CpuState]] = {}

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks to print with a verdict about this machine."""
        told = without_effect(self.spec.cpus, self.common)
        return (told,) if told else ()

    def initial(self) -> Machine:
        """Return the state in which every run starts."""
        shared = self.shared
        copied = self.spec.hardware.physical_copies
        tables = shared.memories.tables(self.spec.tables)
        memory = shared.memories.memory(tables, self.spec.data)
        cpus = tuple(
            self._started(
                CpuState(
                    point=cpu.program,
                    pc=cpu.pc,
                    el=cpu.el,
                    saved=(),
                    mmu=shared.mmus.start(
                        cpu.regime if cpu.power == ON else at_reset(cpu.regime), tables, cpu.el
                    ),
                    buffer=StoreBuffer(),
                    monitor=NOTHING,
                    event=False,
                    masked=cpu.power != ON,
                    vbar=cpu.vbar,
                    pending_tlbis=(),
                    features=cpu.features,
                    flight=flight,
                    all_masked=cpu.power != ON,
                    power=cpu.power,
                    copies=() if copied and not (cpu.features.ntlbpa or cpu.regime.vttbr) else None,
                )
            )
            for cpu, flight in zip(self.spec.cpus, self._flights, strict=True)
        )
        return Machine(memory, tuple(closed(shared, pe, memory) for pe in cpus))

    def _started(self, pe: CpuState) -> CpuState:
        """A CPU before its first step: with a window, its program is asked ahead."""
        kept = self.shared.cpus.kept(pe)
        ahead = self.spec.hardware.window > 1 and kept.flight is None
        return started(self.shared, kept) if ahead else kept

    def moves(self, state: Machine) -> tuple[Move, ...]:
        """Return what can happen next: CPU by CPU, its program first and then its hardware."""
        owed = owed_mask(state)
        moves: list[Move] = []
        for number, cpu in enumerate(state.cpus):
            moves += self.moves_of(cpu, state.memory, number, owed=bool(owed >> number & 1))
        return tuple(moves)

    def moves_of(
        self, own: CpuState, memory: Memory, number: int, *, owed: bool
    ) -> tuple[Move, ...]:
        """Return what one CPU, program and hardware, can do next.

        `owed`: others have not completed TLBIs of this CPU (`owed_mask`).
        """
        k = (own, memory, number, owed)
        moves = self._local.get(k)
        if moves is None:
            if len(self._local) >= MAX_REMEMBERED:
                if self.keeps_values:
                    self.forget_moves()
                else:
                    self.forget()
            moves = self._local[k] = self.moves_anew(own, memory, number, owed=owed)
        return moves

    def moves_anew(
        self, own: CpuState, memory: Memory, number: int, *, owed: bool
    ) -> tuple[Move, ...]:
        """`moves_of`, remembered by nobody: for whom has a memo of his own (`arm64.rows`)."""
        if own.power == ON:
            local = instruction_moves(self.shared, own, memory, number, owed=owed)
        else:
            local = list(comes_up(self.shared, own, memory))
        if not self.judged.step:
            local = [self._without_history(move) for move in local]
        local += hardware_moves(self.shared, own, memory, number)
        if own.copies is not None:
            local = [self._with_copies(move, memory) for move in local]
        return tuple(
            _named(move, number, footprint(self.shared, own, memory, move, number))
            for move in local
        )

    def _without_history(self, move: LocalMove) -> LocalMove:
        """The move, without history variables: no step property is judged on this machine."""
        cpu = move.effect.after
        if (
            cpu.flight is None
            or (window := without_history(cpu.flight.window)) is cpu.flight.window
        ):
            return move
        cpu = self.shared.cpus.change(cpu, flight=cpu.flight.with_window(window))
        return move._replace(effect=move.effect._replace(after=cpu))

    def _with_copies(self, move: LocalMove, memory: Memory) -> LocalMove:
        """The move, behind which walks may read what they have read before (`physical_cache`)."""
        after = closed(self.shared, move.effect.after, memory)
        return move._replace(effect=move.effect._replace(after=after))

    def forget_moves(self) -> None:
        """Drop the moves and judgements that were remembered; they are made again."""
        self._local.clear()
        self._fine.clear()

    def forget(self) -> None:
        """Drop memos and pools. Equal values may then be two objects; nothing else changes."""
        self.forget_moves()
        self.shared.cpus.forget()
        self.shared.mmus.forget()
        self.shared.memories.forget()

    def apply(self, state: Machine, move: Move) -> Machine:
        """Return the state after a move."""
        effect = move.effect
        assert isinstance(effect, Effect)
        cpus, memory = list(state.cpus), state.memory
        cpus[move.cpu] = effect.after
        if effect.event:
            memory = self.memory_after(memory, move)
            cpus = [self.reacted(cpu, i, move, state.memory, memory) for i, cpu in enumerate(cpus)]
        if self.common:
            pools = self.shared.mmus, self.shared.cpus
            cpus = share(*pools, cpus, memory.tables, self.common)
        return Machine(memory, tuple(cpus), self.failure_of(move))

    def memory_after(self, memory: Memory, move: Move) -> Memory:
        """Memory after a move."""
        effect = move.effect
        assert isinstance(effect, Effect)
        return self.shared.memories.write(memory, *effect.write) if effect.write else memory

    def reacted(
        self, pe: CpuState, number: int, move: Move, before: Memory, after: Memory
    ) -> CpuState:
        """CPU `number` once it has noticed what a move does to memory and to other CPUs.

        The CPU that moves notices it too, once it has its new value (`Effect.cpu`).
        """
        effect = move.effect
        assert isinstance(effect, Effect)
        own = number == move.cpu
        if effect.write:
            pe = self._observe(pe, before, after, effect.write, own=own)
        if effect.sev and pe.power == ON:
            pe = self.shared.cpus.change(pe, event=True)
        if effect.tlbi and (
            own or (effect.tlbi.broadcast and not self.shared.ablated("broadcast"))
        ):
            pe = self._deliver(pe, after, Pending(move.cpu, effect.tlbi), number)
        if effect.signal and effect.signal.is_for(number, move.cpu):
            pe = received_signal(self.shared, pe, effect.signal)
        return pe if pe.copies is None else closed(self.shared, pe, after)

    def moved(self, move: Move, before: Memory) -> CpuState:
        """The CPU that moves, once it has noticed what its move does to memory and to itself."""
        effect = move.effect
        assert isinstance(effect, Effect)
        return self.reacted(effect.after, move.cpu, move, before, self.memory_after(before, move))

    def failure_of(self, move: Move) -> Problem | None:
        """What is wrong with a move: its own problem, else a *step* property that it violates."""
        effect = move.effect
        assert isinstance(effect, Effect)
        return effect.problem or self._step_problem(move)

    def _step_problem(self, move: Move) -> Problem | None:
        """The first *step* property that a move violates."""
        problems = (check(self.shared, move) for check in self.judged.step)
        return next((problem for problem in problems if problem), None)

    def waits_for_event_stream(self, state: Machine) -> bool:
        """Whether only the event stream is enabled: a wake-up was lost."""
        due = {move.kind for move in self.moves(state) if not move.optional}
        return due == {LAST_RESORT}

    def _deliver(self, pe: CpuState, memory: Memory, pending: Pending, number: int) -> CpuState:
        waiting = self.shared.cpus.change(pe, pending_tlbis=received(pe.pending_tlbis, pending))
        if self.shared.hardware.late_tlbis:
            return waiting
        return act(self.shared, waiting, memory, pending, number)

    def _observe(
        self,
        pe: CpuState,
        before: Memory,
        after: Memory,
        write: tuple[int, tuple[Word, ...]],
        *,
        own: bool,
    ) -> CpuState:
        """Return a CPU after a store reached memory: its translations, and its monitor."""
        address, words = write
        changes: dict[str, object] = {}
        if before.tables is not after.tables:
            baddr = self.spec.geometry.table(address)
            mmu = self.shared.mmus.observed(pe.mmu, before.tables, after.tables, baddr)
            if mmu is not pe.mmu:
                changes["mmu"] = mmu
        if self.shared.text and self.shared.hardware.stale_text:
            text = stored(pe.text, self.shared.text, before, write)
            if text is not pe.text:
                changes["text"] = text
        updates = pe.features.updates_descriptors
        if pe.flight:
            window = observed(pe.flight.window, address, len(words), own=own, updates=updates)
            changes["flight"] = pe.flight.with_window(window)
        if not own and address <= pe.monitor < address + len(words):
            # The global monitor's transition from exclusive to open is a WFE wake-up event.
            changes |= {"monitor": NOTHING, "event": True}
        return self.shared.cpus.change(pe, **changes) if changes else pe

    def problem(self, state: Machine) -> Problem | None:
        """Return the first property that fails."""
        if state.failure:
            return state.failure
        if not self.judged.uniform:
            return next(
                (p for check in self.judged.always if (p := check(self.shared, state))), None
            )
        # A uniform check judges a CPU in the same way in every state with these tables.
        fine = self._fine.setdefault(state.memory.tables, set())
        if fine.issuperset(state.cpus):
            return None
        seen = state._replace(memory=Memory(state.memory.tables, Unreadable()))
        for check in self.judged.always:
            alone = (seen._replace(cpus=(pe,)) for pe in state.cpus if pe not in fine)
            one = next((p for machine in alone if (p := check(self.shared, machine))), None)
            problem = check(self.shared, seen)
            if found := problem or one:
                if not (problem and one):
                    raise _not_uniform(found)
                return problem
        fine.update(state.cpus)
        return None

    def final_problem(self, state: Machine) -> Problem | None:
        """Return the first property that fails once every program has finished."""
        return next((p for check in self.judged.final if (p := check(self.shared, state))), None)

    def unfinished(self, state: Machine) -> tuple[str, ...]:
        """Return the CPUs that have not finished, and what each waits for."""
        return tuple(
            f"cpu{i} waits in {pe.point.label}: {waits_for(self.shared, state, i)}"
            if pe.point.op
            else f"cpu{i} waits with instructions in flight"
            for i, pe in enumerate(state.cpus)
            if not pe.finished
        )

    def recheck(self) -> None:
        """Run the programs' steps again, in another order than they were met."""
        self.spec.automaton.recheck()

    def digest(self, state: Machine) -> str:
        """Identify a state by content, equally on every machine."""
        cpus = tuple(pe.content() for pe in state.cpus)
        return digest(state.memory.content(), cpus, state.failure)


def _not_uniform(problem: Problem) -> ScenarioError:
    return ScenarioError(
        f"property {problem.property} says uniform=True, but not the same of all CPUs together as "
        "of each alone",
        "leave out uniform=True",
    )


def _named(move: LocalMove, number: int, cells: Footprint) -> Move:
    """Put the CPU's number into a local move, and make its names."""
    issuer = next(iter(move.completes), -1)
    kind, what = move.kind, move.what
    duty = ""
    if kind == STEP:
        agent, label = f"cpu{number}", f"cpu{number}:{what}{move.variant}"
    elif kind in DVM:
        agent, label = f"dvm.cpu{number}", f"dvm.cpu{number} {what} from cpu{issuer}: {kind}"
        duty = f" {what}: {kind}"
    else:
        duty = f".{kind}[{what}]" if what else f".{kind}"
        whose = f"[{what}]" if kind == DRAIN else f"[{move.page}]" if kind == WALK else ""
        agent, label = f"cpu{number}.{kind}{whose}", f"cpu{number}{duty}"
    # Many nodes share few names: interned, they are compared by identity.
    return Move(
        intern(agent),
        intern(label),
        number,
        move.optional,
        cells,
        move.effect,
        duty,
        issuer,
        move.early,
        kind,
        what,
        move.variant,
        move.notes,
        move.enables,
    )
