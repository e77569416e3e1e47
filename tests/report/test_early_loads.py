"""A load that overtook others is shown with what it got, and says so."""

from __future__ import annotations

from typing import Any

from simbbm.arm64.features import DELAYED
from simbbm.arm64.ops import Cpu
from simbbm.arm64.translation.descriptor import leaf
from simbbm.core.graph import Graph
from simbbm.core.programs.program import routine
from simbbm.explore.runs.play import RunStep
from simbbm.report.trace import event
from tests.support import FLAG, INV, OTHER, ROOT, machine


async def write(cpu: Cpu) -> None:
    """Overwrite the word."""
    await cpu.str(FLAG, 1)
    await cpu.str(FLAG, 2)


@routine
async def forget(cpu: Cpu) -> None:
    """Return, and with it what was loaded is gone."""
    await cpu.ldr(FLAG)


async def read_and_forget(cpu: Cpu) -> None:
    """Go on in the same way whatever the load returns."""
    await cpu.nop()
    await forget(cpu)


async def read_and_keep(cpu: Cpu) -> int:
    """Return what the load returns."""
    await cpu.nop()
    return await cpu.ldr(FLAG)  # type: ignore[no-any-return]


def loads(reader: Any) -> set[tuple[str, tuple[str, ...]]]:
    """Text and notes of every load that the reader can perform."""
    tables = {ROOT: (INV, leaf(4), INV, INV), OTHER: (INV,) * 4}
    system = machine((write,), (reader,), tables=tables, hardware=DELAYED._replace(window=4))
    graph = Graph(system)
    met, shown = [graph.initial], set()
    for node in met:
        for k, move in enumerate(node.moves):
            after = graph.follow(node, k)
            if after not in met:
                met.append(after)
            if move.label.endswith(".ldr reads"):
                told = event(system.shared, RunStep(0, node, k, after))
                shown.add((told.text.rpartition(" -> ")[2], told.notes))
    return shown


def test_a_load_that_goes_ahead_says_so() -> None:
    later = {(value, ()) for value in "012"}

    for reader in (read_and_keep, read_and_forget):
        ahead = {(value, (f"ahead of {reader.__name__}.nop",)) for value in "012"}
        assert later | ahead == loads(reader)
