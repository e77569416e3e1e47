"""The transition system of a machine: all CPUs, memory and what is between them.

A state (`state.py:Machine`) is a tuple of interned parts, so it hashes and compares by identity in
no time, and is identified across processes by `digest`.
"""

from __future__ import annotations

from dataclasses import dataclass
from sys import intern

from simbbm.arm64.context import Description, Shared
from simbbm.arm64.cpu import NOTHING, CpuPool, CpuSpec, CpuState, Effect, LocalMove, Pending
from simbbm.arm64.descriptor import Descriptor
from simbbm.arm64.execution.ahead import started
from simbbm.arm64.execution.execute import instruction_moves
from simbbm.arm64.execution.flight import overtaken, without_history
from simbbm.arm64.execution.listed import takeoff
from simbbm.arm64.execution.storebuffer import StoreBuffer, Word
from simbbm.arm64.footprints import footprint
from simbbm.arm64.hardware import DRAIN, DVM, WALK, act, hardware_moves, received
from simbbm.arm64.state import Judged, Machine, owed_mask
from simbbm.arm64.translation.constant import constant_pages
from simbbm.arm64.translation.memory import Memory, MemoryPool, Tables, Unreadable
from simbbm.arm64.translation.mmu import Mmus
from simbbm.arm64.translation.sharing import groups, share, without_effect
from simbbm.arm64.translation.view import Hit
from simbbm.core.errors import ScenarioError
from simbbm.core.programs.automaton import Automaton
from simbbm.core.system import LAST_RESORT, STEP, Footprint, Move, Problem
from simbbm.core.values import digest

NOTHING_JUDGED = Judged()
MAX_REMEMBERED = 400_000
"""CPU states in a memory whose moves are remembered."""


