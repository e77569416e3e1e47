"""Where an entry that a CPU may hold came from, and why nothing has removed it.

An entry is followed back through a run: since when it has been there all the time, by which walk it
gets there (from a live root, from one that a late TTBR still allows, or from a cached table), which
words the walk reads, and what the TLBIs left of it that acted on this CPU meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from simbbm.arm64.agents import ACTS
from simbbm.arm64.context import Shared
from simbbm.arm64.cpu import CpuState, Effect
from simbbm.arm64.state import Machine
from simbbm.arm64.translation.memory import Tables
from simbbm.arm64.translation.tlb import BY_IPA, LeafEntry, Tlbi
from simbbm.arm64.translation.view import View
from simbbm.arm64.translation.walks import Place, leaf_entries, read, table_entry
from simbbm.core.system import STEP
from simbbm.explore.counterexample.causes import written
from simbbm.explore.runs.play import RunStep


class Origin(NamedTuple):
    """The story of one entry."""

    since: int | None
    """The step since which it may be held all the time; None: ever since the start."""
    sentences: tuple[str, ...]
    """What it is and where from; then what happened to it."""
    steps: tuple[int, ...]
    """The steps that these are about."""


class _Way(NamedTuple):
    """One walk that leads to an entry: where it starts, and the word that it reads last."""

    start: str
    word: int


def origin(shared: Shared, steps: Sequence[RunStep], cpu: int, entry: LeafEntry) -> Origin:
    """Tell of an entry of a CPU's, which it may hold at the end of a run."""
    since = held_since(shared, steps, cpu, entry)
    state: Machine = steps[0].before.state if since is None else steps[since].after.state
    way = _way(shared, state.cpus[cpu], state.memory.tables, entry)
    telling = [] if since is None else [since]
    text = f"cpu{cpu} may hold {described(shared, entry)} {_begins(shared, steps, since)}"
    if way:
        text += f": {way.start} reads it at {shared.name(way.word)}"
    sentences = [text]
    later = steps[0 if since is None else since + 1 :]
    # Of several TLBIs the last one tells why the entry is there at the end.
    tlbi = next((step for step in reversed(later) if _acts(step, cpu)), None)
    for step in later:
        happened = None
        if step is tlbi:
            happened = _survives(shared, step, cpu, entry)
        elif way:
            happened = _replaced(shared, step, cpu, entry, way.word)
        if happened:
            sentences.append(happened)
            telling.append(step.step)
    for pending in steps[-1].after.state.cpus[cpu].pending_tlbis:
        if not pending.acted and pending.tlbi.remainder(entry, shared.geometry) != (entry,):
            issued = _issued(steps, pending.issuer, pending.tlbi)
            sentences.append(
                f"step {issued}: {shared.tlbi_name(pending.tlbi)} of cpu{pending.issuer} would "
                f"remove it, and has not acted on cpu{cpu} yet"
            )
            telling.append(issued)
    return Origin(since, tuple(sentences), tuple(telling))


def _issued(steps: Sequence[RunStep], issuer: int, tlbi: Tlbi) -> int:
    """The last step at which a CPU issued this TLBI."""
    for step in reversed(steps):
        move = step.move
        effect = move.effect
        assert isinstance(effect, Effect)
        if move.cpu == issuer and effect.tlbi == tlbi:
            return int(step.step)
    raise AssertionError("a TLBI that is pending was issued")


def held_since(shared: Shared, steps: Sequence[RunStep], cpu: int, entry: LeafEntry) -> int | None:
    """The step since which an entry has been there all the time; None: ever since the start."""
    for step in reversed(steps):
        state: Machine = step.before.state
        if not _holds(shared, shared.view(state.cpus[cpu], state.memory), entry):
            return int(step.step)
    return None


def described(shared: Shared, entry: LeafEntry) -> str:
    """What an entry is, and where it maps."""
    kind = "the page" if entry.level == 3 else f"the level {entry.level} block"
    contiguous = " (contiguous)" if entry.contiguous else ""
    return f"{kind} {shared.page_name(entry.va)}{contiguous}"


