"""Rows for tests: the files of the project, where the published file is, and rows made up here."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from simbbm.litmus.notation.reader import Line, LitmusTest, read_line

HERE = Path(__file__).parent
OWN = sorted((HERE / "own").glob("*.jsonl"))
VARIABLE = "SIMBBM_LITMUS"


def published() -> Path:
    """The published rows. They stay outside of the repository."""
    beside = HERE.parents[2] / "shared" / "litmus" / "vmsa.jsonl"
    return Path(os.environ.get(VARIABLE, beside))


def row(*threads: list[str], condition: str = "0:r1=0", **more: Any) -> dict[str, Any]:
    """A row; what is not `map`, `mem`, ... of `init` is a field of its own."""
    inside = ("map", "mem", "regs", "el", "ttbr0", "on_fault", "cpus")
    init = {"map": {"x": "leaf(pa1)"}} | {k: more.pop(k) for k in inside if k in more}
    return {"name": "t", "threads": [*threads], "init": init, "condition": condition} | more


def line(*threads: list[str], **more: Any) -> Line:
    """A row, read."""
    return read_line("rows.jsonl", 7, json.dumps(row(*threads, **more)))


def made(*threads: list[str], **more: Any) -> LitmusTest:
    """A row that has to be a test."""
    read = line(*threads, **more)
    assert isinstance(read.test, LitmusTest), read.error
    return read.test


def refusal(*threads: list[str], **more: Any) -> str:
    """What is said of a row that is none."""
    read = line(*threads, **more)
    assert read.test is None
    assert read.error is not None
    return str(read.error)
