"""How many there are of something, in words: 1 test, 2 tests, 1,200 states."""

from __future__ import annotations


def amount(number: int, what: str) -> str:
    """The number with what it counts, which is given in the singular."""
    if number == 1:
        return f"1 {what}"
    return f"{number:,} {what}{'es' if what.endswith('s') else 's'}"
