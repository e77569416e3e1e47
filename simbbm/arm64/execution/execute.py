"""The executor: the moves that a CPU's instructions in flight have, whichever source fetched them.

Each instruction does what its row of the table says (`instructions`), once earlier instructions
allow it (`ordering`); until then it has no move. No other CPU's state is read: `owed` says whether
other CPUs have TLBIs of this one pending, and effects on other CPUs are part of the `Effect`.

The order follows the operational model that is known to agree with the published verdicts
(Simner et al., Relaxed virtual memory in Armv8-A, ESOP 2022).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from simbbm.arm64.context import Shared
from simbbm.arm64.cpu import NOTHING, CpuState, Effect, LocalMove
from simbbm.arm64.execution.atomics import Atomics
from simbbm.arm64.execution.decoding import check_address, no_such_register
from simbbm.arm64.execution.exceptions import (
    exception_return,
    require_el2,
    require_guest,
    scoped,
)
from simbbm.arm64.execution.flight import behind_dmb
from simbbm.arm64.execution.instructions import Rule
from simbbm.arm64.execution.listed import Listed
from simbbm.arm64.ops import HVC, Aborted
from simbbm.arm64.platform.text import Ic, synchronised
from simbbm.arm64.registers import Sctlr, Sgi, Signal, Tcr, Ttbr, Vttbr
from simbbm.arm64.translation.memory import Memory
from simbbm.arm64.translation.tlb import Tlbi
from simbbm.arm64.translation.translate import FETCH, READ, Translation, translations
from simbbm.arm64.translation.walks import STALL
from simbbm.core.errors import ScenarioError
from simbbm.core.system import Problem

_REGIME = {
    "ttbr0_el1": "ttbr0",
    "ttbr1_el1": "ttbr1",
    "tcr_el1": "tcr",
    "sctlr_el1": "sctlr",
    "vttbr_el2": "vttbr",
}
_VALUES = {"tcr": Tcr, "sctlr": Sctlr, "vttbr": Vttbr}
_WRITTEN = (*_REGIME, "vbar_el1", "icc_sgi1r_el1")
_ENABLING = ("dsb", "synchronise")


def _is_translated_first(rule: Rule) -> bool:
    """Whether the translation of an access in flight is a step of its own."""
    return rule.access and rule.does != "wait" and not rule.alone


def instruction_moves(
    shared: Shared, state: CpuState, memory: Memory, number: int, *, owed: bool
) -> list[LocalMove]:
    """Moves of a CPU's instructions; `owed`: another CPU has not completed a TLBI of this one."""
    return Executor(shared, state, memory, number, owed=owed).moves()


