"""Timed runs of the split: the kernel's protocol and the machine's own moves on SimPy's clock.

A run is a schedule like any other: its moves can be played without the clock, and what they show is
judged as ever (`tests/field/test_cost_timed.py`). What is cut out of a run are the parts of the
window, by what the boot CPU is doing.

Simplified: TLBs hold what accesses have filled, and nothing is speculated; there are no interrupts
and no other work. All CPUs are alike but for what they do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

from simbbm import discovery
from simbbm.arm64.features import Hardware
from simbbm.core.engine import Moment, TimedEnvironment
from simbbm.core.errors import ModelError
from simbbm.core.graph import Ended
from simbbm.core.system import STEP, Move
from simbbm.field.cost.latencies import Latencies, Setting
from simbbm.model import Model

PARTS = ("rendezvous", "parking", "splitting", "flush", "release")
"""Of the window, in order. Rendezvous: stop_machine() is called, all CPUs come, and switch off
their interrupts. Parking: the secondaries leave the swapper tables and count themselves (S1 to S8).
Splitting: B3, by whoever splits. Flush: B4. Release: from B5 until stop_machine() returns."""
MOVES_MAX = 200_000
LAZY, AT_ONCE, REVISITED, TOGETHER = "lazy", "at-once", "revisited", "together"
PROTOCOLS = {
    LAZY: "linear_map_split::good",
    AT_ONCE: "history::v6_18_rc_barriers_at_once",
    REVISITED: "history::v6_visits_new_ptes",
    TOGETHER: "parallel_split::good",
}
"""Scenarios, by what is different: nothing, barriers behind every entry (v6.18-rc), new PTEs that
are visited (v6 of the series), several CPUs that split."""


class TimedRun(NamedTuple):
    """A timed run."""

    moments: tuple[Moment, ...]
    complete: bool

    def parts(self) -> dict[str, int]:
        """How long each part of the window took, in picoseconds; their sum is the window."""
        found = dict.fromkeys(PARTS, 0)
        part, since = "", 0
        for moment in self.moments:
            label = _where(moment)
            if "linear_map_maybe_split_to_ptes" in label:
                part = _part(label, part)
                found[part] += moment.time - since
            if label:
                since = moment.time
        return found

    def marks(self, step: str) -> list[int]:
        """When the boot CPU took this step, each time."""
        return [m.time for m in self.moments if m.move.cpu == 0 and step_of(m.move) == step]


def step_of(move: Move) -> str:
    """The routine and operation of a program's step, whichever time it is; else empty."""
    if move.kind != STEP:
        return ""
    routine, _, operation = move.what.rpartition("/")[2].partition(".")
    return f"{routine.partition('#')[0]}.{operation.partition('#')[0]}"


def _where(moment: Moment) -> str:
    """The full label of a step of the boot CPU's program; empty for all else."""
    move = moment.move
    if move.cpu != 0 or move.kind != STEP:
        return ""
    label: str = moment.before.state.cpus[0].point.full_label
    return label


def _part(label: str, before: str) -> str:
    """Which part of the window a step of the boot CPU belongs to; `before` is that of the last."""
    if "/range_split_to_ptes" in label:
        return "splitting"
    if "/flush_tlb_kernel_range" in label:
        return "flush"
    if "/linear_map_split_to_ptes" in label:
        return {"rendezvous": "parking", "parking": "parking", "splitting": "splitting"}.get(
            before, "release"
        )
    return "rendezvous" if before in ("", "rendezvous") else "release"


def timed_run(
    model: Model,
    costs: Mapping[str, int],
    setting: Setting,
    *,
    jitter: float = 0.0,
    seed: bytes = b"",
    until: Callable[[Move], bool] | None = None,
) -> TimedRun:
    """Run the protocol once, up to its end or to a move; ModelError if it fails."""
    environment = TimedEnvironment(model.graph, Latencies(costs, setting, jitter, seed))
    environment.play(MOVES_MAX, until)
    if environment.node.ended not in (None, Ended.HOLDS):
        raise ModelError(f"a timed run of {model.scenario.id} ends {environment.node.ended}")
    return TimedRun(tuple(environment.moments), environment.node.ended is Ended.HOLDS)


def on_a_clock(hardware: Hardware) -> Hardware:
    """Hardware whose moves all have a latency: nothing speculative, nothing early."""
    return hardware._replace(closure=False, speculation=False, early=False, evictions=0)


@cache
def timed_model(protocol: str, cpus: int, layout: str, geometry: str) -> Model:
    """The model of such a run. Nothing is judged in it: what it shows was proved elsewhere."""
    return _on_a_clock(protocol, {"cpus": cpus, "layout": layout, "geometry": geometry})


@cache
def timed_together(cpus: int, splitters: int, geometry: str) -> Model:
    """The model of a run in which several CPUs split, a level 2 block each."""
    able = ",".join(map(str, range(splitters)))
    given = {"cpus": cpus, "splitters": splitters, "geometry": geometry, "noabort": able}
    return _on_a_clock(TOGETHER, given)


def _on_a_clock(protocol: str, params: dict[str, Any]) -> Model:
    model = Model(discovery.find(PROTOCOLS[protocol]), params)
    model.setup = replace(model.setup, properties=())
    return model.on(on_a_clock)
