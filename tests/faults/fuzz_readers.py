"""Fuzz of everything that reads: `nox -s fuzz -- --inputs 200k --seed 1`.

Whatever is read is accepted, or refused with an error that has one line for its user. Anything else
is a failure: another exception, more than 20 s, more than 1 GiB. Input i of a seed is always the
same, so that a failure that is reported as `--seed S --first I --inputs 1` comes back.
"""

from __future__ import annotations

import argparse
import resource
import signal
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from time import perf_counter
from types import FrameType
from typing import Any, NamedTuple

import click
from click.testing import CliRunner

from simbbm import discovery
from simbbm.cli.app import simbbm as app
from simbbm.cli.commands.witnesses.replay import recorded_in
from simbbm.cli.options import Assignment, Count, Duration, Seed, Size
from simbbm.core.errors import ModelError, SimbbmError
from simbbm.explore.counterexample.explain import explain
from simbbm.explore.runs.replay import replay
from simbbm.explore.strategies.named import strategy
from simbbm.litmus.notation.conditions import condition
from simbbm.litmus.notation.operations import operation
from simbbm.litmus.notation.reader import read_file
from simbbm.litmus.score import judge
from simbbm.report.columns import render
from simbbm.report.told.telling import tell
from tests.faults import inputs, kept
from tests.faults.inputs import Draw

SECONDS_MAX = 20
BYTES_MAX = 1 << 30
FILE = Path("input.jsonl")


def witness(draw: Draw) -> str:
    """A witness file."""
    FILE.write_bytes(inputs.a_witness(draw))
    return _followed(draw, str(FILE))


def token(draw: Draw) -> str:
    """A token."""
    return _followed(draw, inputs.a_token(draw))


def _followed(draw: Draw, text: str) -> str:
    """Read a witness; one in four is replayed and told if it can be."""
    found, model = recorded_in(text, ())
    if not model.scenario.id.startswith("bbm_minimal") or draw.below(4):
        return "accepted"
    result = replay(found, model).result
    if draw.below(2):
        lines = render(tell(found, model), lambda: explain(found, model, 500))
        "".join(line.text for line in lines)
    return result


def litmus(draw: Draw) -> str:
    """A litmus file is read; half of its tests are run."""
    FILE.write_bytes(b"\n".join([inputs.a_row(draw) for _ in range(1 + draw.below(2))]) + b"\n")
    told = "empty"
    for line in read_file(FILE):
        told = "refused" if line.error else "accepted"
        if line.test and draw.below(2):
            told = "run"
            judge(line, ets2=bool(draw.below(2)), max_states=200, max_seconds=2)
    return told


def notation(draw: Draw) -> str:
    """The notation's sentences."""
    if draw.below(2):
        condition(inputs.spoilt(draw, inputs.a_condition(draw)))
    else:
        operation(inputs.an_operation(draw), ("x", "y"), 0)
    return "accepted"


def number(draw: Draw) -> str:
    """Numbers, and what else an option takes."""
    text = inputs.a_number(draw)
    kind = draw.one((Count(), Count(200), Seed(), Size(), Duration(), Assignment(), None, None))
    if kind is not None:
        kind.convert(text, None, None)
    elif draw.below(2):
        strategy(text)
    else:
        scenario = discovery.find("linear_map_split::good")
        scenario.parameters_from({draw.one(scenario.parameters).name: text})
    return "accepted"


def identity(draw: Draw) -> str:
    """Ids, stems and files."""
    discovery.select([inputs.an_id(draw)])
    return "accepted"


def command(draw: Draw) -> str:
    """Whole commands: an exit code of the contract, and never the one for a defect."""
    FILE.write_bytes(draw.one((inputs.a_witness, inputs.a_row))(draw))
    text = draw.one((inputs.a_number, inputs.an_id, inputs.a_token))(draw).replace("\0", "?")
    line = draw.one(
        (
            ["replay", str(FILE)],
            ["replay", text],
            ["litmus", str(FILE), "--max-states", "50"],
            ["list", text],
            ["list", str(FILE), "--json"],
            ["run", "bbm_minimal::good", draw.one(("--seed", "--strategy", "-p")), text],
            ["run", text, "--max-steps", "20", "--json"],
            [text],
        )
    )
    result = CliRunner().invoke(app, line)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    if result.exit_code == 5 or "\x1b" in result.output:
        raise AssertionError(f"{line}: exit {result.exit_code}: {result.output[:300]!r}")
    return f"exit {result.exit_code}"


