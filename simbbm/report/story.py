"""A story: a replayed witness with all that a report of any form needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from simbbm.arm64.context import Shared
from simbbm.arm64.cpu import Effect
from simbbm.arm64.descriptor import Descriptor
from simbbm.arm64.features import Features
from simbbm.arm64.state import Machine
from simbbm.arm64.translation.tlb import LeafEntry
from simbbm.arm64.translation.translate import READ, WRITE, permitted
from simbbm.arm64.translation.walks import Fault, walk_root
from simbbm.check.properties import CATALOGUE
from simbbm.core.system import STEP, Problem
from simbbm.core.trace import TraceEvent, trace_digest
from simbbm.explore.counterexample.explain import Explanation
from simbbm.explore.runs.exact import followed
from simbbm.explore.runs.play import RunStep
from simbbm.explore.witness.recording import Witness
from simbbm.model import Model
from simbbm.report.trace import event

LAST_STEPS = 12
LAST_STEPS_OF_EACH = 4
"""The last steps are never left out."""
ACCESSES = frozenset(
    ("ldr", "ldar", "ldapr", "ldxr", "ldaxr", "wait", "str", "stlr", "stxr", "stlxr", "ldaddal")
)
CONFLICTS = {"no_size_change_seen": "size_conflict", "no_tlb_conflict": "output_conflict"}
"""Properties that are broken by two entries, and the question that finds them in a view."""


class Story(NamedTuple):
    """What happened, and why it is wrong."""

    witness: Witness
    cpus: tuple[str, ...]
    """Each CPU's name, with those of its features that matter here."""
    events: tuple[TraceEvent, ...]
    telling: frozenset[int]
    """Steps that are needed to understand the end; a report never leaves them out."""
    problem: Problem | None
    meaning: str
    """What the broken property says."""
    because: tuple[str, ...]
    """Since when the conflicting entries have been held, or those that keep a livelock going."""
    digest: str
    """Of the whole trace, which a token does not keep."""
    explained: Explanation | None = None


def tell(witness: Witness, model: Model, explained: Explanation | None = None) -> Story:
    """Replay a witness and tell what happened."""
    model = model.anew()
    shared, steps = model.system.shared, [*followed(witness, model).played()]
    events = tuple(event(shared, step) for step in steps)
    problem = steps[-1].after.problem if steps else None
    telling = set(_telling(shared, steps, problem))
    around = [] if witness.loop is None else steps[witness.loop :]
    telling.update(step.step for step in around)
    cpus: tuple[str, ...] = ()
    if steps:
        features = (cpu.features for cpu in steps[0].before.state.cpus)
        cpus = tuple(f"cpu{i}{_features(f)}" for i, f in enumerate(features))
    return Story(
        witness,
        cpus,
        events,
        frozenset(telling | set(_issued(steps, telling))),
        problem,
        CATALOGUE.get(problem.property, "") if problem and problem.cpu is not None else "",
        (*_because(shared, steps, problem), *dict.fromkeys(_kept(shared, steps, around))),
        trace_digest(e.label for e in events),
        explained,
    )


def _features(features: Features) -> str:
    names = ["noabort"] if features.noabort else ["bbm3"] if features.tolerates_size_change else []
    return "".join(f" {name}" for name in names + ["ets2"] * features.ets2)


def _telling(shared: Shared, steps: list[RunStep], problem: Problem | None) -> Iterator[int]:
    """The steps that lead up to the end, and where a CPU is to blame, what it may hold and why."""
    yield from (step.step for step in steps[-LAST_STEPS:])
    for cpu in range(len(steps[0].before.state.cpus) if steps else 0):
        moves = ((s.step, s.before.moves[s.k]) for s in steps)
        own = [step for step, move in moves if move.kind == STEP and move.cpu == cpu]
        yield from own[-LAST_STEPS_OF_EACH:]
    if problem is None or problem.cpu is None:
        return
    for step in steps:
        if _held(shared, step.before.state, problem.cpu) != _held(
            shared, step.after.state, problem.cpu
        ):
            yield step.step


