"""A replayed witness is told: what a reader wants to know is read off its states."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from simbbm.arm64.context import Shared
from simbbm.arm64.features import Features
from simbbm.arm64.state import Machine
from simbbm.arm64.translation.translate import READ, WRITE, by_current_tables, permitted
from simbbm.arm64.translation.walks import Fault, walk_root
from simbbm.check.catalogue import CATALOGUE
from simbbm.core.graph import Node
from simbbm.core.system import STEP, Problem
from simbbm.core.trace import trace_digest
from simbbm.explore.counterexample.causes import Causes
from simbbm.explore.counterexample.kernel_names import kernel_names
from simbbm.explore.runs.exact import followed
from simbbm.explore.runs.play import RunStep
from simbbm.explore.witness.record import Witness
from simbbm.model import Model
from simbbm.report.told.origins import Origin, described, held_since, origin
from simbbm.report.told.story import Story
from simbbm.report.trace import event, told_of

LAST_STEPS = 4
"""What comes right before the end is shown, whatever it is about."""
CAUSES_MAX = 18
"""How many of the steps are shown that the end depends on."""
ACCESSES = frozenset(
    ("ldr", "ldar", "ldapr", "ldxr", "ldaxr", "wait", "str", "stlr", "stxr", "stlxr", "ldaddal")
)
CONFLICTS = {"no_size_change_seen": "size_conflict", "no_tlb_conflict": "output_conflict"}
"""Properties that are broken by two entries, and the question that finds them in a view."""


class Replayed(NamedTuple):
    """A recorded run in states, on a machine of its own: what a story is made of."""

    witness: Witness
    shared: Shared
    steps: tuple[RunStep, ...]
    end: Node[Machine]
    kernel: Mapping[str, str]

    @property
    def states(self) -> list[Machine]:
        """The states, from before the first step on; of a run without a step the one there is."""
        nodes = (*(step.before for step in self.steps), self.end)
        return [node.state for node in nodes]


def replayed(witness: Witness, model: Model) -> Replayed:
    """Replay a witness."""
    model = model if model.untouched else model.anew()
    run = followed(witness, model)
    names = kernel_names(model.automaton)
    return Replayed(witness, told_of(model), tuple(run.played()), run.end, names)


def tell(witness: Witness, model: Model) -> Story:
    """Replay a witness and tell what happened."""
    return story_of(replayed(witness, model))


def story_of(run: Replayed) -> Story:
    """Tell what happened in a run."""
    witness, shared, steps, end, kernel = run
    events = tuple(event(shared, step) for step in steps)
    problem = end.problem
    causes = Causes(steps)
    origins = tuple(_origins(shared, steps, problem))
    around = () if witness.loop is None else steps[witness.loop :]
    features = (pe.features for pe in run.states[0].cpus)
    cpus = tuple(f"cpu{i}{_features(f)}" for i, f in enumerate(features))
    roots = {*_ends(steps, problem), *(step for found in origins for step in found.steps)}
    telling = {
        *causes.nearest(roots, len(roots) + CAUSES_MAX),
        *(step.step for step in (*steps[-LAST_STEPS:], *around)),
    }
    because = (
        *(sentence for found in origins for sentence in found.sentences),
        *_never_mapped(shared, steps, problem),
        *_kept(shared, steps, around),
    )
    return Story(
        witness,
        cpus,
        events,
        frozenset(telling),
        problem,
        CATALOGUE.get(problem.property, "") if problem and problem.cpu is not None else "",
        {step.step: causes.sources(step.step) for step in steps},
        tuple(dict.fromkeys(because)),
        trace_digest(e.label for e in events),
        kernel,
    )


def _ends(steps: Sequence[RunStep], problem: Problem | None) -> Iterator[int]:
    """The last step, and of a run in which CPUs wait for ever, the last of each of them."""
    if not steps:
        return
    yield steps[-1].step
    if problem is None or problem.cpu is not None:
        return
    for cpu, state in enumerate(steps[-1].after.state.cpus):
        moves = ((s.step, s.move) for s in steps)
        own = [step for step, move in moves if move.kind == STEP and move.cpu == cpu]
        if own and not state.finished:
            yield own[-1]


def _features(features: Features) -> str:
    names = ["noabort"] if features.noabort else ["bbm3"] if features.tolerates_size_change else []
    return "".join(f" {name}" for name in names + ["ets2"] * features.ets2)


def _origins(shared: Shared, steps: Sequence[RunStep], problem: Problem | None) -> Iterator[Origin]:
    """Of two entries that disagree, where each came from."""
    if not steps or problem is None or problem.cpu is None or problem.property not in CONFLICTS:
        return
    end: Machine = steps[-1].after.state
    view = shared.view(end.cpus[problem.cpu], end.memory)
    conflict = getattr(view, CONFLICTS[problem.property])()
    if conflict is None or conflict.stage2:
        return
    for entry in (conflict.first, conflict.second):
        size = shared.geometry.pages(entry.level)
        one = entry.part((conflict.page - entry.va) // size, 1, shared.geometry)
        yield origin(shared, steps, problem.cpu, one)


def _never_mapped(
    shared: Shared, steps: Sequence[RunStep], problem: Problem | None
) -> Iterator[str]:
    """Of an access that faults in the end: that its address was never mapped, if so it is."""
    if problem is None or not steps or not any(" fault" in n for n in steps[-1].move.notes):
        return
    move, state = steps[-1].move, steps[-1].before.state
    op = state.cpus[move.cpu].point.op
    if op is None or op.mnemonic.partition(".")[0] not in ACCESSES:
        return
    page = shared.geometry.page(op.args[0])
    for step in steps:
        cpu = step.before.state.cpus[move.cpu]
        *_, newest = cpu.mmu.regime.contexts()
        tables = step.before.state.memory.tables
        if not isinstance(walk_root(shared.geometry, tables, newest, page), Fault):
            return
    yield f"cpu{move.cpu} never had a mapping of {shared.page_name(page)}, from the start on"


def _kept(shared: Shared, steps: Sequence[RunStep], around: Sequence[RunStep]) -> Iterator[str]:
    """What the accesses of a round may find in the TLB though the tables say otherwise now."""
    for step in around:
        move, state = step.move, step.before.state
        cpu = state.cpus[move.cpu]
        op = cpu.point.op
        if move.duty or op is None or op.mnemonic.partition(".")[0] not in ACCESSES:
            continue
        page = shared.geometry.page(op.args[0])
        now = by_current_tables(shared, cpu, state.memory, page)
        access = READ if op.mnemonic.startswith(("ld", "wait")) else WRITE
        for entry in shared.view(cpu, state.memory).matching(page):
            if "!" in move.label and permitted(entry.attributes, access, cpu.el):
                continue  # It does not explain the fault.
            if now != (entry.page + page - entry.va, entry.attributes):
                since = held_since(shared, steps, move.cpu, entry)
                when = "from the start" if since is None else f"since step {since}"
                rights = entry.attributes.text or "rw"
                yield (
                    f"cpu{move.cpu} may hold {described(shared, entry)} ({rights}) {when}, "
                    "and nothing in the round invalidates it"
                )
