"""`stress -j 2` beside `stress -j 1`: the same campaign, in turn, with all that a campaign costs.

Every worker builds a machine of its own and comes to know its states by itself: a small campaign
spends a good part of its time on that, with one worker as with two. Needs a machine that is idle.
"""

from __future__ import annotations

from statistics import median

from simbbm.campaign.stress import StressRequest, StressResult, available_cpus, stress

ROUNDS = {10_000: 7, 100_000: 3}
"""How many rounds for campaigns of how many runs."""
WANTED = 1.8


def campaign(runs: int, jobs: int) -> StressResult:
    """Run the campaign on that many workers."""
    request = StressRequest(
        scenario_id="linear_map_split::good",
        params={"layout": "mixed", "cpus": 3},
        runs=runs,
        jobs=jobs,
    )
    return stress(request)


def main() -> None:
    """Measure, and print the table."""
    print(f"linear_map_split::good, {available_cpus()} CPUs here, ratio wanted: >= {WANTED}")
    print(
        f"{'runs':>9}{'rounds':>8}{'s, -j 1':>10}{'s, -j 2':>10}{'ratio':>8}{'steps/s, -j 2':>16}"
    )
    for runs, count in ROUNDS.items():
        rounds = [(campaign(runs, 1), campaign(runs, 2)) for _ in range(count)]
        one, two = (median(pair[i].seconds for pair in rounds) for i in (0, 1))
        ratio = median(a.seconds / b.seconds for a, b in rounds)
        speed = rounds[0][0].steps / two
        print(f"{runs:9,}{count:8}{one:10.2f}{two:10.2f}{ratio:8.2f}{speed:16,.0f}")
        assert len({result.digest for pair in rounds for result in pair}) == 1


if __name__ == "__main__":
    main()
