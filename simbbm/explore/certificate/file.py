"""What certificates consist of, in a file: an inductive invariant, by content.

One of *states* lists every state of a machine of so many CPUs, and how it is got at. One of *views*
is for every number of CPUs. A shared state is what all CPUs share, a local one a CPU that is not
the boot CPU, each with its history (`counted`): both are written as digests. How to get at such a
state is told by the configuration from which a step leads to it. A view is a shared state and k
local ones.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec

from simbbm.core.errors import UsageError
from simbbm.host import reading

T = TypeVar("T")

VERSION = 3
BEGINS = b"simbbm certificate\n"
BYTES_MAX = 64 << 20
"""Of what a certificate unpacks to; packed it is no larger than any file that is read."""

Index = Annotated[int, msgspec.Meta(ge=0, lt=1 << 24)]
Digest = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")]
Configuration = tuple[Index, ...]
"""A shared state and local ones, by their places in the lists."""


class Part(msgspec.Struct, frozen=True, array_like=True):
    """A shared or local state, and a configuration from which a step leads to it."""

    digest: Digest
    origin: Configuration
    """Empty: it is part of the initial state."""


class Level(msgspec.Struct, frozen=True, array_like=True):
    """Ranks that no step makes larger (`ending`)."""

    shared: list[Index]
    """By the place of the shared state."""
    locals: list[tuple[Index, Index, Index]]
    """The rank of the shared state, the place of the local one, its rank there; others have 0."""


class _Of(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="of"):
    """What every certificate says."""

    version: int
    simbbm: str
    """The version of simbbm that made it."""
    scenario: str
    params: dict[str, Any]


class State(msgspec.Struct, frozen=True, array_like=True):
    """A state, and how it is got at."""

    digest: Digest
    before: Index
    """The place of an earlier state; of the first, which is the initial one, 0."""
    move: Index
    """Which of its moves leads here."""


class States(_Of, tag="states", frozen=True, kw_only=True):
    """Every state of one scenario with its parameters, `cpus` among them."""

    states: list[State]


class Certificate(_Of, tag="views", frozen=True, kw_only=True):
    """An inductive invariant of one scenario, for every number of CPUs."""

    k: Annotated[int, msgspec.Meta(ge=2, le=8)]
    targets: dict[str, list[tuple[int, int]]]
    """What counters are compared with: a and b of a + b N."""
    readings: dict[str, list[str]]
    """Steps that read a counter, and those with whose readings they are compared."""
    shared: list[Part]
    locals: list[Part]
    met: list[tuple[bool, Index]]
    """The order in which the states can be got at: whether it is a shared one, and which."""
    views: list[Configuration]
    levels: list[Level] | None
    """Why every run ends; None: that is not certified."""
    orders: list[tuple[Index, bool]] | None
    """Shared states in which one move of the boot CPU is taken alone (`orders`), with whether
    others have not completed TLBIs of it. None: no order is taken for another, nor are several
    TLBIs on a CPU that holds nothing taken for one."""


Either = Certificate | States


def pack(certificate: Either) -> bytes:
    """The same bytes for the same certificate."""
    return BEGINS + zlib.compress(msgspec.json.encode(certificate, order="deterministic"), 9)


def read(path: Path) -> Either:
    """Read a certificate; UsageError, with the reason, if it is none."""
    hint = "--certificate FILE of simbbm prove, or of simbbm explore, writes one"
    packed = reading.content(path)
    if not packed.startswith(BEGINS):
        raise UsageError(f"{path}: no certificate of simbbm", hint)
    unpacker = zlib.decompressobj()
    try:
        content = unpacker.decompress(packed[len(BEGINS) :], BYTES_MAX)
    except zlib.error as error:
        raise UsageError(f"{path}: damaged: {error}", hint) from None
    if not unpacker.eof or unpacker.unused_data:
        raise UsageError(f"{path}: cut off, too large, or followed by something", hint)
    version = _decoded(path, content, _Version, hint).version
    if version != VERSION:
        raise UsageError(f"{path}: certificate of version {version}", f"this reads {VERSION}")
    return _decoded(path, content, Either, hint)  # type: ignore[arg-type]


def _decoded(path: Path, content: bytes, kind: type[T], hint: str) -> T:
    try:
        return reading.json(content, kind)
    except UsageError as error:
        raise UsageError(f"{path}: no certificate of simbbm: {error.message}", hint) from None


class _Version(msgspec.Struct):
    version: int
