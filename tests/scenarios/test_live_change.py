"""A page's permissions change at run time: groups first, then CONT goes from one of them."""

from __future__ import annotations

import pytest

from simbbm import discovery
from simbbm.arm64.machine import Arm64
from simbbm.arm64.state import Machine
from simbbm.explore.search.prove import Prover
from simbbm.linux.set_memory import RunningKernel
from simbbm.model import Model
from simbbm.scenario import Scenario
from tests.scenarios.everything import expected_failures, one_in, walk

ALL = tuple(discovery.select(["live_change"]))
GOOD = discovery.find("live_change::good")


@pytest.mark.parametrize("scenario", one_in(4, ALL))
def test_verdict_of_a_search_of_all_states_is_the_declared_one(scenario: Scenario) -> None:
    found = Prover(Model(scenario)).prove()
    got = {f"{found.verdict}:{found.property}"} if found.property else set()

    assert got <= expected_failures(scenario)
    assert bool(got) != scenario.expect.holds


def test_every_mistake_says_where_it_comes_from() -> None:
    bad = [s for s in ALL if not s.expect.holds and not s.story.startswith("Open question")]

    assert [s.id for s in bad if not s.origin] == []


@pytest.mark.parametrize("layout", ["contpmd", "pud"])
def test_a_leaf_is_split_into_groups_and_only_one_of_them_into_pages(layout: str) -> None:
    """With eager hardware, which is enough to see what is written."""
    params = {"cpus": 2, "layout": layout, "hardware": "eager"}
    k = GOOD.setup(params).cpus[0].args[0]
    assert isinstance(k, RunningKernel)
    groups, ends = set[bool](), list[Machine]()
    system: Arm64 = Model(GOOD, params).system

    def visit(machine: Machine) -> None:
        tables = machine.memory.tables.by_address
        fresh = [t for address, t in tables.items() if address >= k.free_tables]
        groups.update(entry.contiguous for table in fresh for entry in table.entries if entry.valid)
        if all(cpu.finished for cpu in machine.cpus):
            ends.append(machine)

    walk(system, visit)

    assert groups == {True, False}
    for machine in ends:
        entries = [e for t in machine.memory.tables.by_address.values() for e in t.entries]
        assert not any(entry.contiguous for entry in entries)
