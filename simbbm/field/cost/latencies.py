"""How long each move of a timed run takes: a machine drawn from a cost model, and its cache lines.

What the run's machine keeps anyway decides most of it: whether an access needs a table walk (its
TLB has not got the translation yet), what a DSB waits for (stores that drain, TLBIs elsewhere),
whether a WFE has waited. What it does not keep is kept here: which CPU has which cache line. A line
that others write or read is handed on by one at a time: CPUs that count in one word queue for it.

Simplified: every word has a line of its own, so no line is shared by accident, as multi_stop_data's
two words of one line are (too short, by a transfer for each state). Caches are never full, and a
TLB never is (too short, by some misses). The caller's own stopper starts without a context switch
(too short, by about a microsecond). A single walk is as long as any other, at whatever level.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from simbbm.arm64.agents import ACTS, DRAIN
from simbbm.arm64.cpu import CpuState, Effect
from simbbm.arm64.footprints import Kind
from simbbm.core.choice import Tape
from simbbm.core.graph import Node
from simbbm.core.program import Op
from simbbm.core.system import STEP, Move

READS = ("ldr", "ldar", "ldapr", "ldxr", "ldaxr", "wait")
STORES = ("str", "stlr")
PLAIN = ("mrs", "br", "sevl", "daifset", "daifclr", "tlbi")
"""What takes the time of an instruction; a TLBI's effect is a move of its own."""
SLEEPS = ("wait_for_work.wait.acquire", "wait_for_completion.wait.acquire")
"""Waits of threads that sleep meanwhile, and are woken by an IPI."""


class Setting(NamedTuple):
    """What costs depend on besides the machine."""

    cpus: int
    page_kib: int
    preallocated: bool = False
    """Tables come from a list, filled before the window, and not from GFP_ATOMIC."""
    at_once: bool = False
    """A barrier behind every entry that is set, also in a table that is filled in one move."""


class Line:
    """A cache line: who has it, and when it is free to go on."""

    def __init__(self, holder: int) -> None:
        self.holders = {holder}
        self.free = 0


class Latencies:
    """The latency of every move of one run, in picoseconds."""

    def __init__(
        self, costs: Mapping[str, int], setting: Setting, jitter: float, seed: bytes
    ) -> None:
        self._costs = costs
        self._setting = setting
        self._spread = round(jitter * 65_536)
        self._numbers = Tape(seed).numbers
        self._lines: dict[int, Line] = {}

    def __call__(self, node: Node[Any], move: Move, now: int, waited: bool) -> int:  # noqa: FBT001
        """How long this move takes from now on."""
        time = self._of(node, move, now, waited=waited)
        if not self._spread:
            return time
        off = (2 * next(self._numbers) - 65_535) * self._spread // 65_535
        return time * (65_536 + off) >> 16

    def _of(self, node: Node[Any], move: Move, now: int, *, waited: bool) -> int:
        costs, effect = self._costs, move.effect
        assert isinstance(effect, Effect)
        if move.kind == DRAIN:
            assert effect.write
            return self._taken(move.cpu, effect.write[0], now)
        if move.kind == ACTS:
            return self._invalidation(move)
        if move.kind != STEP:
            return costs["msr"]
        state: CpuState = node.state.cpus[move.cpu]
        assert state.point.op
        time = self._step(state.point.op, move, effect, now, waited=waited)
        # The access has filled the TLB: there was a walk.
        return time + (costs["walk"] if effect.after.mmu.leaves != state.mmu.leaves else 0)

    def _step(self, op: Op, move: Move, effect: Effect, now: int, *, waited: bool) -> int:
        """A step of a program."""
        costs, head = self._costs, op.mnemonic.partition(".")[0]
        if head in READS:
            if waited and move.what.endswith(SLEEPS):
                return costs["stopper_wakeup"] + costs["line"]
            return self._read(move, now)
        if head in STORES:
            return (
                costs["queue_work"] if move.what.endswith("stop_machine.stlr") else costs["store"]
            )
        if effect.write:  # LDADDAL, a STXR that succeeds
            return self._taken(move.cpu, effect.write[0], now)
        if head == "fill":
            return self._filled(op.args[3])
        if head in PLAIN or head == "stxr":
            return costs["instruction"]
        if head == "wfe":
            return costs["wfe_wakeup" if waited else "instruction"]
        return costs[head] if head in ("dmb", "dsb", "isb", "msr") else 0

    def _invalidation(self, move: Move) -> int:
        """A TLBI acts on this CPU."""
        if not move.what.endswith("is"):
            return self._costs["tlbi_local"]
        more = self._setting.cpus - 1
        return self._costs["tlbi_broadcast"] + more * self._costs["tlbi_per_cpu"]

    def _filled(self, entries: int) -> int:
        """A table is allocated, cleared, and filled."""
        costs, setting = self._costs, self._setting
        fetched = costs["preallocation" if setting.preallocated else "allocation"]
        if not setting.preallocated:
            fetched += costs["clear"] * setting.page_kib
        entry = costs["fill_entry"]
        if setting.at_once:
            entry += costs["drain"] + costs["dsb"] + costs["isb"]
        return fetched + entries * entry

    def _read(self, move: Move, now: int) -> int:
        """A load, of a word that perhaps another CPU has written."""
        time = self._costs["load"]
        for kind, address in move.footprint.reads:
            if kind != Kind.WORD:
                continue
            line = self._lines.setdefault(address, Line(move.cpu))
            if move.cpu not in line.holders:
                start = max(now, line.free)
                line.free = start + self._costs["line_read"]
                line.holders.add(move.cpu)
                time += start - now + self._costs["line"]
        return time

    def _taken(self, cpu: int, address: int, now: int) -> int:
        """A CPU writes a word: it takes the line from all who have it."""
        line = self._lines.setdefault(address, Line(cpu))
        if line.holders == {cpu}:
            return self._costs["drain"]
        start = max(now, line.free)
        line.free = start + self._costs["line"]
        line.holders = {cpu}
        return start - now + self._costs["line"] + self._costs["drain"]
