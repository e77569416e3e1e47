"""Rows of the tables: a core, a list of CPUs, a series of kernels, a SoC.

Each says where it is from, and how sure that is. What is None is not known.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

import msgspec

Truth = bool | None
"""Yes, no, or not known."""
Confidence = Literal["decoded", "verified", "said", "inferred", "unknown"]
"""How sure something is: read from a shipped kernel's image; read in source, register or thread;
read in somebody's account of it; concluded, and not tried; not known at all."""
SUREST: tuple[Confidence, ...] = ("decoded", "verified", "said", "inferred", "unknown")


def weakest(given: Iterable[Confidence]) -> Confidence:
    """How sure something is that rests on all of these."""
    return max(given, key=SUREST.index, default="unknown")


class _Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every row says of itself."""

    confidence: Confidence
    source: str


class Erratum(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An erratum of a core that matters to a split."""

    number: int
    fixed: str | None = None
    """The first revision without it; None: no such is known."""


class Core(_Row, frozen=True, kw_only=True):
    """A core, by its fields of MIDR_EL1."""

    name: str
    implementer: int
    part: int
    bbm: int | None = None
    """ID_AA64MMFR2_EL1.BBM as it was read."""
    bbm_below: int | None = None
    """Where it was not read: what it must be less than."""
    errata: tuple[Erratum, ...] = ()

    @property
    def model(self) -> tuple[int, int]:
        """Implementer and part number."""
        return self.implementer, self.part


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An entry of a list: a core, and from which revision on."""

    core: str
    first: str | None = msgspec.field(default=None, name="from")
    erratum: int | None = None
    """For which earlier revisions are left out."""


class Listing(_Row, frozen=True, kw_only=True):
    """A list of CPUs, as kernels have it for a while."""

    name: str
    entries: tuple[Entry, ...]


class KernelRow(_Row, frozen=True, kw_only=True):
    """A series of kernels; fields as at the head of `tables/kernels.toml`."""

    version: str
    list: str | None = None
    field: int | None = None
    repaints: bool
    capability: str | None = None
    late: Literal["refused"] | None = None
    rodata: dict[str, bool]
    decoded: str | None = None


class SocCore(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A kind of core of a SoC; what is None is not known."""

    core: str
    revision: str | None = None
    count: Annotated[int, msgspec.Meta(ge=1)] | None = None


class Soc(_Row, frozen=True, kw_only=True):
    """A SoC; fields as at the head of `tables/socs.toml`."""

    id: str
    name: str
    products: tuple[str, ...] = ()
    cores: Annotated[tuple[SocCore, ...], msgspec.Meta(min_length=1)]
    complete: bool = True
    boots: str | None = None
    memory: str | None = None
