"""`simbbm explore`: proofs and counterexamples as rows and as text, limits, switches."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from tests.cli.commandline import Cli

GOOD, BAD = "linear_map_split::good", "linear_map_split::m10_no_dsb_after_tlbi"
SMALL = ("-p", "cpus=2", "-p", "layout=pmd")


def test_a_proof_says_what_was_visited(simbbm: Cli) -> None:
    row = simbbm.row("explore", GOOD, *SMALL)
    shown = simbbm.ok("explore", GOOD, *SMALL)

    assert ("explore", "PROVED", True, None) == (
        row["mode"],
        row["verdict"],
        row["expected"],
        row["witness"],
    )
    assert row["coverage"]["landmarks"] == {"others parked, map half split": 10}
    assert row["coverage"]["labels"] > 50
    assert row["coverage"]["never"]
    assert f"{row['states']:,} states, {row['transitions']:,} transitions" in shown
    assert "an exact store; reduced by ample" in shown
    assert "SAMPLED" not in shown


def test_a_counterexample_is_certified_and_replays(simbbm: Cli) -> None:
    row = simbbm.row("explore", BAD, *SMALL)
    shown = simbbm.ok("explore", BAD, *SMALL)

    assert ("VIOLATED", "no_size_change_seen", True, True) == (
        row["verdict"],
        row["property"],
        row["certified"],
        row["expected"],
    )
    assert f"{row['length']} steps, no shorter one exists" in shown
    assert "REPRODUCED" in simbbm.ok("replay", row["witness"])
    assert "REPRODUCED" in simbbm.ok("replay", row["token"])


def test_several_are_explored_side_by_side(
    simbbm: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where processes come from is elsewhere."""
    simbbm.ok("explore", "bbm_minimal", "-j", "2")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    simbbm.ok("new", "mine.py")

    def told(jobs: str) -> list[dict[str, object]]:
        rows = simbbm.rows("explore", "mine.py", "bbm_minimal", "-j", jobs)
        return [{k: v for k, v in row.items() if k != "seconds"} for row in rows]

    alone = told("1")

    assert ["mine.py::good", "mine.py::no_tlbi"] == [row["scenario"] for row in alone[:2]]
    assert alone == told("2") == told("9")


def test_an_authors_mistake_ends_it_after_what_came_before(simbbm: Cli, mine: Path) -> None:
    mine.write_text(mine.read_text().replace('["move.tlbi.vaae1is"]', '["move.tlbi.vae1is"]'))

    result = simbbm("explore", mine, "-j", "2")

    assert 2 == result.exit_code
    assert f"{mine}::good: PROVED" in result.stdout
    assert "simbbm: " + f"{mine}::no_tlbi drops move.tlbi.vae1is" in result.stderr


@pytest.mark.parametrize("switch", [("--no-symmetry",), ("--no-ample",)])
def test_reductions_can_be_switched_off(simbbm: Cli, switch: tuple[str, ...]) -> None:
    whole = simbbm.row("explore", GOOD, "-p", "layout=pmd")
    partly = simbbm.row("explore", GOOD, "-p", "layout=pmd", *switch)

    assert ["symmetry", "ample"] == whole["reductions"]
    assert partly["reductions"] == [r for r in whole["reductions"] if f"--no-{r}" not in switch]
    assert whole["verdict"] == partly["verdict"]
    assert whole["states"] < partly["states"]


@pytest.mark.parametrize(
    "limit", [("--max-states", "100"), ("--max-seconds", "0.001s"), ("--max-memory", "1m")]
)
def test_a_limit_is_no_proof(simbbm: Cli, limit: tuple[str, str]) -> None:
    row = simbbm.row("explore", GOOD, "-p", "cpus=4", *limit, code=3)

    assert ("INCONCLUSIVE", None) == (row["verdict"], row["expected"])
    assert limit[0] in row["message"]


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only the peak is known here")
def test_memory_that_was_used_before_is_no_limit(simbbm: Cli) -> None:
    in_use = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    assert bytearray(300 * 2**20)

    row = simbbm.row("explore", GOOD, *SMALL, "--max-memory", f"{in_use // 2**20 + 150}m")

    assert "PROVED" == row["verdict"]


def test_a_good_one_that_fails_is_unexpected(simbbm: Cli) -> None:
    row = simbbm.row("explore", GOOD, "-p", "noabort=none", *SMALL, code=1)

    assert ("VIOLATED", False, True) == (row["verdict"], row["expected"], row["certified"])


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("--max-memory", "many"), "many is not an amount of memory: write 500m or 2g"),
        (("--max-states", "lots"), "lots is not a count: write 500, 10k or 2m"),
        (("-p", "cpu=2"), "linear_map_split::good has no parameter cpu"),
    ],
)
def test_what_is_not_understood(simbbm: Cli, given: tuple[str, str], told: str) -> None:
    assert told in simbbm.refused("explore", GOOD, *given)


