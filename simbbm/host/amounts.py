"""How many there are of something, in words (1 test, 1,200 states), and how people write it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from simbbm.host.reading import DIGITS_MAX


def amount(number: int, what: str) -> str:
    """The number with what it counts, which is given in the singular."""
    if number == 1:
        return f"1 {what}"
    return f"{number:,} {what}{'es' if what.endswith('s') else 's'}"


class Unit(NamedTuple):
    """How a kind of quantity is written: a number, and perhaps a letter that multiplies it."""

    form: str
    """As a pattern: the number, then the letter."""
    letters: Mapping[str, int]
    told: str
    """What one might write."""

    def read(self, text: str) -> float | None:
        """Read a quantity, an int if it has no point; None if it is none. Zero is none."""
        match = re.fullmatch(self.form, text.lower().replace("_", ""), re.ASCII)
        if not match or len(match[1]) > DIGITS_MAX:
            return None
        number: float = float(match[1]) if "." in match[1] else int(match[1])
        return number * self.letters[match[2]] or None


COUNT = Unit(r"(\d+)([km]?)", {"": 1, "k": 1_000, "m": 1_000_000}, "a count: write 500, 10k or 2m")
SIZE = Unit(
    r"(\d+(?:\.\d+)?)([mg])(?:i?b)?",
    {"m": 2**20, "g": 2**30},
    "an amount of memory: write 500m or 2g",
)
DURATION = Unit(
    r"(\d+(?:\.\d+)?)([smh]?)",
    {"": 1, "s": 1, "m": 60, "h": 3600},
    "a duration: write 30s, 10m or 1h",
)
