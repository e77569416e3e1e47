"""Records of a run's steps, for output only: the machine never reads them.

Traces are made on replay. The hot loop keeps labels and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import NamedTuple

HARDWARE = "~"
"""Begins the text of what hardware does by itself."""


class TraceEvent(NamedTuple):
    """One step of a run, ready to be shown."""

    step: int
    cpu: int
    agent: str
    label: str
    text: str
    """The instruction: mnemonic, operands by name, the value observed."""
    function: str
    notes: tuple[str, ...] = ()
    """What changed because of it: cached entries gained or lost, a fault taken."""

    @property
    def is_hardware(self) -> bool:
        """Whether hardware does it by itself."""
        return self.text.startswith(HARDWARE)

    @property
    def told(self) -> str:
        """The text with what changed because of it."""
        return self.text + "".join(f" [{note}]" for note in self.notes)


def trace_digest(labels: Iterable[str]) -> str:
    """Return 32 hexadecimal digits that identify the sequence of moves of a run."""
    return blake2b("\n".join(labels).encode(), digest_size=16).hexdigest()