def _issued(steps: list[RunStep], drains: set[int]) -> Iterator[int]:
    """Where the stores were issued that reach memory at these steps."""
    pushed: dict[tuple[int, int], int] = {}
    for step in steps:
        move = step.before.moves[step.k]
        effect = move.effect
        assert isinstance(effect, Effect)
        stores = effect.cpu.buffer.stores
        if len(stores) > len(step.before.state.cpus[move.cpu].buffer.stores):
            pushed[move.cpu, stores[-1].address] = step.step
        elif effect.write and step.step in drains:
            yield pushed.get((move.cpu, effect.write[0]), step.step)


def _held(shared: Shared, state: Machine, cpu: int) -> tuple[object, ...]:
    """All that a CPU may hold: where it walks from, tables, leaves."""
    view = shared.view(state.cpus[cpu], state.memory)
    return view.roots, view.tables, view.leaves


def _because(shared: Shared, steps: list[RunStep], problem: Problem | None) -> Iterator[str]:
    """The two entries that disagree, and since when the CPU may hold each."""
    if problem is None or problem.cpu is None or problem.property not in CONFLICTS:
        return
    end: Machine = steps[-1].after.state
    view = shared.view(end.cpus[problem.cpu], end.memory)
    conflict = getattr(view, CONFLICTS[problem.property])()
    if conflict is None:
        return
    for entry in (conflict.first, conflict.second):
        size = shared.geometry.pages(entry.level)
        one = entry.part((conflict.page - entry.va) // size, 1, shared.geometry)
        since = _held_since(shared, steps, problem.cpu, one)
        when = "from the start" if since is None else f"since step {since}"
        yield f"cpu{problem.cpu} may hold {_entry(shared, one)} {when}"


def _kept(shared: Shared, steps: list[RunStep], around: list[RunStep]) -> Iterator[str]:
    """TLB entries that accesses of a livelock's loop may use although the tables say otherwise."""
    for step in around:
        move, state = step.before.moves[step.k], step.before.state
        cpu = state.cpus[move.cpu]
        op = cpu.point.op
        if move.duty or op is None or op.mnemonic.partition(".")[0] not in ACCESSES:
            continue
        page = shared.geometry.page(op.args[0])
        *_, newest = cpu.mmu.regime.contexts()
        now = walk_root(shared.geometry, state.memory.tables, newest, page)
        access = READ if op.mnemonic.startswith(("ld", "wait")) else WRITE
        for entry in shared.view(cpu, state.memory).matching(page):
            if "!" in move.label and permitted(entry.attributes, access, cpu.el):
                continue  # It does not explain the fault.
            if not _says(shared, now, entry, page):
                since = _held_since(shared, steps, move.cpu, entry)
                when = "from the start" if since is None else f"since step {since}"
                rights = entry.attributes.text or "rw"
                yield (
                    f"cpu{move.cpu} may hold {_entry(shared, entry)} ({rights}) {when}, "
                    "and nothing in the round invalidates it"
                )


def _says(shared: Shared, now: tuple[Descriptor, int] | Fault, entry: LeafEntry, page: int) -> bool:
    """Whether the tables give for a page what an entry gives."""
    if isinstance(now, Fault):
        return False
    descriptor, level = now
    output = descriptor.output + page % shared.geometry.pages(level)
    return (output, descriptor.attributes) == (entry.page + page - entry.va, entry.attributes)


def _held_since(shared: Shared, steps: list[RunStep], cpu: int, entry: LeafEntry) -> int | None:
    """The step since which an entry has been there all the time; None: ever since the start."""
    for step in reversed(steps):
        state: Machine = step.before.state
        leaves = shared.view(state.cpus[cpu], state.memory).leaves
        if not any(leaf.includes(entry, shared.geometry) for leaf in leaves):
            return int(step.step)
    return None


def _entry(shared: Shared, entry: LeafEntry) -> str:
    kind = "the page" if entry.level == 3 else f"the level {entry.level} block"
    contiguous = " (contiguous)" if entry.contiguous else ""
    return f"{kind} {shared.page_name(entry.va)}{contiguous}"
