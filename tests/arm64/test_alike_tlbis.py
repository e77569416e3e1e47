"""TLBIs that nobody waits for: whoever issues them for ever does not fill machines without end."""

from __future__ import annotations

from typing import Any

import pytest

from simbbm.arm64 import agents
from simbbm.arm64.descriptor import leaf
from simbbm.arm64.features import CONCRETE, DELAYED, Features, Hardware
from simbbm.arm64.ops import Aborted, Cpu
from tests.support import INV, NEW, OLD, PX, WORDS, X, explore, little

AFFECTED = Features(errata=("4118414",))


async def flushes_and_retries(cpu: Cpu, _aborted: Aborted) -> None:
    """A handler for spurious faults that forgets the DSB."""
    await cpu.tlbi("vmalle1")
    await cpu.eret(retry=True)


async def tells_all_and_retries(cpu: Cpu, _aborted: Aborted) -> None:
    """Likewise, on all CPUs."""
    await cpu.tlbi("vmalle1is")
    await cpu.eret(retry=True)


@pytest.mark.parametrize("handler", [flushes_and_retries, tells_all_and_retries])
@pytest.mark.parametrize("features", [Features(), AFFECTED], ids=["", "erratum"])
def test_a_handler_that_waits_for_nothing_has_an_end(handler: Any, features: Features) -> None:
    maps, reads = (("str", PX, leaf(OLD)),), (("ldr", X),)
    found = explore(little(maps, reads, x=INV, handler=handler, features=features), limit=20_000)

    assert {((), (OLD,))} == found.outcomes
    assert not found.stuck


ALIKE = (("tlbi", "vmalle1is"),) * 4
"""More than wait at a time."""
READS_TWICE, STORES = (("ldr", X), ("ldr", X)), (("str", X, 7), ("ldr", X))


@pytest.mark.parametrize("machine", [DELAYED, CONCRETE], ids=["closure", "concrete"])
@pytest.mark.parametrize("features", [Features(), AFFECTED], ids=["", "erratum"])
@pytest.mark.parametrize("other", [READS_TWICE, STORES], ids=["reads", "stores"])
@pytest.mark.parametrize("waits", [(), (("dsb", "ish"),)], ids=["", "waits"])
def test_a_third_one_changes_nothing(
    machine: Hardware, features: Features, other: Any, waits: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compared with a machine on which all of them wait."""

    def ends(alike: int) -> set[tuple[Any, ...]]:
        monkeypatch.setattr(agents, "ALIKE", alike)
        changes = (("str", PX, leaf(NEW)), ("dsb", "ish"), *ALIKE, *waits, ("ldr", X))
        system = little(changes, other, x=leaf(OLD), hardware=machine, features=features)
        read = system.shared.memories.read
        return {
            (*(cpu.point.value for cpu in state.cpus), read(state.memory, OLD * WORDS))
            for state in explore(system).ended
        }

    assert ends(2) == ends(len(ALIKE))
