"""A load that overtook others is shown with what it got, and says so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from simbbm.arm64.descriptor import leaf
from simbbm.arm64.features import DELAYED
from simbbm.arm64.ops import Cpu, depending
from simbbm.core.graph import Graph
from simbbm.core.program import routine
from simbbm.core.trace import TraceEvent
from simbbm.explore.runs.play import RunStep
from simbbm.report.trace import event
from tests.support import FLAG, FLAG2, INV, OTHER, ROOT, machine


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


async def follow_and_store(cpu: Cpu) -> None:
    """Addresses and values that are handed on before they are known."""
    value = await cpu.ldr(FLAG)
    await cpu.str(FLAG2, value)
    await cpu.ldr(value)
    await cpu.wait(value, is_odd, value)
    await cpu.ldr(depending(FLAG, value))


def is_odd(value: int, other: int) -> bool:
    return bool(value % 2) or bool(other)


def told(reader: Any) -> Iterator[tuple[str, TraceEvent]]:
    """Every step that can be taken: its label, and how it is shown."""
    tables = {ROOT: (INV, leaf(4), INV, INV), OTHER: (INV,) * 4}
    system = machine((write,), (reader,), tables=tables, hardware=DELAYED._replace(window=4))
    graph = Graph(system)
    met = [graph.initial]
    for node in met:
        for k, move in enumerate(node.moves):
            after = graph.follow(node, k)
            if after not in met:
                met.append(after)
            yield move.label, event(system.shared, RunStep(0, node, k, after))


def loads(reader: Any) -> set[tuple[str, tuple[str, ...]]]:
    """Text and notes of every load that the reader can perform."""
    reads = (shown for label, shown in told(reader) if label.endswith(".ldr reads"))
    return {(shown.text.rpartition(" -> ")[2], shown.notes) for shown in reads}


def test_what_is_not_known_yet_is_shown_as_that() -> None:
    texts = {shown.text for _, shown in told(follow_and_store)}

    assert {f"str page 0x5:1, {value}: translates to 0x5" for value in "?012"} <= texts
    assert {"ldr page 0x0:1", "wait page 0x0:1 is_odd(1)"} <= texts


def test_a_load_that_goes_ahead_says_so() -> None:
    later = {(value, ()) for value in "012"}

    for reader in (read_and_keep, read_and_forget):
        ahead = {(value, (f"ahead of {reader.__name__}.nop",)) for value in "012"}
        assert later | ahead == loads(reader)
