"""Programs that change text, held against brute force: whole, and with steps missing."""

from __future__ import annotations

from itertools import combinations

import pytest

from simbbm.hypothesis.systems import Member, System
from tests.differential.compare import compare

PATCH = (("str", "y", 1), ("ic", "ialluis"), ("dsb", "ish"), ("isb",), ("str", "flag", 1))
FETCH, AWAIT = ("fetch", "y"), ("await", "flag", 1)
OTHERS = {
    "waits": (AWAIT, ("isb",), FETCH),
    "without an isb": (AWAIT, FETCH),
    "twice": (FETCH, ("isb",), FETCH),
}


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("missing", [0, pytest.param(1, marks=pytest.mark.quality)])
def test_searches_agree_on_text_that_changes(other: str, missing: int) -> None:
    """An IC that acts before the store that it is for leaves more than one that acts after it."""
    for left in combinations(PATCH, len(PATCH) - missing):
        members = (Member(0), Member(1))
        system = System(((*left, FETCH), OTHERS[other]), members, entries=(("pte y", "text"),))
        assert compare(system.scenario()).states
