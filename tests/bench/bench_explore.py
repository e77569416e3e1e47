"""Exhaustive search: states per second, what the reductions save, how states grow, and budgets.

Budgets are for a core that does 1.5 million bare SimPy timeouts a second; times are scaled by what
this one does in the same run. Nothing is asserted.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

import simpy

from simbbm import discovery
from simbbm.explore.search.breadth_first import Search, Searched
from simbbm.explore.search.reductions.reduced_system import ReducedSystem
from simbbm.model import Model

GOOD = "linear_map_split::good"
TIMEOUTS = 300_000
REFERENCE = 1_500_000
BUDGETS = (("mixed", 3, 1.0), ("mixed", 4, 5.0), ("mixed", 6, 60.0), ("pmd", 8, 600.0))
LAYOUTS = ("pages", "contpte", "pmd", "contpmd", "pud", "pud39", "mixed")

Toy = tuple[int, int, tuple[int, ...], tuple[int, ...]]
"""Counter, released, where each secondary is, and where the boot CPU is with its stores left."""


def timed(search: Callable[[], Searched]) -> tuple[Searched, float]:
    """A search, and its seconds."""
    start = time.perf_counter()
    found = search()
    return found, time.perf_counter() - start


def explore(layout: str, cpus: int, *, symmetry: bool = True, ample: bool = True) -> Searched:
    """Search the merged protocol."""
    machine = Model(discovery.find(GOOD), {"layout": layout, "cpus": cpus}).system
    found = Search(ReducedSystem(machine, symmetry=symmetry, ample=ample)).run()
    assert found.complete
    assert not found.failures
    return found


def simpy_rate() -> float:
    """Bare timeouts of one process, per second."""
    environment = simpy.Environment()

    def ticks() -> simpy.events.ProcessGenerator:
        for _ in range(TIMEOUTS):
            yield environment.timeout(1)

    environment.process(ticks())
    start = time.perf_counter()
    environment.run()
    return TIMEOUTS / (time.perf_counter() - start)


def toy_moves(state: Toy) -> list[Toy]:
    """The protocol as plain tuples: six steps a secondary, four stores that drain in any order."""
    count, released, secondaries, (pc, *stores) = state
    following: list[Toy] = []
    for i, at in enumerate(secondaries):
        if at < 5 or (at == 5 and released) or 5 < at < 8:
            after = (*secondaries[:i], at + 1, *secondaries[i + 1 :])
            following.append((count + (at == 4), released, after, (pc, *stores)))
    if pc == 0 and count == len(secondaries):
        following.append((count, released, secondaries, (1, 1, 1, 1, 1)))
    if pc == 1 and not any(stores):
        following.append((count, 1, secondaries, (2, 0, 0, 0, 0)))
    for i, store in enumerate(stores):
        if store:
            left = (*stores[:i], 0, *stores[i + 1 :])
            following.append((count, released, secondaries, (pc, *left)))
    return following


def toy_rate(cpus: int = 6) -> tuple[int, float]:
    """States of the toy, and how many a second."""
    initial: Toy = (0, 0, (0,) * (cpus - 1), (0, 0, 0, 0, 0))
    start = time.perf_counter()
    met, waiting = {initial}, [initial]
    while waiting:
        for after in toy_moves(waiting.pop()):
            if after not in met:
                met.add(after)
                waiting.append(after)
    return len(met), len(met) / (time.perf_counter() - start)


def side_by_side(processes: int) -> float:
    """Seconds for four searches in so many processes, start-up left out."""
    with ProcessPoolExecutor(processes) as pool:
        list(pool.map(explore, ["pages"] * processes, [2] * processes))
        start = time.perf_counter()
        list(pool.map(explore, ["mixed"] * 4, [6] * 4))
        return time.perf_counter() - start


def main() -> None:
    """Print the tables."""
    rate = simpy_rate()
    scale = rate / REFERENCE
    print(f"bare SimPy timeouts {rate:,.0f}/s: seconds below are also given times {scale:.2f}\n")

    states, toy = toy_rate()
    whole, seconds = timed(lambda: explore("mixed", 4, ample=False))
    print(f"{'':34}{'states':>9}{'states/s':>11}")
    print(f"{'toy of plain tuples':34}{states:>9,}{toy:>11,.0f}")
    full = whole.states / seconds
    print(f"{'cpus=4 mixed, symmetry alone':34}{whole.states:>9,}{full:>11,.0f}")
    print(f"the full model is slower by a factor of {toy / full:.0f}\n")

    print(f"{'proved':14}{'states':>9}{'seconds':>9}{'scaled':>9}{'budget':>9}")
    for layout, cpus, budget in BUDGETS:
        found, seconds = timed(lambda: explore(layout, cpus))  # noqa: B023 - called at once
        name = f"{layout} cpus={cpus}"
        print(f"{name:14}{found.states:>9,}{seconds:>9.2f}{seconds * scale:>9.2f}{budget:>9.0f}")

    print(f"\n{'states, mixed':18}" + "".join(f"{f'cpus={n}':>10}" for n in range(2, 8)))
    for name, symmetry, ample, most in (
        ("no reductions", False, False, 3),
        ("symmetry", True, False, 4),
        ("ample", False, True, 5),
        ("both", True, True, 7),
    ):
        counts = [explore("mixed", n, symmetry=symmetry, ample=ample) for n in range(2, most + 1)]
        print(f"{name:18}" + "".join(f"{found.states:>10,}" for found in counts))

    print(f"\n{'states, cpus=3':18}" + "".join(f"{layout:>10}" for layout in LAYOUTS))
    for name, ample in (("symmetry", False), ("both", True)):
        counts = [explore(layout, 3, ample=ample) for layout in LAYOUTS]
        print(f"{name:18}" + "".join(f"{found.states:>10,}" for found in counts))

    one, two = side_by_side(1), side_by_side(2)
    print(f"\nfour searches of cpus=6 mixed: two processes are faster by {one / two:.2f}")


if __name__ == "__main__":
    main()
