"""A command line in a directory of its own, and a witness to spoil."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.commandline import Cli
from tests.cli.conftest import mine, simbbm  # fixtures

__all__ = ["mine", "simbbm"]

RECORDED = Path(__file__).parent.parent / "explore" / "corpus" / "bbm_minimal.live_change.json"


@pytest.fixture
def witness() -> dict[str, Any]:
    """A witness, as JSON."""
    found: dict[str, Any] = json.loads(RECORDED.read_text())
    return found


@pytest.fixture
def spoil(simbbm: Cli, witness: dict[str, Any]) -> Any:
    """Write a witness with other fields; return its file."""

    def write(**changes: Any) -> Path:
        path = Path("spoilt.json")
        path.write_text(json.dumps(witness | changes))
        return path

    return write
