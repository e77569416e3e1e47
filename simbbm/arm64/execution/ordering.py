"""Ordering: what an instruction in flight waits for before it may take a step (R6, R7, R8, R23).

Retired stores are in the store buffer, older than everything in flight; DMBs between them divide
them into groups.
"""

from __future__ import annotations

from simbbm.arm64.context import Shared
from simbbm.arm64.cpu import CpuState
from simbbm.arm64.execution.flight import Window
from simbbm.arm64.execution.in_order import source_of
from simbbm.arm64.execution.instructions import (
    EVERY,
    LOAD,
    STORE,
    Decoded,
    ordered_by,
    waits_for_tlbis,
)
from simbbm.arm64.translation.memory import Memory

_BRANCHES = ("ctrl", "b")


class Ordering:
    """The instructions in flight of one CPU, and what each waits for."""

    def __init__(
        self, shared: Shared, state: CpuState, memory: Memory, number: int, *, owed: bool
    ) -> None:
        self.shared = shared
        self.state = state
        self.memory = memory
        self.number = number
        self.owed = owed
        """Whether another CPU has not completed a TLBI of this one."""
        self.source = source_of(state)
        self.window: Window = self.source.window
        self.code: list[Decoded] = self.source.code(state, number)

    def is_committed(self, i: int) -> bool:
        """Whether the instruction is no longer speculative.

        Earlier branches, addresses and faults are resolved, and no earlier load can be performed
        again for coherence.
        """
        for j in range(i):
            instruction, entry = self.code[j], self.window[j]
            rule = instruction.rule
            if entry.taken:
                continue
            if not instruction.addressed or (rule.access and not self.is_translated(j)):
                return False
            if rule.alone and not entry.done:
                return False
            if instruction.mnemonic in _BRANCHES and instruction.operands is None:
                return False
            if instruction.mnemonic == "select" and entry.value is not None and not entry.done:
                return False
            if LOAD in rule.kinds and not entry.is_read and self._read_again(j, i):
                return False
        return True

    def _read_again(self, j: int, before: int) -> bool:
        """Whether a younger load, before position `before`, has read the word of the j-th."""
        return any(
            LOAD in self.code[k].rule.kinds and self.window[k].done and self.word(k) == self.word(j)
            for k in range(j + 1, before)
        )

    def physical(self, i: int) -> bool:
        """Whether the access goes to a word without being translated."""
        return self.code[i].physical and self.code[i].addressed

    def is_translated(self, i: int) -> bool:
        """Whether it is known which word the access goes to."""
        return self.window[i].translated or self.physical(i)

    def word(self, i: int) -> int | None:
        """The physical word that the access goes to, if that is known."""
        return self.code[i].address if self.physical(i) else self.window[i].word

    def is_held_by_dsb(self, i: int) -> bool:
        """Whether a DSB before is not done."""
        return any(self.code[j].rule.does == "dsb" and not self.window[j].done for j in range(i))

    def is_ordered(self, i: int, *, fault: bool = False) -> bool:
        """Whether barriers, acquire and release permit that the access at `i` is performed.

        A fault waits for barriers and acquires before it, a DMB ST included, but not because its
        own access is a release or an acquire; what follows in its handler does not wait for it.
        """
        own = self.code[i].rule
        acquires = own.acquire == "sc" and not fault
        awaited = set(EVERY if own.release and not fault else ())
        if self.shared.ablated("out-of-order"):
            awaited.add(LOAD)
            awaited.update(own.kinds & {STORE})
        for j in range(i - 1, -1, -1):
            rule = self.code[j].rule
            if rule.does == "dmb":
                order = ordered_by(self.code[j].option)
                if fault or own.kinds & order.after:
                    awaited |= order.before
            elif self.window[j].over:
                continue
            elif (
                rule.does in ("dsb", "synchronise")
                or rule.synchronises
                or (rule.acquire and not self.window[j].is_read)
                or self._pending(j) & awaited
                or (rule.release and acquires)
            ):
                return False
        buffer = self.state.buffer
        return not (
            (STORE in awaited and buffer.stores)
            or ((fault or STORE in own.kinds) and buffer.holds_stores)
            or (LOAD in own.kinds and buffer.holds_loads)
            or (acquires and buffer.holds_release)
        )

    def _pending(self, j: int) -> frozenset[str]:
        """Of which kinds an access is that is not performed; an atomic may have read already."""
        kinds = self.code[j].rule.kinds
        return kinds - {LOAD} if self.window[j].modified is not None else kinds

    def is_dsb_done(self, i: int) -> bool:
        """Whether a DSB is done: accesses are performed; for a full one, TLBIs complete."""
        if self.is_held_by_dsb(i):
            return False
        option = self.code[i].option
        before = ordered_by(option).before
        waits = waits_for_tlbis(option) or self.shared.ablated("dsb-type")
        waits &= not self.shared.ablated("dsb-waits-for-tlbi")
        for j in range(i):
            rule = self.code[j].rule
            if waits and self.window[j].update:
                return False
            if not self.window[j].over and (
                self._pending(j) & before or rule.alone or (rule.does == "tlbi" and waits)
            ):
                return False
        if STORE in before and self.state.buffer.stores:
            return False
        if waits:
            own = any(p.issuer == self.number for p in self.state.pending_tlbis)
            return not own and (option.startswith("nsh") or not self.owed)
        return True

    def is_quiet(self, i: int) -> bool:
        """Whether DSBs are done and MSRs and TLBIs executed, as a synchronisation needs."""
        return all(
            self.window[j].done
            for j in range(i)
            if self.code[j].rule.does in ("dsb", "msr", "tlbi", "ic")
        )

    def is_all_performed(self, i: int) -> bool:
        """Whether every earlier access has been performed."""
        return not self.state.buffer.stores and all(
            self.window[j].over for j in range(i) if self.code[j].rule.access
        )


def ordered(shared: Shared, state: CpuState, memory: Memory, number: int) -> list[bool]:
    """For each instruction in flight, whether no barrier, acquire or release delays it now."""
    ordering = Ordering(shared, state, memory, number, owed=False)
    return [ordering.is_ordered(i, fault=True) for i in range(len(ordering.code))]


def awaiting_translation(shared: Shared, state: CpuState, memory: Memory, number: int) -> list[int]:
    """Pages of the accesses in flight that are not translated yet."""
    ordering = Ordering(shared, state, memory, number, owed=False)
    return [
        shared.geometry.page(instruction.address)
        for i, instruction in enumerate(ordering.code)
        if instruction.rule.access
        and instruction.addressed
        and not (ordering.is_translated(i) or ordering.window[i].over)
    ]
