"""Choosers, which decide the next move of a run; hash tapes to draw from; the default schedule.

Choices come from a hash tape, never from `random`: CPython promises stability for none of the
methods one would use, and a tape is the same on every Python.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b, shake_128
from itertools import chain, count
from struct import unpack, unpack_from
from typing import Any, Protocol

from simbbm.core.graph import Node
from simbbm.core.system import LAST_RESORT, STEP, Move

_BLOCK, _SHORT = 256, 64


class Chooser(Protocol):
    """Decides one run: picks the next move of each node."""

    def choose(self, node: Node[Any]) -> int:
        """Return an index into `node.moves`, which is not empty."""


def run_seed(campaign_seed: int, number: int) -> bytes:
    """Return the seed of a campaign's run: no worker, and no other run, has a part in it."""
    return blake2b(b"%d/%d" % (campaign_seed, number), digest_size=16).digest()


class Tape:
    """An endless sequence of 16-bit `numbers` made from a seed."""

    __slots__ = ("numbers",)

    def __init__(self, seed: bytes) -> None:
        # Drawn in C, for inner loops: they multiply and shift the next number, as `below` does.
        self.numbers: Iterator[int] = chain.from_iterable(_blocks(seed))

    def below(self, n: int) -> int:
        """Return a number in range(n); n is at most 65,536, the bias at most n / 65,536."""
        return next(self.numbers) * n >> 16


def _blocks(seed: bytes) -> Iterator[tuple[int, ...]]:
    """The tape block by block; the first in two parts, since most runs are short."""
    for block in count():
        stream = shake_128(seed + block.to_bytes(4, "little"))
        if block:
            yield unpack(f"<{_BLOCK}H", stream.digest(2 * _BLOCK))
        else:
            yield unpack(f"<{_SHORT}H", stream.digest(2 * _SHORT))
            yield unpack_from(f"<{_BLOCK - _SHORT}H", stream.digest(2 * _BLOCK), 2 * _SHORT)


class Polite:
    """The default schedule: hardware acts at once, and nothing optional happens.

    Obligatory hardware goes first, in canonical order; then the program of the CPU that moved last,
    and when that waits, of the lowest-numbered CPU that can move. The event stream comes when
    nothing else can move. Witnesses record only where they differ from this.
    """

    __slots__ = ("cpu",)

    def __init__(self, cpu: int = 0) -> None:
        self.cpu = cpu
        """Number of the CPU that moved last."""

    def choose(self, node: Node[Any]) -> int:
        """Return the polite choice."""
        return self.observe(node, self.default(node))

    def default(self, node: Node[Any]) -> int:
        """Return the polite choice without taking it."""
        return default_move(node.moves, self.cpu)

    def observe(self, node: Node[Any], k: int) -> int:
        """Record that move `k` is taken, whichever chooser decided it; return `k`."""
        if node.moves[k].kind == STEP:
            self.cpu = node.moves[k].cpu
        return k


def default_move(moves: Iterable[Move], cpu: int) -> int:
    """The index of the polite choice among some moves; `cpu` is the CPU that moved last."""
    best, best_rank = 0, (9, 0)
    for k, move in enumerate(moves):
        if move.optional:
            rank = (4, k)
        elif move.kind == LAST_RESORT:
            rank = (3, k)
        elif move.kind != STEP:
            rank = (0, k)
        else:
            rank = (1 if move.cpu == cpu else 2, k)
        if rank < best_rank:
            best, best_rank = k, rank
    return best
