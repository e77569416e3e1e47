"""The comparison of searches with brute force, for as long as one likes: `nox -s differential`.

Rounds of random systems, each round from a seed of its own (`--seed`, the worker's number, the
round's), some of them edits of shipped scenarios. What disagrees is shrunk by Hypothesis and
printed as a system that can be pasted into a test. Exits with 1 if anything disagreed.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from time import monotonic
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings

from simbbm.core.errors import ScenarioError
from simbbm.hypothesis import System, shown, systems
from simbbm.hypothesis.strategies import one_of
from tests.differential.compare import compare
from tests.differential.edited import Edited, edited
from tests.differential.oracle import TooLargeError

ROUND = 11
"""Systems of a round; then another seed. After ten, Hypothesis mostly varies what it has drawn."""
STATES = 400
"""States of a system; larger ones are left out and counted."""

Drawn = System | Edited
everything = one_of(*[systems()] * 7, edited())


def examine(drawn: Drawn, tally: Counter[str], states: int = STATES) -> None:
    """Compare one system, and count what it was; raises if a search disagrees."""
    try:
        found = compare(drawn.scenario(), drawn.params, states)
    except TooLargeError:
        tally["too large"] += 1
        return
    except ScenarioError:
        tally["refused"] += 1
        return
    tally["compared"] += 1
    tally["states"] += found.states
    tally["violated"] += bool(found.ways)
    tally["reduced"] += found.reduced
    tally.update(f"{kind} alone" for kind in found.alone)
    tally.update(f"{verdict}:{name}" for verdict, name in found.ways)


def round_of(
    number: int,
    tally: Counter[str],
    over: Callable[[], bool] = lambda: False,
    *,
    states: int = STATES,
    shrink: bool = True,
) -> str | None:
    """One round; what disagreed, shrunk, for people."""
    last: list[Any] = []

    @seed(number)
    @settings(
        max_examples=ROUND,
        database=None,
        deadline=None,
        phases=[Phase.generate, *[Phase.shrink] * shrink],
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    @given(everything)
    def agrees(drawn: Drawn) -> None:
        if over() and not last:
            return
        try:
            examine(drawn, tally, states)
        except Exception as error:
            last[:] = [drawn, error]
            raise

    try:
        agrees()
    except Exception as error:  # noqa: BLE001 - an internal error of a search is a finding too
        drawn, why = last or (None, error)
        text = drawn if drawn is None else shown(drawn) if isinstance(drawn, System) else drawn
        return f"{type(why).__name__}: {why}\n{text}\n{drawn!r}"
    return None


def work(first: int, seconds: float) -> tuple[Counter[str], list[str]]:
    """Round after round, until the time is over."""
    end, tally, found = monotonic() + seconds, Counter[str](), []
    number = first
    while monotonic() < end:
        if text := round_of(number, tally, lambda: monotonic() >= end):
            found.append(f"round {number}: {text}")
            sys.stderr.write(found[-1] + "\n")
        number += 1_000
    return tally, found


def main() -> int:
    """Run on some processes; print what disagreed and what was compared."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-j", type=int, default=2)
    given = parser.parse_args()
    firsts = [given.seed * 1_000_000 + worker for worker in range(given.j)]
    with ProcessPoolExecutor(given.j, get_context("spawn")) as pool:
        done = list(pool.map(work, firsts, [given.seconds] * given.j))
    tally, found = Counter[str](), []
    for counts, texts in done:
        tally += counts
        found += texts
    for name, count in sorted(tally.items(), key=lambda item: (-item[1], item[0])):
        sys.stdout.write(f"{count:>10,} {name}\n")
    for text in found:
        sys.stdout.write(f"\nDISAGREEMENT, {text}\n")
    sys.stdout.write(f"{len(found)} disagreements\n")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