READERS: tuple[tuple[int, Callable[[Draw], str]], ...] = (
    (30, witness),
    (20, token),
    (20, litmus),
    (30, notation),
    (20, number),
    (10, identity),
    (2, command),
    (8, kept.report),
    (8, kept.certificate),
    (2, kept.remembered),
    (4, kept.witnesses),
    (8, kept.plan),
    (4, kept.store),
)
"""How often each of them, and what it does."""
_TURNS = tuple(reader for times, reader in READERS for _ in range(times))


class Failure(NamedTuple):
    """An input that something stumbled over."""

    number: int
    reader: str
    what: str


class Found(NamedTuple):
    """What some thousands of inputs came to."""

    counts: Counter[str]
    failures: list[Failure]
    slowest: tuple[float, int]
    """Seconds, and the number of that input."""
    peak: int
    """Bytes."""


class TooLong(BaseException):
    """An input that takes longer than anybody waits."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Raise TooLong in here after so many seconds."""

    def late(number: int, frame: FrameType | None) -> None:
        raise TooLong

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def one(seed: int, number: int, counts: Counter[str]) -> Failure | None:
    """Read one input."""
    draw = Draw(seed, number)
    reader = draw.one(_TURNS)
    try:
        with within(SECONDS_MAX):
            counts[f"{reader.__name__} {reader(draw)}"] += 1
    except ModelError as error:
        return Failure(number, reader.__name__, str(error))
    except (SimbbmError, click.UsageError):
        counts[f"{reader.__name__} refused"] += 1
    except (Exception, TooLong) as error:  # noqa: BLE001 - any other is what is looked for
        told = traceback.format_exception(error, limit=-4)
        return Failure(number, reader.__name__, "".join(told)[-1_500:])
    return None


def _deep_in(folder: str) -> Path:
    """A folder so deep that `../..` leads to nobody's files."""
    deep = Path(folder, *"abcdefgh")
    deep.mkdir(parents=True)
    return deep


def fuzz(seed: int, first: int, count: int, tell: Callable[[str], Any] = lambda _: None) -> Found:
    """Read inputs `first` to before `first + count` of a seed, in a folder of its own."""
    counts, failures, slowest = Counter[str](), list[Failure](), (0.0, first)
    with tempfile.TemporaryDirectory() as folder, chdir(_deep_in(folder)):
        for number in range(first, first + count):
            began = perf_counter()
            if failure := one(seed, number, counts):
                failures.append(failure)
                tell(f"{failure}")
            slowest = max(slowest, (perf_counter() - began, number))
            if (number + 1) % 10_000 == 0:
                tell(f"{number + 1:,} inputs, {len(failures)} failures, slowest {slowest[0]:.1f} s")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return Found(counts, failures, slowest, peak)


def main() -> int:
    """Run it as a script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", default="200k", type=lambda t: Count().convert(t, None, None))
    parser.add_argument("--seed", default=1, type=int)
    parser.add_argument("--first", default=0, type=int)
    given = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (2 * BYTES_MAX, 2 * BYTES_MAX))
    found = fuzz(given.seed, given.first, given.inputs, lambda text: print(text, flush=True))
    for name, count in sorted(found.counts.items()):
        print(f"{count:>8,} {name}")
    print(
        f"{given.inputs:,} inputs of seed {given.seed}: {len(found.failures)} failures; slowest "
        f"{found.slowest[0]:.2f} s (input {found.slowest[1]}), peak {found.peak / 2**20:.0f} MiB"
    )
    return int(bool(found.failures) or found.peak > BYTES_MAX)


if __name__ == "__main__":
    sys.exit(main())
