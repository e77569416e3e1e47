"""Inputs for readers: valid ones from a grammar, then spoilt. Each depends on its seed alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from simbbm.core.choice import Tape, run_seed
from simbbm.explore.strategies.named import STRATEGIES
from simbbm.explore.witness.recording import load, token
from simbbm.litmus.notation.operations import FORMS

T = TypeVar("T")
TESTS = Path(__file__).parent.parent

STRANGE = (
    *("", "0", "-1", "9" * 25, "9" * 6_000, "0x", "0x" + "f" * 300, "1e999", "NaN", "1_0"),
    *("\u0663", "\u00b2", "\x1b[2J", "\x1b]8;;http://x\x07", "\u202e", "\u2028", "\0", "\n", "\t"),
    *("\udcff", "\U0001f994", "\ufeff", "(" * 400, "~" * 3_000, "[" * 100_000, '{"a":' * 20_000),
    *("]", "}", '"', "\\", ",", ":", "=", "../", "/", "~remove~", "~delay~x", "~weaken:", "::"),
    *(".py::x", ".jsonl::x", "%00", "%ff", "a" * 300, "null", "true", "[]", "{}", "1.5", "&" * 50),
    *("0:r1=1 & " * 2_000, "r" + "1" * 30, "$(x)", "`"),
)
"""What has made some reader stumble, or might."""


class Draw:
    """Choices from a tape."""

    def __init__(self, seed: int, number: int) -> None:
        self._tape = Tape(run_seed(seed, number))

    def below(self, n: int) -> int:
        """A number in range(n)."""
        return self._tape.below(min(n, 65_536)) if n > 1 else 0

    def one(self, of: Sequence[T]) -> T:
        """One of these."""
        return of[self.below(len(of))]

    def some(self, of: Callable[[], T], most: int) -> list[T]:
        """Up to so many."""
        return [of() for _ in range(self.below(most + 1))]


def spoilt(draw: Draw, text: str) -> str:
    """A text with up to four places changed; one in six is as it was."""
    for _ in range(draw.one((0, 1, 1, 1, 2, 4))):
        at, to = sorted((draw.below(len(text) + 1), draw.below(len(text) + 1)))
        put, rest = "", text[to:]
        match draw.below(7):
            case 0:
                rest = text[at + 1 :]
            case 1:
                put, rest = draw.one(STRANGE), text[at:]
            case 2:
                put = draw.one(STRANGE)
            case 3:
                put, rest = chr(draw.below(0x250)), text[at + 1 :]
            case 4:
                put = text[at:to] * 3
            case 5:
                rest = ""
        text = text[:at] + put + rest
    return text


def misshapen(draw: Draw, data: Any) -> Any:
    """JSON with one value that is of another kind, gone, doubled, or under another name."""
    if isinstance(data, dict) and data and draw.below(4):
        key = draw.one(sorted(data))
        how = draw.below(8)
        changed = dict(data)
        if how == 0:
            del changed[key]
        elif how == 1:
            changed[spoilt(draw, key)] = changed.pop(key)
        else:
            changed[key] = misshapen(draw, data[key])
        return changed
    if isinstance(data, list) and data and draw.below(4):
        at = draw.below(len(data))
        how = draw.below(6)
        if how == 0:
            return data[:at] + data[at + 1 :]
        if how == 1:
            return data + [data[at]] * draw.one((1, 300))
        return [*data[:at], misshapen(draw, data[at]), *data[at + 1 :]]
    if isinstance(data, str) and draw.below(3):
        return spoilt(draw, data)
    return draw.one(
        (None, True, -1, 0, 7, 10**12, 10**40, 1.5, "", [], {}, [[]], draw.one(STRANGE))
    )


def written(draw: Draw, data: Any) -> bytes:
    """JSON as somebody may have written it."""
    for _ in range(draw.one((0, 0, 1, 2))):
        data = misshapen(draw, data)
    text = json.dumps(data, ensure_ascii=bool(draw.below(2)), indent=draw.one((None, None, 1)))
    if draw.below(4) == 0:
        text = spoilt(draw, text)
    return text.encode("utf-8", draw.one(("surrogatepass", "replace")))


@cache
def corpus() -> tuple[Any, ...]:
    """Witnesses that were recorded."""
    files = sorted((TESTS / "explore" / "corpus").glob("*.json"))
    return tuple(json.loads(path.read_text()) for path in files)


@cache
def tokens() -> tuple[str, ...]:
    """Tokens of all versions."""
    folder = TESTS / "explore" / "corpus"
    old = tuple(path.read_text().strip() for path in sorted(folder.glob("*.sb*")))
    return old + tuple(token(load(path)) for path in sorted(folder.glob("bbm*.json")))


@cache
def rows() -> tuple[Any, ...]:
    """Litmus tests."""
    files = sorted((TESTS / "litmus" / "own").glob("*.jsonl"))
    return tuple(json.loads(line) for path in files for line in path.read_text().splitlines())


def a_witness(draw: Draw) -> bytes:
    """A witness file."""
    return written(draw, draw.one(corpus() if draw.below(2) else corpus()[:2]))


def a_token(draw: Draw) -> str:
    """A token; half of those that are spoilt have the right checksum all the same."""
    from simbbm.explore.witness.dictionary import DICTIONARIES
    from simbbm.explore.witness.pack import pack, unpack
    from simbbm.explore.witness.token import _checksum

    text = draw.one(tokens() if draw.below(2) else tokens()[:4])
    if draw.below(2):
        return spoilt(draw, text)
    version = int(text[2])
    inside = spoilt(draw, unpack(text[3:-5], DICTIONARIES[version]))
    packed = pack(
        inside.encode("ascii", "replace").decode().replace("\0", "?")[:2_000], DICTIONARIES[version]
    )
    return f"sb{version}{packed}{_checksum(packed)}"


def a_row(draw: Draw) -> bytes:
    """A line of a litmus file."""
    row = draw.one(rows())
    for _ in range(draw.below(3)):
        row = (
            row | {"condition": a_condition(draw)}
            if draw.below(2)
            else row
            | {
                "threads": [
                    draw.some(lambda: an_operation(draw), 5) for _ in range(1 + draw.below(3))
                ]
            }
        )
    return written(draw, row).replace(b"\n", b" " if draw.below(4) else b"\n")


ATOMS = (
    "0:r1=1",
    "1:r2=leaf(pa1)",
    "mem[pa1]=2",
    "pte(x)=INV",
    "fault(P0@1)",
    "fault(P0@0,permission)",
)


def a_condition(draw: Draw, depth: int = 3) -> str:
    """A condition of a test."""
    if depth == 0 or draw.below(3) == 0:
        return spoilt(draw, draw.one(ATOMS)) if draw.below(5) == 0 else draw.one(ATOMS)
    parts = [a_condition(draw, depth - 1) for _ in range(1 + draw.below(3))]
    return draw.one(("", "~", "~~")) + f"({draw.one((' & ', ' | ', '&')).join(parts)})"


def an_operation(draw: Draw) -> str:
    """An operation of a thread."""
    text = draw.one(FORMS)
    return text if draw.below(4) else spoilt(draw, text)


def a_number(draw: Draw) -> str:
    """A count, seed, size, duration, strategy or value, spoilt or not."""
    text = draw.one(
        (
            *("500", "10k", "2m", "0x2a", "42", "30s", "1.5h", "500m", "2g", "0.1s", "1_000"),
            *("boot", "all", "none", "0,2", "delayed", "4k", "pct:depth=3", "surprise:budget=2"),
            *STRATEGIES,
        )
    )
    return spoilt(draw, text)


def an_id(draw: Draw) -> str:
    """The id of a scenario, or something like it."""
    change = draw.one(("", "", "~remove~writer/change.isb#1", "~delay~x", "~weaken:dmb.sy~x"))
    name = draw.one(
        ("bbm_minimal::good", "bbm_minimal", "linear_map_split::m09_no_tlbi", "x.py::y")
    )
    return spoilt(draw, name + change)