@dataclass(frozen=True, kw_only=True, eq=False)
class MachineSpec(Description):
    """What a machine starts as."""

    automaton: Automaton
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
        """Equal values stay one object for ever: for a search that compares them by identity."""
        self.landmarks = dict(judged.sometimes)
        if spec.hardware.event_stream:
            self.landmarks["delayed_wakeups"] = self.waits_for_event_stream
        self.common = groups(spec.cpus) if spec.hardware.common_tlb else ()
        """Who has a TLB in common with whom."""
        handler = getattr(spec.handler, "__wrapped__", spec.handler)
        self.shared = Shared(
            **spec.described() | {"handler": handler},
            automaton=spec.automaton,
            constant=constant_pages(spec) if constant is None else constant,
            memories=MemoryPool(spec.geometry.entries),
            mmus=Mmus(spec.geometry, spec.hardware),
            cpus=CpuPool(),
        )
        self._flights = tuple(
            takeoff(cpu.listing, self.shared) if cpu.listing else None for cpu in spec.cpus
        )
        """Of listings, as they start: made once, for threads compare by identity."""
        self._local: dict[tuple[CpuState, Memory, int, bool], tuple[Move, ...]] = {}
        self._fine: dict[Tables, set[CpuState]] = {}

    @property
    def notes(self) -> tuple[str, ...]:
        """What whoever reads a verdict about this machine should know."""
        told = without_effect(self.spec.cpus, self.common)
        return (told,) if told else ()

    def initial(self) -> Machine:
        """Return the state in which every run starts."""
        shared = self.shared
        tables = shared.memories.tables(self.spec.tables)
        memory = shared.memories.memory(tables, self.spec.data)
        cpus = tuple(
            self._started(
                CpuState(
                    point=cpu.program,
                    pc=cpu.pc,
                    el=cpu.el,
                    saved=(),
                    mmu=shared.mmus.start(cpu.regime, tables),
                    buffer=StoreBuffer(),
                    monitor=NOTHING,
                    event=False,
                    masked=False,
                    vbar=cpu.vbar,
                    inbox=(),
                    features=cpu.features,
                    flight=flight,
                )
            )
            for cpu, flight in zip(self.spec.cpus, self._flights, strict=True)
        )
        return Machine(memory, cpus)

    def _started(self, cpu: CpuState) -> CpuState:
        """A CPU before its first step: with a window, its program is asked ahead."""
        kept = self.shared.cpus.kept(cpu)
        ahead = self.spec.hardware.window > 1 and kept.flight is None
        return started(self.shared, kept) if ahead else kept

    def moves(self, state: Machine) -> tuple[Move, ...]:
        """Return what can happen next: CPU by CPU, its program first and then its hardware."""
        owed = owed_mask(state)
        moves: list[Move] = []
        for cpu in range(len(state.cpus)):
            moves += self.moves_of(state, cpu, owed)
        return tuple(moves)

    def moves_of(self, state: Machine, cpu: int, owed_by_others: int) -> tuple[Move, ...]:
        """Return what one CPU, program and hardware, can do next; `owed_mask` of the state."""
        own = state.cpus[cpu]
        owed = bool(owed_by_others >> cpu & 1)
        k = (own, state.memory, cpu, owed)
        moves = self._local.get(k)
        if moves is None:
            if len(self._local) >= MAX_REMEMBERED:
                if self.keeps_values:
                    self.forget_moves()
                else:
                    self.forget()
            local = instruction_moves(self.shared, own, state.memory, cpu, owed=owed)
            if not self.judged.step:
                local = [self._without_history(move) for move in local]
            local += hardware_moves(self.shared, own, state.memory, cpu)
            moves = self._local[k] = tuple(
                _named(move, cpu, footprint(self.shared, own, state.memory, move, cpu))
                for move in local
            )
        return moves

    def _without_history(self, move: LocalMove) -> LocalMove:
        """The move, remembering nothing that only step properties look at."""
        cpu = move.effect.cpu
        if (
            cpu.flight is None
            or (window := without_history(cpu.flight.window)) is cpu.flight.window
        ):
            return move
        cpu = self.shared.cpus.change(cpu, flight=cpu.flight.with_window(window))
        return move._replace(effect=move.effect._replace(cpu=cpu))

    def forget_moves(self) -> None:
        """Drop the moves and judgements that were remembered; they are made again."""
        self._local.clear()
        self._fine.clear()

    def forget(self) -> None:
        """Drop what was remembered. Equal values may be made twice then; nothing else changes."""
        self.forget_moves()
        self.shared.cpus.forget()
        self.shared.mmus.forget()
        self.shared.memories.forget()

    def apply(self, state: Machine, move: Move) -> Machine:
        """Return the state after a move."""
        effect = move.effect
        assert isinstance(effect, Effect)
        cpus = list(state.cpus)
        cpus[move.cpu] = effect.cpu
        memory = state.memory
        if effect.write:
            address, words = effect.write
            memory = self.shared.memories.write(memory, address, words)
            cpus = [
                self._observe(cpu, state.memory, memory, effect.write, own=i == move.cpu)
                for i, cpu in enumerate(cpus)
            ]
        if effect.sev:
            cpus = [self.shared.cpus.change(cpu, event=True) for cpu in cpus]
        if effect.tlbi:
            pending = Pending(move.cpu, effect.tlbi)
            everywhere = effect.tlbi.broadcast and not self.shared.ablated("broadcast")
            targets = range(len(cpus)) if everywhere else (move.cpu,)
            for i in targets:
                cpus[i] = self._deliver(cpus[i], memory, pending, i)
        if self.common:
            pools = self.shared.mmus, self.shared.cpus
            cpus = share(*pools, cpus, memory.tables, self.common)
        return Machine(memory, tuple(cpus), effect.problem or self._step_problem(move))

    def _step_problem(self, move: Move) -> Problem | None:
        """The first *step* property that a move violates."""
        problems = (check(self.shared, move) for check in self.judged.step)
        return next((problem for problem in problems if problem), None)

    def waits_for_event_stream(self, state: Machine) -> bool:
        """Whether nothing but the event stream lets anybody go on: a wake-up was lost."""
        due = {move.kind for move in self.moves(state) if not move.optional}
        return due == {LAST_RESORT}

    def _deliver(self, cpu: CpuState, memory: Memory, pending: Pending, number: int) -> CpuState:
        waiting = self.shared.cpus.change(cpu, inbox=received(cpu.inbox, pending))
        if self.shared.hardware.late_tlbis:
            return waiting
        return act(self.shared, waiting, memory, pending, number)

    def _observe(
        self,
        cpu: CpuState,
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
            mmu = self.shared.mmus.observed(cpu.mmu, before.tables, after.tables, baddr)
            if mmu is not cpu.mmu:
                changes["mmu"] = mmu
        if not own and cpu.flight:
            window = overtaken(cpu.flight.window, address, len(words))
            changes["flight"] = cpu.flight.with_window(window)
        if not own and address <= cpu.monitor < address + len(words):
            # The global monitor's transition from exclusive to open is a WFE wake-up event.
            changes |= {"monitor": NOTHING, "event": True}
        return self.shared.cpus.change(cpu, **changes) if changes else cpu

    def problem(self, state: Machine) -> Problem | None:
        """Return the first property that fails."""
        if state.failure:
            return state.failure
        if not self.judged.uniform:
            return next(
                (p for check in self.judged.always if (p := check(self.shared, state))), None
            )
        # Checks that look at one CPU at a time say the same of it in every state that has it.
        fine = self._fine.setdefault(state.memory.tables, set())
        if fine.issuperset(state.cpus):
            return None
        seen = state._replace(memory=Memory(state.memory.tables, Unreadable()))
        for check in self.judged.always:
            alone = (seen._replace(cpus=(cpu,)) for cpu in state.cpus if cpu not in fine)
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
        """Return who has not finished, and what each waits for."""
        return tuple(
            f"cpu{i} waits in {cpu.point.label}: {self._waits_for(cpu, i, state)}"
            if cpu.point.op
            else f"cpu{i} waits with instructions in flight"
            for i, cpu in enumerate(state.cpus)
            if not cpu.finished
        )

    def _waits_for(self, cpu: CpuState, number: int, state: Machine) -> str:
        op = cpu.point.op
        assert op is not None
        head = op.mnemonic.partition(".")[0]
        if head == "wait":
            address, predicate, args = op.args
            wanted = (
                f"{predicate.__name__}({', '.join(map(str, args))})" if args else predicate.__name__
            )
            value = self._peek(cpu, state, address)
            return f"{self.shared.name(address)} is {value}, wants {wanted}"
        if head == "wfe":
            armed = "not armed" if cpu.monitor == NOTHING else f"on {self.shared.name(cpu.monitor)}"
            return f"no event, its exclusive monitor is {armed}"
        if head == "dsb":
            late = [
                f"{self.shared.tlbi_name(p.tlbi)} on cpu{i}"
                for i, other in enumerate(state.cpus)
                for p in other.inbox
                if p.issuer == number
            ]
            return "completion of " + ", ".join(late) if late else "its stores"
        return op.mnemonic

    def _peek(self, cpu: CpuState, state: Machine, address: int) -> object:
        geometry = self.spec.geometry
        for hit in self.shared.view(cpu, state.memory).lookup(geometry.page(address)):
            if isinstance(hit, Hit):
                physical = hit.page * geometry.page_words + address % geometry.page_words
                return self.shared.memories.read(state.memory, physical)
        return "unmapped"

    def recheck(self) -> None:
        """Run the programs' steps again, in another order than they were met."""
        self.spec.automaton.recheck()

    def digest(self, state: Machine) -> str:
        """Identify a state by content, equally on every machine."""
        cpus = tuple(cpu.content() for cpu in state.cpus)
        return digest(state.memory.content(), cpus, state.failure)


def _not_uniform(problem: Problem) -> ScenarioError:
    return ScenarioError(
        f"property {problem.property} says uniform=True, but not the same of all CPUs together as "
        "of each alone",
        "leave out uniform=True",
    )


def _named(move: LocalMove, cpu: int, cells: Footprint) -> Move:
    """Put the CPU's number into a local move, and make its names."""
    issuer = next(iter(move.completes), -1)
    kind, what = move.kind, move.what
    duty = ""
    if kind == STEP:
        agent, label = f"cpu{cpu}", f"cpu{cpu}:{what}{move.variant}"
    elif kind in DVM:
        agent, label = f"dvm.cpu{cpu}", f"dvm.cpu{cpu} {what} from cpu{issuer}: {kind}"
        duty = f" {what}: {kind}"
    else:
        duty = f".{kind}[{what}]" if what else f".{kind}"
        whose = f"[{what}]" if kind == DRAIN else f"[{move.page}]" if kind == WALK else ""
        agent, label = f"cpu{cpu}.{kind}{whose}", f"cpu{cpu}{duty}"
    # The moves of many nodes have few names: what is looked up by them finds the same objects.
    return Move(
        intern(agent),
        intern(label),
        cpu,
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
