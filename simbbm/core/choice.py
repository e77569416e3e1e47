"""Where undecided things are decided: choosers, hash tapes and the polite default.

Choices come from a hash tape, never from `random`: CPython promises stability for none of the
methods one would use, and a tape is the same on every Python.
"""

from __future__ import annotations

from hashlib import blake2b, shake_128
from struct import unpack
from typing import Any, Protocol

from simbbm.core.graph import Node

_BLOCK = 256


class Chooser(Protocol):
    """Decides one run: which of a node's moves is next."""

    def choose(self, node: Node[Any]) -> int:
        """Return an index into `node.moves`, which is not empty."""


def run_seed(campaign_seed: int, number: int) -> bytes:
    """Return the seed of a campaign's run: who runs it, when and beside what changes nothing."""
    return blake2b(b"%d/%d" % (campaign_seed, number), digest_size=16).digest()


class Tape:
    """An endless sequence of 16-bit numbers made from a seed."""

    __slots__ = ("_block", "_numbers", "_position", "_seed")

    def __init__(self, seed: bytes) -> None:
        self._seed = seed
        self._block = 0
        self._position = 0
        self._numbers: tuple[int, ...] = ()

    def below(self, n: int) -> int:
        """Return a number in range(n); n is at most 65,536, the bias at most n / 65,536."""
        if self._position == len(self._numbers):
            stream = shake_128(self._seed + self._block.to_bytes(4, "little"))
            self._numbers = unpack(f"<{_BLOCK}H", stream.digest(2 * _BLOCK))
            self._block += 1
            self._position = 0
        number = self._numbers[self._position]
        self._position += 1
        return number * n >> 16


class Polite:
    """The default schedule: hardware does everything at once and nothing optional happens.

    Obligatory hardware goes first, in canonical order; then the CPU that moved last goes on, and
    when it waits the lowest one. Witnesses record only where they differ from this.
    """

    __slots__ = ("_cpu",)

    def __init__(self) -> None:
        self._cpu = 0

    def choose(self, node: Node[Any]) -> int:
        """Return the polite choice."""
        return self.observe(node, self.default(node))

    def default(self, node: Node[Any]) -> int:
        """Return the polite choice without taking it."""
        best, best_rank = 0, (9, 0)
        for k, move in enumerate(node.moves):
            if move.optional:
                rank = (3, k)
            elif move.agent[:3] != "cpu" or "." in move.agent:
                rank = (0, k)
            else:
                rank = (1 if move.cpu == self._cpu else 2, k)
            if rank < best_rank:
                best, best_rank = k, rank
        return best

    def observe(self, node: Node[Any], k: int) -> int:
        """Note that move `k` is taken, by whoever decided it; return `k`."""
        if node.moves[k].agent == f"cpu{node.moves[k].cpu}":
            self._cpu = node.moves[k].cpu
        return k
