"""Pages whose translation no listing can change: found from the code, before anything runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from simbbm.arm64.cpu import CpuSpec
from simbbm.arm64.descriptor import Descriptor
from simbbm.arm64.execution.instructions import LISTED, STORE
from simbbm.arm64.translation.walks import is_table

if TYPE_CHECKING:
    from simbbm.arm64.machine import MachineSpec


def constant_pages(spec: MachineSpec) -> tuple[frozenset[int], ...]:
    """Per CPU, the pages whose translation nothing in any listing can change.

    None if a CPU runs a program, which might store anywhere, stores where a register says, or
    writes a TTBR or TCR.
    """
    code = [
        instruction
        for cpu in spec.cpus
        for part in ((cpu.listing[:3]) if cpu.listing else ())
        for instruction in part or ()
    ]
    if not all(cpu.listing for cpu in spec.cpus) or any(i.op == "msr" for i in code):
        return tuple(frozenset[int]() for _ in spec.cpus)
    stores = [i for i in code if i.op in LISTED and STORE in LISTED[i.op].kinds]
    if any(i.place is None for i in stores):
        return tuple(frozenset[int]() for _ in spec.cpus)
    stored = {i.place.address for i in stores if i.place and i.place.physical}
    pages = {spec.geometry.page(i.place.address) for i in code if i.place and not i.place.physical}
    return tuple(
        frozenset(page for page in pages if _is_constant(spec, cpu, page, stored))
        for cpu in spec.cpus
    )


def _is_constant(spec: MachineSpec, cpu: CpuSpec, page: int, stored: set[int]) -> bool:
    """Whether no store changes what a walk for a page reads, and no walker (FEAT_HAFDBS)."""
    updated = any(other.features.updates_descriptors for other in spec.cpus)
    return not any(
        word in stored or (updated and _may_be_updated(descriptor))
        for word, descriptor in _walked(spec, cpu, page)
    )


def _may_be_updated(descriptor: Descriptor) -> bool:
    return not descriptor.access_flag or descriptor.attributes.dirty_modifier


def _walked(spec: MachineSpec, cpu: CpuSpec, page: int) -> Iterator[tuple[int, Descriptor]]:
    """Words that a walk of the initial tables reads, and what is there."""
    *_, context = cpu.regime.contexts()
    for root, first, bits in context.roots():
        if not 0 <= page - first < 1 << bits:
            continue
        baddr, level = root, spec.geometry.start_level(bits)
        while baddr in spec.tables:
            index = spec.geometry.index(page - first, level)
            descriptor = spec.tables[baddr][index]
            yield baddr + index, descriptor
            if not is_table(descriptor, level):
                break
            baddr, level = descriptor.output, level + 1
