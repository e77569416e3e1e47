"""A cost model: how long operations take, as ranges, read from TOML and drawn for runs.

Nobody knows the machine, so a range stands for each operation, with its source. A run draws one
machine: a value from each range. Over some runs the draws are a Latin hypercube (McKay, Beckman and
Conover, 1979): each operation's range is covered evenly, whichever seed it is. Half of the values
are below `typical`. Times are whole picoseconds, so that a clock adds them up exactly.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from simbbm.core.choice import Tape
from simbbm.core.errors import UsageError
from simbbm.host import reading
from simbbm.host.reading import nearest, quoted

PS = 1_000
"""Picoseconds in a nanosecond."""
NS_MAX = 1_000_000_000
"""The longest that an operation may take: a second."""
JITTER_MAX = 0.9
OPERATIONS = (
    "instruction",
    "load",
    "store",
    "fill_entry",
    "drain",
    "line",
    "line_read",
    "walk",
    "dmb",
    "dsb",
    "isb",
    "msr",
    "tlbi_local",
    "tlbi_broadcast",
    "tlbi_per_cpu",
    "wfe_wakeup",
    "queue_work",
    "stopper_wakeup",
    "allocation",
    "preallocation",
    "clear",
)
"""What a model has a range for; the shipped model says what each of them is."""
FIELDS = ("low", "typical", "high", "source")
SHIPPED = Path(__file__).parent / "models" / "arm64.toml"
HINT = "simbbm guide cost shows a model"
_HALF = 1 << 15


class Range(NamedTuple):
    """How long an operation may take, in picoseconds, and how that is known."""

    low: int
    typical: int
    high: int
    source: str

    def at(self, share: int) -> int:
        """The value below which `share` of 65,536 machines are."""
        if share < _HALF:
            return self.low + (self.typical - self.low) * share // _HALF
        return self.typical + (self.high - self.typical) * (share - _HALF) // _HALF


class CostModel(NamedTuple):
    """Ranges by the name of the operation."""

    name: str
    jitter: float
    """By how much of its time a single operation is off, at most."""
    ranges: Mapping[str, Range]

    def drawn(self, seed: int, runs: int) -> list[dict[str, int]]:
        """For each run a machine: picoseconds by operation."""
        found: list[dict[str, int]] = [{} for _ in range(runs)]
        for name, values in self.ranges.items():
            tape = Tape(f"{seed}/{name}".encode())
            order = list(range(runs))
            for left in range(runs - 1, 0, -1):
                other = tape.below(left + 1)
                order[left], order[other] = order[other], order[left]
            for machine, place in zip(found, order, strict=True):
                share = ((place << 16) + next(tape.numbers)) // runs
                machine[name] = values.at(share)
        return found

    def typical(self) -> dict[str, int]:
        """The machine in the middle."""
        return {name: values.typical for name, values in self.ranges.items()}


def read_model(path: Path | None = None) -> CostModel:
    """Read a model, by default the shipped one; UsageError, in one line, for what is wrong."""
    path = path or SHIPPED
    where = quoted(path)
    try:
        data = tomllib.loads(reading.text(path))
    except (tomllib.TOMLDecodeError, ValueError) as error:  # ValueError: an int of many digits
        raise UsageError(f"{where}: not TOML: {quoted(error)}", HINT) from None
    except RecursionError:
        raise UsageError(f"{where}: not a cost model: nested too deeply", HINT) from None
    _require_known(where, "a cost model", data, ("name", "jitter", *OPERATIONS))
    if missing := [name for name in OPERATIONS if name not in data]:
        raise UsageError(f"{where}: a cost model lacks {missing[0]}", HINT)
    name = data.get("name", path.stem)
    if not isinstance(name, str) or not reading.is_one_line(name):
        raise UsageError(f"{where}: its name is no line of text", HINT)
    jitter = _number(where, "jitter", data.get("jitter", 0), JITTER_MAX)
    return CostModel(name, jitter, {n: _range(where, n, data[n]) for n in OPERATIONS})


def _range(where: str, name: str, data: Any) -> Range:
    """One operation of a model."""
    if not isinstance(data, dict):
        raise UsageError(
            f"{where}: {name} is no table", f"write [{name}], then low = 1.0 and so on"
        )
    _require_known(where, name, data, FIELDS)
    if missing := [field for field in FIELDS if field not in data]:
        raise UsageError(f"{where}: {name} lacks {missing[0]}", HINT)
    numbers = [_number(where, f"{name}.{field}", data[field], NS_MAX) for field in FIELDS[:3]]
    if numbers != sorted(numbers):
        raise UsageError(
            f"{where}: {name} is not in order", "low, typical and high, in nanoseconds"
        )
    if not isinstance(data["source"], str) or not data["source"].strip():
        raise UsageError(f"{where}: {name} has no source", "say how it is known, or that it is not")
    low, typical, high = (round(number * PS) for number in numbers)
    return Range(low, typical, high, data["source"])


def _number(where: str, what: str, value: Any, most: float) -> float:
    """A number of a model, not below zero."""
    fits = isinstance(value, int | float) and not isinstance(value, bool)
    if not fits or not math.isfinite(value) or not 0 <= value <= most:
        raise UsageError(
            f"{where}: {what} is {quoted(value)}", f"write a number from 0 to {most:,}"
        )
    return float(value)


def _require_known(where: str, whose: str, data: Mapping[str, Any], known: tuple[str, ...]) -> None:
    """Raise UsageError for a key that there is not; the nearest is suggested."""
    for key in data:
        if key not in known:
            close = nearest(key, known, cutoff=0.5)
            hint = f"did you mean {close}?" if close else f"there are {', '.join(known)}"
            raise UsageError(f"{where}: {whose} has no {quoted(key)}", hint)