def _holds(shared: Shared, view: View, entry: LeafEntry) -> bool:
    return any(leaf.includes(entry, shared.geometry) for leaf in view.leaves)


def _begins(shared: Shared, steps: Sequence[RunStep], since: int | None) -> str:
    if since is None:
        return "from the start"
    move = steps[since].move
    words = written(move)
    if not words:
        return f"since step {since}"
    return f"since cpu{move.cpu}'s store reached {shared.name(words[0])} (step {since})"


def _way(shared: Shared, state: CpuState, tables: Tables, entry: LeafEntry) -> _Way | None:
    """The first walk, from a root or a cached table, that leads to an entry."""
    view = shared.mmus.view(state.mmu, tables)
    for start in view.starts(entry.va):
        place = start
        while (found := read(shared.geometry, tables, place, entry.va)) is not None:
            below = table_entry(*found)
            if below is None:
                leaves = leaf_entries(shared.geometry, *found)
                if any(leaf.includes(entry, shared.geometry) for leaf in leaves):
                    index = shared.geometry.index(entry.va - place.va, place.level)
                    return _Way(_start(shared, state, view, start.baddr), place.baddr + index)
                break
            place = Place(below.baddr, below.level + 1, below.va, below.asid)
    return None


def _start(shared: Shared, state: CpuState, view: View, baddr: int) -> str:
    """Where a walk starts, in words: `View.starts` has roots first, then cached tables."""
    name = _table(shared, baddr)
    if any(root == baddr for _, root, *_ in view.roots):
        *_, newest = state.mmu.regime.contexts()
        if any(root == baddr for root, *_ in newest.roots()):
            return f"a walk from {name}"
        return f"a walk from {name}, the root before (no context synchronisation yet),"
    return f"a walk from the cached table descriptor that leads to {name}"


def _table(shared: Shared, baddr: int) -> str:
    return shared.symbols.get(baddr) or f"the table at {baddr:#x}"


def _acts(step: RunStep, cpu: int) -> bool:
    """Whether a TLBI acts on a CPU with this step."""
    move = step.move
    if move.cpu == cpu and move.kind == ACTS:
        return True
    effect = move.effect
    assert isinstance(effect, Effect)
    before, after = step.before.state.cpus[cpu], step.after.state.cpus[cpu]
    at_once = effect.tlbi is not None and len(after.pending_tlbis) == len(before.pending_tlbis)
    return at_once and (move.cpu == cpu or (effect.tlbi is not None and effect.tlbi.broadcast))


def _survives(shared: Shared, step: RunStep, cpu: int, entry: LeafEntry) -> str:
    """Why a TLBI leaves an entry where it was."""
    move = step.move
    state: Machine = step.after.state
    after = state.cpus[cpu]
    effect = move.effect
    assert isinstance(effect, Effect)
    what = move.what if move.kind != STEP else str(effect.tlbi)
    told = f"step {step.step}: tlbi {what}"
    if what.startswith(tuple(BY_IPA)) and entry.vmid:
        return f"{told} leaves entries that combine both stages"
    if any(leaf.includes(entry, shared.geometry) for leaf in after.mmu.leaves):
        return f"{told} does not match it"
    way = _way(shared, after, state.memory.tables, entry)
    start = way.start if way else "a walk"
    return f"{told} removes it, but {start} may fetch it again"


def _replaced(shared: Shared, step: RunStep, cpu: int, entry: LeafEntry, word: int) -> str | None:
    """If a step takes an entry out of the tables: that it did, and that the CPU may keep it."""
    move = step.move
    if word not in written(move):
        return None
    before, after = (
        _way(shared, state.cpus[cpu], state.memory.tables, entry)
        for state in (step.before.state, step.after.state)
    )
    if after or not before:
        return None
    return (
        f"step {step.step}: {shared.name(word)} says otherwise from here on; what a TLB holds "
        "stays until it is invalidated"
    )