def test_progress_says_how_far_it_has_to_go(simbbm: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simbbm.cli.logs.SECONDS_BETWEEN_LINES", 0.0)
    monkeypatch.setattr("simbbm.campaign.answers.searches.SECONDS_BEFORE_ESTIMATE", 0.0)

    result = simbbm("explore", GOOD, *SMALL)

    said = [line for line in result.stderr.splitlines() if "searching" in line]
    assert "left at distance 50 of about 142" in said[50]
    assert " states/s" in said[50]


ENDLESS = '''
from simbbm.arm64.ops import Cpu
from simbbm.core.program import repeat_until, routine
from simbbm.scenario import CpuSetup, Setup, scenario
from simbbm.arm64.descriptor import leaf, table
from simbbm.arm64.geometry import SCALED4
from simbbm.arm64.registers import Regime, Tcr, Ttbr
from simbbm.check.properties import terminates

FLAG = 20
REGIME = Regime((Ttbr(16),), (Ttbr(24),), (Tcr(4, 0, a1=False, epd1=True),))


@routine
async def look(cpu: Cpu) -> bool:
    return bool(await cpu.ldr(FLAG) == 1)


async def spin(cpu: Cpu) -> None:
    await repeat_until(look, cpu)


async def sets(cpu: Cpu) -> None:
    await store(cpu)


@routine
async def store(cpu: Cpu) -> None:
    await cpu.str(FLAG, 1)


@scenario()
def good() -> Setup:
    """A flag is set."""
    return Setup(
        geometry=SCALED4,
        cpus=(CpuSetup(spin, REGIME), CpuSetup(sets, REGIME)),
        tables={16: (table(20), leaf(4), leaf(4), leaf(4)), 20: (leaf(0),) * 4, 24: (leaf(0),) * 4},
        properties=(terminates,),
    )


bad = good.twin("It is not.", expect="STUCK:terminates", drop=["store.str"])
'''


def test_a_round_without_end_is_told_as_one(simbbm: Cli) -> None:
    """In the row, in the text, by show, and by what replays it."""
    (simbbm.directory / "endless.py").write_text(ENDLESS)
    row = simbbm.row("explore", "endless.py::bad")
    shown = simbbm.ok("explore", "endless.py::bad")

    assert ("STUCK", "terminates", True) == (row["verdict"], row["property"], row["expected"])
    assert (row["length"] - 1, None) == (row["loop"], row["termination"])
    assert f"{row['loop']} steps, then a round of 1 that may go on for ever; no shorter" in shown
    allowed = ("--allow-file", "endless.py")
    for named in (row["witness"], row["token"]):
        assert "REPRODUCED" in simbbm.ok("replay", named, *allowed)
        assert f"and so on, for ever, from step {row['loop']}" in simbbm.ok("show", named, *allowed)
        assert row["loop"] == simbbm.row("show", named, *allowed)["loop"]
        assert "leads into a round without end" in simbbm.ok("shrink", named, *allowed)


def test_a_proof_says_how_it_knows_that_runs_end(simbbm: Cli) -> None:
    (simbbm.directory / "endless.py").write_text(ENDLESS)
    row = simbbm.row("explore", "endless.py::good")

    assert ("PROVED", 2) == (row["verdict"], row["termination"]["cpus"])
    assert row["termination"]["cycles"]
    assert "none of them fair" in simbbm.ok("explore", "endless.py::good")
    assert "its states have no cycle" in simbbm.ok("explore", GOOD, *SMALL)


def test_a_proof_that_looked_at_fewer_cpus_says_so(simbbm: Cli) -> None:
    """The reduced search has 2,546 states, the other one, which shows rounds, 22,000."""
    limited = ("preempt_rt::good", "--max-states", "2600")
    row = simbbm.row("explore", *limited)

    assert ("PROVED", 2) == (row["verdict"], row["termination"]["cpus"])
    assert "an end can be reached from every state" in simbbm.ok("explore", *limited)
    assert "termination up to cpus=2" in simbbm.ok("check", *limited)


CNP = """
from dataclasses import replace

from simbbm.scenario import Setup, scenario
from simbbm_scenarios.linear_map_split import good as merged


@scenario()
def cnp() -> Setup:
    "CnP is set, and nobody shares."
    setup = merged.setup({"cpus": 2, "layout": "pages"})
    before = setup.cpus[0].regime
    regime = before._replace(ttbr1=tuple(t._replace(cnp=True) for t in before.ttbr1))
    kept = tuple(p for p in setup.properties if p.name != "context_restored")
    cpus = tuple(cpu._replace(regime=regime) for cpu in setup.cpus)
    return replace(setup, cpus=cpus, properties=kept)
"""


def test_cnp_that_has_no_effect_is_said_beside_the_verdict(simbbm: Cli, tmp_path: Path) -> None:
    file = tmp_path / "cnp.py"
    file.write_text(CNP)
    row = simbbm.row("explore", f"{file}::cnp")
    text = simbbm.ok("explore", f"{file}::cnp")

    [note] = row["coverage"]["notes"]
    assert note.startswith("CnP is set in a TTBR of cpu0, cpu1 and has no effect")
    assert f"note: {note}" in text
    assert simbbm.row("explore", "smt::good", "-p", "cpus=2")["coverage"]["notes"] == []
