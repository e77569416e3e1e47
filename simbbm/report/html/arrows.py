"""From which earlier step something came that a later one reads, completes or lets act."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from simbbm.arm64.agents import ACTS, COMPLETES
from simbbm.arm64.context import Shared
from simbbm.core.system import STEP
from simbbm.explore.runs.play import RunStep

READS, DRAINS, DELIVERS = "reads", "drains", "delivers"
"""A load reads what the earlier step wrote; the earlier store reaches memory; the earlier TLBI acts
on a CPU, or one that has acted completes there."""


class Arrow(NamedTuple):
    """From a step to a later one."""

    later: int
    earlier: int
    how: str


def arrows(
    shared: Shared, steps: Sequence[RunStep], sources: Mapping[int, tuple[int, ...]]
) -> tuple[Arrow, ...]:
    """All arrows of a run; `sources`: for loads and drains, the earlier steps."""
    found = [*_deliveries(shared, steps)]
    for step in steps:
        how = READS if step.move.kind == STEP else DRAINS
        found += (Arrow(step.step, earlier, how) for earlier in sources.get(step.step, ()))
    return tuple(sorted(found))


def _deliveries(shared: Shared, steps: Sequence[RunStep]) -> Iterator[Arrow]:
    """Where TLBIs go. Of several that are alike the one that was issued first acts first."""
    waiting: dict[tuple[int, int, str, str], deque[int]] = defaultdict(deque)
    for step in steps:
        move = step.move
        if move.kind in (ACTS, COMPLETES):
            issued = waiting[move.cpu, move.issuer, move.what, move.kind]
            if issued:
                yield Arrow(step.step, issued.popleft(), DELIVERS)
        for cpu, (before, after) in enumerate(
            zip(step.before.state.cpus, step.after.state.cpus, strict=True)
        ):
            if before.pending_tlbis is after.pending_tlbis:
                continue
            for pending in dict.fromkeys(after.pending_tlbis):
                more = after.pending_tlbis.count(pending) - before.pending_tlbis.count(pending)
                what, kind = shared.tlbi_name(pending.tlbi), COMPLETES if pending.acted else ACTS
                waiting[cpu, pending.issuer, what, kind].extend([step.step] * more)
