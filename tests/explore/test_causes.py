"""What a step depends on, in programs small enough to say it by hand."""

from __future__ import annotations

from simbbm import discovery
from simbbm.explore.counterexample.causes import Causes, Edge, How, read
from simbbm.explore.runs.play import Run, RunStep
from simbbm.explore.runs.run import run_one
from simbbm.model import Model


def polite(name: str, **params: object) -> Run:
    return run_one(Model(discovery.find(name), params), "polite", 0)


def steps_of(run: Run) -> list[RunStep]:
    return [*run.played()]


def label(step: RunStep) -> str:
    return step.before.moves[step.k].label


def test_what_is_read_was_written_and_what_drains_was_stored() -> None:
    """Every edge leads back, and the first store of the flag is where its readers have it from."""
    steps = steps_of(polite("linear_map_split::good", cpus=2, layout="pmd"))
    causes = Causes(steps)
    assert all(edge.earlier < edge.later for edge in causes.edges)
    [drain] = [s.step for s in steps if ".drain[flag]" in label(s)][:1]
    store = next(s.step for s in steps if "init_idmap_kpti_bbml2_flag.str" in label(s))
    assert Edge(drain, store, How.ISSUED, 0) in causes.edges
    counted = next(s.step for s in steps if "ldxr" in label(s) and s.before.moves[s.k].cpu == 1)
    assert drain in causes.sources(counted)


def test_a_routine_that_has_returned_counts_with_what_it_returned() -> None:
    """The secondary's part depends on who it is; a barrier observes nothing."""
    steps = steps_of(polite("linear_map_split::good", cpus=2, layout="pmd"))
    causes = Causes(steps)
    who = next(s.step for s in steps if "mrs.mpidr" in label(s) and s.before.moves[s.k].cpu == 1)
    mrs = next(s.step for s in steps if "mrs.ttbr1_el1" in label(s))
    assert who in {edge.earlier for edge in causes.of(mrs) if edge.how is How.OBSERVED}
    known = {edge.earlier for edge in causes.edges if edge.how is How.OBSERVED}
    assert not any(".dsb" in label(steps[step]) or ".isb" in label(steps[step]) for step in known)


def test_the_nearest_come_first_and_not_more_than_wanted() -> None:
    steps = steps_of(polite("linear_map_split::good", cpus=2, layout="pmd"))
    causes = Causes(steps)
    some, more = (causes.nearest([len(steps) - 1], most) for most in (5, 20))
    assert list(more)[:5] == list(some)
    assert [*more.values()] == sorted(more.values())
    assert len(more) == 20


def test_a_load_reads_one_word_whatever_the_monitor_is_armed_on() -> None:
    """The boot CPU's wait arms it on the flag, and the walk of the tables comes after that."""
    model = Model(discovery.find("linear_map_split::good"), {"cpus": 2, "layout": "pmd"})
    run = run_one(model, "random", 0)
    armed = [s for s in run.played() if read(s) and s.before.state.cpus[s.move.cpu].monitor >= 0]
    assert len(armed) > 3
    assert all(len(read(step)) == 1 for step in armed)
