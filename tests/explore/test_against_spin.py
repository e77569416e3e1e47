"""A machine of ours, written once more in Promela: Spin has as many states, and as many moves."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.bench_spin import counts, missing, pan

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())


@pytest.mark.parametrize(("name", "cpus"), [("good", 4), ("no_dsb_after_tlbi", 3)], ids=str)
def test_states_and_transitions_are_spins(name: str, cpus: int, tmp_path: Path) -> None:
    """Of the protocol and of its mutant; tests/bench/bench_spin.py compares more sizes."""
    assert counts(name, cpus) == pan(name, cpus, str(tmp_path))
