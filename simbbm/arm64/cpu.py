"""One CPU as a value: program, MMU, store buffer, monitor, events and pending invalidations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from simbbm.arm64.execution.flight import Flight
from simbbm.arm64.execution.listing import Listing
from simbbm.arm64.execution.storebuffer import StoreBuffer
from simbbm.arm64.features import Features
from simbbm.arm64.platform.text import Ic, Text
from simbbm.arm64.registers import Regime, Signal
from simbbm.arm64.translation.mmu import Mmu
from simbbm.arm64.translation.tlb import Copy, Tlbi
from simbbm.core.points import ControlPoint
from simbbm.core.system import Problem
from simbbm.core.values import Encoded, encode

NOTHING = -1
"""In place of an address: the exclusive monitor is open."""
ON, COMING, OFF = "on", "reset", "off"
"""How a CPU starts (`CpuSpec.power`): running, out of reset at any time, or when it is called."""


class Pending(NamedTuple):
    """A TLBI that is pending on this CPU: it has not acted, or waits for stale stores to drain.

    (The names of records are part of digests, and so of recorded witnesses: they stay.)
    """

    issuer: int
    tlbi: Tlbi | Ic
    acted: bool = False


class Frame(NamedTuple):
    """What an exception saves (ELR, SPSR), for the return."""

    point: ControlPoint
    pc: int | None
    el: int
    masked: bool
    resume: bool
    """The exception was an SVC: the return is to the next instruction."""


@dataclass(eq=False, slots=True)
class CpuState:
    """An interned value: compare by identity."""

    point: ControlPoint
    pc: int | None
    """Page that instructions are fetched from; None: fetches are not modelled."""
    el: int
    saved: tuple[Frame, ...]
    mmu: Mmu
    buffer: StoreBuffer
    monitor: int
    event: bool | None
    """The event register; None: it may be set or not (`forget_events`)."""
    masked: bool
    vbar: int | None
    pending_tlbis: tuple[Pending, ...]
    features: Features
    flight: Flight | None = None
    """The instructions in flight, of a listing or of the program from `point` on. None: the
    program's operations are executed one at a time."""
    interrupted: bool = False
    """It has taken the one interrupt that arrives on each CPU."""
    all_masked: bool = False
    """All of PSTATE.DAIF is set: no SError arrives, and no pseudo-NMI."""
    sgis: tuple[int, ...] = ()
    """INTIDs of the inter-processor interrupts that are pending, each once."""
    text: Text = ()
    """Instructions that it may still execute as they were (`platform.text`)."""
    power: str = "on"
    """ON; COMING: it may come out of reset; OFF: once it is called (`platform.power`)."""
    copies: tuple[Copy, ...] | None = None
    """What it keeps of tables by physical address; None: nothing ever (FEAT_nTLBPA, R22)."""
    _content: Encoded | None = field(default=None, init=False)

    @property
    def finished(self) -> bool:
        """Whether its program or listing is done."""
        return self.flight.finished if self.flight else self.point.finished

    @property
    def mnemonic(self) -> str:
        """The next operation of its program; empty once that has finished."""
        op = self.point.op
        return op.mnemonic if op is not None else ""

    def content(self) -> Encoded:
        """Everything that identifies it, encoded once: many states share it."""
        if self._content is None:
            self._content = Encoded(encode(self.parts()))
        return self._content

    def parts(self) -> tuple[Any, ...]:
        """Its fields as frozen data, for digests."""
        saved = tuple((f.point.digest, *f[1:]) for f in self.saved)
        return (
            self.point.digest,
            self.pc,
            self.el,
            saved,
            self.mmu.content(),
            self.buffer,
            self.monitor,
            self.event,
            self.masked,
            self.vbar,
            self.pending_tlbis,
            self.features,
            *((self.flight.content(),) if self.flight else ()),
            *(("interrupted",) if self.interrupted else ()),
            *(("all masked",) if self.all_masked else ()),
            *((("sgis", self.sgis),) if self.sgis else ()),
            *((("text", self.text),) if self.text else ()),
            *((("power", self.power),) if self.power != ON else ()),
            *((("copies", self.copies),) if self.copies is not None else ()),
        )


class CpuPool:
    """Makes CPU values, each once."""

    def __init__(self) -> None:
        self._pool: dict[tuple[Any, ...], CpuState] = {}

    def make(self, *fields: Any) -> CpuState:
        """Make a CPU value from its fields in order."""
        state = self._pool.get(fields)
        if state is None:
            state = self._pool[fields] = CpuState(*fields)
        return state

    def kept(self, state: CpuState) -> CpuState:
        """The interned value that is equal to `state`."""
        return self.make(*(getattr(state, name) for name in _FIELDS))

    def forget(self) -> None:
        """Drop the pool."""
        self._pool.clear()

    def change(self, state: CpuState, **changes: Any) -> CpuState:
        """Make a CPU value that differs in some fields."""
        return self.make(
            *(changes.pop(name) if name in changes else getattr(state, name) for name in _FIELDS)
        )


_FIELDS = tuple(name for name, f in CpuState.__dataclass_fields__.items() if f.init)


class StaleAccess(NamedTuple):
    """An access got something else than the tables gave when it was translated."""

    page: int
    """The page of memory that it got."""
    current: str
    """What the tables gave."""


class Effect(NamedTuple):
    """The effect of a move: the CPU's next value, and what reaches memory and other CPUs."""

    after: CpuState
    write: tuple[int, tuple[Any, ...]] | None = None
    """Words that reach memory: address and values."""
    tlbi: Tlbi | Ic | None = None
    sev: bool = False
    problem: Problem | None = None
    """What is wrong with the move, whatever a scenario promises: a panic, a lost CPU."""
    stale: StaleAccess | None = None
    """The access that the move performs used a stale translation (`no_stale_translation`)."""
    signal: Signal | None = None
    """What it sends other CPUs without memory."""

    @property
    def event(self) -> tuple[Any, ...] | None:
        """What other CPUs, and this one, notice of it; None: nothing."""
        if self.write is None and self.tlbi is None and not self.sev and self.signal is None:
            return None
        return self.write, self.tlbi, self.sev, self.signal


class LocalMove(NamedTuple):
    """A move of one CPU or of its hardware, without the CPU's number.

    `kind`, `what`, `variant`, `notes`, `enables` are those of the resulting `Move`.
    """

    kind: str
    what: str
    effect: Effect
    reads: tuple[int, ...] = ()
    """Words, by physical address, that the effect depends on (`footprints`)."""
    completes: tuple[int, ...] = ()
    """CPUs a TLBI of which acts or completes."""
    optional: bool = False
    early: bool = False
    """It uses a translation or a value from earlier on (`core.system.Move`)."""
    variant: str = ""
    notes: tuple[str, ...] = ()
    page: str = ""
    """Of a walk: the name of the page that it is for."""
    enables: bool = False


class CpuSpec(NamedTuple):
    """How one CPU starts."""

    program: ControlPoint
    regime: Regime
    features: Features = Features()
    pc: int | None = None
    vbar: int | None = None
    el: int = 1
    listing: Listing | None = None
    power: str = "on"
