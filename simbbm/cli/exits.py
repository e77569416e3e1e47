"""Exit codes, and which one wins when several apply."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum


class Exit(IntEnum):
    """What the process says when it ends."""

    EXPECTED = 0
    UNEXPECTED = 1
    USAGE = 2
    INCONCLUSIVE = 3
    DIVERGED = 4
    INTERNAL = 5
    INTERRUPTED = 130
    CLOSED_PIPE = 141
    """What a shell says of a program that SIGPIPE ended."""


PRECEDENCE = (
    Exit.INTERRUPTED,
    Exit.INTERNAL,
    Exit.USAGE,
    Exit.UNEXPECTED,
    Exit.DIVERGED,
    Exit.INCONCLUSIVE,
    Exit.EXPECTED,
)


def worst(codes: Iterable[Exit]) -> Exit:
    """Of several codes, the first of `PRECEDENCE` that applies; nothing at all is as expected."""
    return min(codes, key=PRECEDENCE.index, default=Exit.EXPECTED)
