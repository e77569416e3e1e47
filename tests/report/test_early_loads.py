"""A load that overtook others is shown with what it got, and says so."""

from __future__ import annotations

from typing import Any

from simbbm.arm64.descriptor import leaf
from simbbm.arm64.features import DELAYED
from simbbm.arm64.ops import Cpu
from simbbm.core.graph import Graph
from simbbm.core.program import routine
from simbbm.explore.replay import ReplayStep
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
    return int(await cpu.ldr(FLAG))


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
            if ".ldr" in move.label:
                told = event(system.shared, ReplayStep(0, node, k, after))
                shown.add((told.text.rpartition(" -> ")[2], told.notes))
    return shown


def test_an_early_value_is_shown_and_noted() -> None:
    expected = {(value, ()) for value in "012"} | {(value, ("read early",)) for value in "01"}

    assert expected == loads(read_and_keep)
    assert expected == loads(read_and_forget)
