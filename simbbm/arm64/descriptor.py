"""Descriptors: what a word of a translation table says.

A descriptor of stage 2 is one of the same kind: what it permits besides writing is not looked at.

Simplified: attributes are the ones that break-before-make and Linux's linear map speak of. The nT
bit, hierarchical permissions and the shareability of walks are not modelled (each would add
behaviours).
"""

from __future__ import annotations

from typing import Any, NamedTuple

TABLE, LEAF, INVALID = "table", "leaf", "invalid"
"""Kinds of descriptors (`Descriptor.kind`)."""


class Attributes(NamedTuple):
    """What a leaf says about its memory besides where it is."""

    memory: str = "normal"
    write: bool = True
    user: bool = False
    user_write: bool = False
    execute: bool = False
    dirty_modifier: bool = False
    """DBM: hardware that manages the dirty state may make it writable (FEAT_HAFDBS)."""
    stage2_write: bool = True
    """Of an entry that combines both stages: stage 2 lets it be written."""

    def recorded(self) -> tuple[Any, ...]:
        """What digests are made of (`core.values.encode`)."""
        if not self.stage2_write:
            return self
        return self[: 6 if self.dirty_modifier else 5]

    @property
    def text(self) -> str:
        """What differs from kernel data, in a few characters."""
        flags = {
            self.memory: self.memory != "normal",
            "ro": not self.write,
            "x": self.execute,
            "user": self.user,
            "user-write": self.user_write,
            "dbm": self.dirty_modifier,
            "stage2-ro": not self.stage2_write,
        }
        return ",".join(name for name, is_set in flags.items() if is_set)


class Descriptor(NamedTuple):
    """One descriptor. `output` is a table's word address or a leaf's first output page.

    An invalid descriptor may keep an output and software bits; hardware ignores both.
    """

    kind: str = INVALID
    output: int = 0
    attributes: Attributes = Attributes()
    contiguous: bool = False
    not_global: bool = False
    access_flag: bool = True
    software: int = 0

    @property
    def valid(self) -> bool:
        """Bit 0: a table, block or page descriptor."""
        return self.kind != INVALID

    @property
    def cacheable(self) -> bool:
        """Whether a TLB may hold it: entries that fault when walked are never cached (R1)."""
        return self.kind == TABLE or (self.kind == LEAF and self.access_flag)

    def __str__(self) -> str:
        if self.kind == INVALID:
            return "INV" if not (self.output or self.software) else f"INV({self.output:#x})"
        if self.kind == TABLE:
            return f"table({self.output:#x})"
        flags = [] if self.attributes.write else ["ro"]
        flags += ["cont"] if self.contiguous else []
        flags += ["nG"] if self.not_global else []
        flags += [] if self.access_flag else ["af=0"]
        flags += [] if self.attributes.memory == "normal" else [self.attributes.memory]
        return f"leaf({', '.join([hex(self.output), *flags])})"


INVALID_DESCRIPTOR = Descriptor()
"""Bit 0 is clear, and so is everything else."""
RW = Attributes()
"""Kernel data."""
RO = Attributes(write=False)
"""Kernel data that may not be written."""
ROX = Attributes(write=False, execute=True)
"""Kernel text."""


def table(address: int) -> Descriptor:
    """A table descriptor that points to the table at `address`, counted in words."""
    return Descriptor(TABLE, address)


def leaf(
    page: int,
    attributes: Attributes = RW,
    *,
    contiguous: bool = False,
    not_global: bool = False,
    access_flag: bool = True,
) -> Descriptor:
    """A block or page descriptor (which of the two, its level says) that maps to `page`.

    `page` is the number of the first output page, `attributes` its memory type and permissions;
    `contiguous` is the contiguous hint, `not_global` nG, `access_flag` AF: what is mapped without
    it faults, and no TLB holds it. Nothing is checked: tables may say what they like.
    """
    return Descriptor(LEAF, page, attributes, contiguous, not_global, access_flag)


def leaves(first: Descriptor, stride: int, count: int) -> tuple[Descriptor, ...]:
    """Leaves like the first one, whose outputs are `stride` pages apart."""
    return tuple(first._replace(output=first.output + i * stride) for i in range(count))