class Executor(Atomics):
    """One CPU and its instructions in flight."""

    def moves(self) -> list[LocalMove]:
        """Every move of every instruction.

        With several in flight, a DSB or context synchronisation that can happen, and a translation
        that can only ever have one result, is the only one: it enables moves and disables none, so
        that doing it first loses nothing. (`Hardware.eager_steps` switches that off.)
        """
        if self.source.split and self.shared.hardware.eager_steps:
            for i in range(len(self.code)):
                if self._only_enables(i) and (only := list(self._moves_of(i))):
                    return only
        return [move for i in range(len(self.code)) for move in self._moves_of(i)]

    def _only_enables(self, i: int) -> bool:
        """Whether a step of the i-th instruction changes nothing for other CPUs."""
        instruction, entry = self.code[i], self.window[i]
        if instruction.rule.does in _ENABLING:
            return self._is_settled()
        constant = self.shared.constant[self.number]
        return (
            _is_translated_first(instruction.rule)
            and not (self.is_translated(i) or entry.fault or entry.done)
            and self.shared.geometry.page(instruction.address) in constant
        )

    def _is_settled(self) -> bool:
        """Whether no register write is pending, and no translation made early.

        Else a synchronisation ends walks of old tables, and the use of such translations.
        """
        mmu = self.state.mmu
        return mmu.regime.settled and not (mmu.early_leaves or mmu.early_faults)

    def _moves_of(self, i: int) -> Iterator[LocalMove]:
        rule, entry = self.code[i].rule, self.window[i]
        if entry.update:
            yield from self.update(i)
        if entry.over or (rule.silent and self.source.split) or (rule.alone and i):
            return
        if entry.fault:
            yield from self.take_fault(i)
            return
        if entry.word is None:
            fetched = self._fetch()
            faults = [t for t in fetched if t.fault]
            if self.source.takes_exception(i):
                yield from (self._fetch_fault(i, t) for t in faults)
            if len(faults) == len(fetched) and self.state.pc is not None:
                return
            if self.source.split and _is_translated_first(rule) and not self.physical(i):
                yield from self.translate(i)
                yield from self.translates_with_update(i)
                return
        yield from getattr(self, rule.does)(i)
        if rule.access and not self.source.split and not self.physical(i):
            yield from self.translates_with_update(i)

    def _fetch(self) -> tuple[Translation, ...]:
        if self.state.pc is None:
            return ()
        return translations(self.shared, self.state, self.memory, self.state.pc, FETCH)

    def _fetch_fault(self, i: int, t: Translation) -> LocalMove:
        assert t.fault is not None
        if t.fault.kind == STALL:
            return self.tried_again(i, t._replace(suffix=f"!fetch{t.suffix}"))
        aborted = Aborted(t.fault.kind, t.fault.level, self.state.pc or 0, FETCH, ipa=t.fault.ipa)
        effect = self.exception(i, aborted)
        return self.move(i, f"!fetch{t.suffix}", effect, t=t, notes=("on the fetch", *t.notes))

    # Barriers and maintenance

    def dmb(self, i: int) -> Iterator[LocalMove]:
        """DMB: later accesses wait for earlier ones of its type; TLBIs and walks do not."""
        yield self.done(i, None, **behind_dmb(self.shared, self.state, self.code[i].option))

    def dsb(self, i: int) -> Iterator[LocalMove]:
        """DSB: done when earlier accesses of its type are; a full one waits for TLBIs (R7)."""
        if self.is_dsb_done(i):
            marked_only = not self.state.features.ets2
            mmu = self.shared.mmus.without_early(self.state.mmu, marked_only=marked_only)
            done = self.done(i, None, what="completes", mmu=mmu)
            yield done._replace(enables=self._is_settled())

    def synchronise(self, i: int) -> Iterator[LocalMove]:
        """ISB, and exceptions of listings: context synchronisation (R14)."""
        known = self.code[i].operands is not None
        if known and self.is_committed(i) and self.is_quiet(i):
            mmu = self.shared.mmus.synchronised(self.state.mmu, self.memory.tables)
            text = synchronised(self.state.text)
            after = self.source.synchronised(self.shared, self.state, i, mmu=mmu, text=text)
            done = self.move(i, "synchronises" if self.source.split else "", Effect(after))
            yield done._replace(enables=self._is_settled())

    def tlbi(self, i: int) -> Iterator[LocalMove]:
        """TLBI: issued now, acts on each CPU when it gets there."""
        operands = self.code[i].operands
        if operands is None or not self.is_committed(i) or self.is_held_by_dsb(i):
            return
        tlbi, where = self._as_said(operands[0]), self.code[i].where
        if tlbi.page is not None:
            check_address(where, f"tlbi {tlbi}", tlbi.page)
        first, *others = scoped(self.state, tlbi, where)
        yield self.done(i, None, what="issues", tlbi=first)
        for tlbi in others:
            move = self.done(i, None, what="issues", tlbi=tlbi)
            yield move._replace(variant=f"{move.variant}~vmid={tlbi.vmid}")

    # Instructions that change (R27)

    def ic(self, i: int) -> Iterator[LocalMove]:
        """IC: issued now, acts on each CPU when it gets there; IVAU needs a translation."""
        op, operands = self.code[i].option, self.code[i].operands or ()
        if not operands:
            yield self.done(i, None, tlbi=Ic(op))
            return
        for t in self._looked_up(operands[0], READ):
            if t.fault:
                yield self._lookup_fault(i, t, operands[0], READ)
            else:
                yield self.done(i, None, t, tlbi=Ic(op, self._word_of(t, operands[0])))

    def fetch(self, i: int) -> Iterator[LocalMove]:
        """Fetch a word of text: what memory holds, or what was there before."""
        address = self._operand(i)
        for t in self._looked_up(address, FETCH):
            if t.fault:
                yield self._lookup_fault(i, t, address, FETCH)
                continue
            word = self._word_of(t, address)
            if word not in self.shared.text:
                told = f"{self.code[i].where}: {self.shared.name(word)} is no text"
                raise ScenarioError(told, "say which words are: Setup(text=frozenset({word}))")
            yield self.done(i, self.shared.memories.read(self.memory, word), t, reads=(word,))
            for stale in self.state.text:
                if stale.word == word:
                    old = self.done(i, stale.value, t, reads=(word,))
                    notes = (f"fetches {stale.value}, which memory does not hold any more",)
                    variant = f"{old.variant}~stale {stale.value}"
                    yield old._replace(variant=variant, notes=notes, early=stale.fetched)

    def _looked_up(self, address: int, access: str) -> tuple[Translation, ...]:
        check_address(self.code[0].where, self.code[0].mnemonic, address)
        page = self.shared.geometry.page(address)
        return translations(self.shared, self.state, self.memory, page, access)

    def _word_of(self, t: Translation, address: int) -> int:
        words = self.shared.geometry.page_words
        return t.page * words + address % words

    def _lookup_fault(self, i: int, t: Translation, address: int, access: str) -> LocalMove:
        assert t.fault is not None
        if t.fault.kind == STALL:
            return self.tried_again(i, t)
        page = self.shared.geometry.page(address)
        aborted = Aborted(t.fault.kind, t.fault.level, page, access, ipa=t.fault.ipa)
        return self.move(i, t.suffix, self.exception(i, aborted), t=t)

    def _as_said(self, tlbi: Tlbi) -> Tlbi:
        """The TLBI with its range and its level, unless these are ablated (R40)."""
        if self.shared.ablated("tlbi-range"):
            return tlbi._replace(pages=1)
        return tlbi._replace(ttl=0) if self.shared.ablated("tlbi-level") else tlbi

    # System registers

    def msr(self, i: int) -> Iterator[LocalMove]:
        """MSR: takes effect for walks at any time up to the next context synchronisation.

        MSRs are executed in program order.
        """
        instruction = self.code[i]
        if instruction.operands is None or not self.is_committed(i) or self.is_held_by_dsb(i):
            return
        if any(self.code[j].rule.does == "msr" and not self.window[j].done for j in range(i)):
            return
        register, (value,) = instruction.option, instruction.operands
        if register == "vbar_el1":
            yield self.done(i, None, vbar=value)
            return
        if register == "icc_sgi1r_el1" and isinstance(value, Sgi):
            yield from self._send(i, value)
            return
        field = _REGIME.get(register)
        if field is None or not isinstance(value, _VALUES.get(field, Ttbr)):
            raise no_such_register(instruction.where, register, value, _WRITTEN)
        if field == "vttbr":
            require_el2(self.state, instruction.where, "msr vttbr_el2")
        if field == "sctlr" and self.state.mmu.regime.vttbr:
            told = f"{instruction.where}: SCTLR_EL1 of a guest is not modelled"
            raise ScenarioError(told, "its MMU is on; or take a regime without vttbr")
        assert isinstance(value, Ttbr | Tcr | Sctlr | Vttbr)
        mmu = self.shared.mmus.written(self.state.mmu, self.memory.tables, field, value)
        yield self.done(i, None, mmu=mmu)

    def cpu_on(self, i: int) -> Iterator[LocalMove]:
        """PSCI CPU_ON (R26)."""
        yield from self._send(i, self._operand(i))

    def _send(self, i: int, signal: Signal) -> Iterator[LocalMove]:
        """A signal to other CPUs: it waits for no access (R25)."""
        target = signal.target
        if target is not None and not 0 <= target < len(self.shared.constant):
            told = f"{self.code[i].where}: there is no cpu{target}"
            raise ScenarioError(told, "a target is the number of a CPU")
        if self.is_all_performed(i) or not self.shared.ablated("signal-waits-for-stores"):
            yield self.done(i, None, signal=signal)

    def mrs(self, i: int) -> Iterator[LocalMove]:
        """MRS: reads what was written last."""
        register = self.code[i].option
        if register == "mpidr_el1":
            yield self.done(i, self.number)
        elif register == "vbar_el1":
            yield self.done(i, self.state.vbar)
        else:
            yield self.done(i, self.state.mmu.regime.newest(_REGIME[register]))

    # Events, control

    def wfe(self, i: int) -> Iterator[LocalMove]:
        """WFE: completes when the event register is set; if that is unknown, it may or may not."""
        if self.state.event is not False:
            yield self.done(i, None, event=False)
        if self.state.event is None:
            asleep = self.shared.cpus.change(self.state, event=False)
            yield self.move(i, "!no event", Effect(asleep), notes=("no event was set",))

    def wfi(self, i: int) -> Iterator[LocalMove]:
        """WFI: completes when an interrupt is pending, whatever PSTATE masks."""
        if self.state.sgis:
            yield self.done(i, None)

    def forget_events(self, i: int) -> Iterator[LocalMove]:
        """The event register becomes unknown, and the monitor open."""
        yield self.done(i, None, event=None, monitor=NOTHING)

    def sev(self, i: int) -> Iterator[LocalMove]:
        """SEV and SEVL."""
        yield self.done(i, None, event=True, sev=self.code[i].mnemonic == "sev")

    def predict(self, i: int) -> Iterator[LocalMove]:
        """A branch of a listing: either way is fetched, until its condition is known."""
        assert isinstance(self.source, Listed)
        for what, after in self.source.predicted(self.shared, self.state, i):
            yield self.move(i, what, Effect(after))

    def branch(self, i: int) -> Iterator[LocalMove]:
        """Branch to another page of code."""
        yield self.done(i, None, pc=self._operand(i))

    def mask(self, i: int) -> Iterator[LocalMove]:
        """DAIFSet and DAIFClr: interrupts are off or on, SErrors as well, or these alone."""
        what, off = self.code[i].option, self.code[i].mnemonic.startswith("daifset")
        masked = self.state.masked if what == "da" else off
        all_masked = off if what else self.state.all_masked
        yield self.done(i, None, masked=masked, all_masked=all_masked)

    def nop(self, i: int) -> Iterator[LocalMove]:
        """NOP, and conditional branches to the next instruction."""
        yield self.done(i, None)

    def panic(self, i: int) -> Iterator[LocalMove]:
        """A violation, which ends the run."""
        problem = Problem("no_panic", f"cpu{self.number} panics: {self._operand(i)}", self.number)
        yield self.move(i, "", Effect(self.state, problem=problem))

    def might_sleep(self, i: int) -> Iterator[LocalMove]:
        """A violation where interrupts are masked, which stands for atomic context."""
        if self.state.masked:
            where = self.state.point.path.rpartition("/")[2]
            message = f"cpu{self.number} may sleep in {where} with interrupts masked"
            problem = Problem("no_sleep_in_atomic", message, self.number)
            yield self.move(i, "", Effect(self.state, problem=problem))
        else:
            yield self.done(i, None)

    def svc(self, i: int) -> Iterator[LocalMove]:
        """SVC: an exception that returns to the next instruction."""
        if self.shared.handler is None:
            raise ScenarioError(f"{self.code[i].where}: svc without an exception handler")
        aborted = Aborted("svc", 0, self._operand(i), "svc")
        yield self.move(i, "", self.exception(i, aborted, resume=True))

    def hvc(self, i: int) -> Iterator[LocalMove]:
        """HVC: an exception to EL2 that returns to the next instruction."""
        require_guest(self.shared, self.state, self.code[i].where)
        aborted = Aborted(HVC, 0, self._operand(i), HVC)
        yield self.move(i, "", self.exception(i, aborted, resume=True))

    def eret(self, i: int) -> Iterator[LocalMove]:
        """ERET: return to where the exception was taken, or to the next instruction."""
        retry, *results = self.code[i].operands or ()
        result = results[0] if results else None
        returned = exception_return(
            self.shared, self.state, self.memory, retry=retry, result=result
        )
        yield self.move(i, "", self.source.continued(self.shared, returned))

    def eret_to_el(self, i: int) -> Iterator[LocalMove]:
        """ERET to user space, or of EL2 to a guest, for the first time."""
        el = int(self.code[i].option.removeprefix("el"))
        if el == 1:
            require_el2(self.state, self.code[i].where, "eret to EL1")
        if self.is_committed(i) and self.is_quiet(i):
            mmu = self.shared.mmus.at_level(self.state.mmu, self.memory.tables, el)
            text = synchronised(self.state.text)
            yield self.done(i, None, el=el, mmu=mmu, text=text, monitor=NOTHING, event=True)

    def _operand(self, i: int) -> Any:
        operands = self.code[i].operands
        assert operands is not None
        return operands[0]
