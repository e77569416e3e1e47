"""The steps that a scenario's programs can contain, read from their code without running it.

An edit names routines and steps. A name that no code can produce is a mistake, refused before
anything is searched; a step that no schedule reaches is found by the search (`explore.runs.live`).

The result errs towards "can": both sides of a branch, every variant of a barrier whose name is
computed, and a function that is passed on as a value counts as called.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from inspect import iscoroutinefunction
from typing import Any, NamedTuple

from simbbm.arm64.ops import mnemonics
from simbbm.core.errors import EditError
from simbbm.core.programs.automaton import Automaton
from simbbm.core.programs.code import scan
from simbbm.core.programs.edits import Edits
from simbbm.core.programs.labels import is_call, parts
from simbbm.core.values import qualified_name

Function = Any
"""A Python function, compared by identity."""


class Edit(NamedTuple):
    """What an edit does, and to which step or routine."""

    done: str
    name: str


class Steps:
    """The routines and steps of an automaton's programs, as far as their code tells."""

    def __init__(self, automaton: Automaton, roots: Iterable[Function]) -> None:
        self._reached = automaton.purity.functions
        values = [r for each in self._reached.values() for r in each if not r.called]
        self._values = {r.function: r.framed for r in (*values, *automaton.purity.values)}
        """Functions that are passed on as values, and whether they are routines."""
        self._replaced = dict(automaton.edits.replace)
        self._at_calls = [
            (_bare(name), new) for name, new in automaton.edits.replace if is_call(name)
        ]
        """What runs in place of certain calls; the last two of the names are who calls whom."""
        self._frames: dict[str, set[Function]] = {}
        """Functions that may be frames, by their names in labels."""
        for root in roots:
            # A program keeps its name where an edit replaces it.
            self._frames.setdefault(root.__name__, set()).update((root, self._edited(root)))
        named = [r for each in self._reached.values() for r in each]
        at_calls = (new for _, new in self._at_calls)
        for function in (*(r.function for r in named if r.framed), *self._values, *at_calls):
            for each in filter(iscoroutinefunction, (function, self._edited(function))):
                self._frames.setdefault(each.__name__, set()).add(each)
        self._inlined: dict[Function, set[Function]] = {}

    def _edited(self, function: Function) -> Function:
        return self._replaced.get(qualified_name(function), function)

    def unknown(self, edits: Edits) -> list[Edit]:
        """The edits that name a step or routine which no code can produce."""
        steps = [
            *(Edit("drops", pattern) for pattern in edits.drop),
            *(Edit("weakens", pattern) for pattern, _ in edits.weaken),
            *(Edit("does more before", pattern) for pattern, _ in edits.before),
            *(Edit("does more after", pattern) for pattern, _ in edits.after),
            *(Edit("delays", later.step) for later in edits.later if not later.behind),
            *(Edit("swaps", n) for e in edits.later if e.behind for n in (e.step, e.behind)),
        ]
        routines = self._routines()
        replaced = (
            Edit("replaces", name)
            for name, _ in edits.replace
            if not (self._frames_at(_bare(name)) if is_call(name) else name in routines)
        )
        return [*(edit for edit in steps if not self._can(edit.name)), *replaced]

    def error(self, scenario: str, edit: Edit) -> EditError:
        """What is to be said of such an edit: what it names, and what comes near."""
        if edit.done == "replaces" and is_call(edit.name):
            near, why = self._nearest_call(edit.name), "nothing is called there"
        elif edit.done == "replaces":
            near, why = _closest(edit.name, self._routines()), "nothing calls it"
        else:
            near, why = self._nearest(edit.name), "no step is called that"
        return EditError(f"{scenario} {edit.done} {edit.name}, but {why}", f"nearest: {near}")

    def _routines(self) -> set[str]:
        return {qualified_name(f) for functions in self._frames.values() for f in functions}

    def _nearest(self, pattern: str) -> str:
        """The nearest names.

        Steps of the same routine first, and of those the ones with the same beginning.
        """
        *callers, routine, step = parts(pattern)
        path = "".join(f"{caller}/" for caller in callers)
        named = {name: {f"{name}.{s}" for s in self._steps(name)} for name in self._frames}
        near = routine if named.get(routine) else _closest(routine, filter(named.get, named))
        own, wanted = named.get(near, set()), f"{near}.{step}"
        longer = sorted(known for known in own if known.startswith(wanted))
        found = longer[0] if longer else _closest(wanted, own)
        return path + found if path and self._can(path + found) else found

    def _can(self, pattern: str) -> bool:
        """Whether a step may have this name."""
        *routines, step = parts(pattern)
        frames = self._frames_at(_bare("/".join(routines)))
        return bool(frames) and _without_number(step) in self._steps_of(frames)

    def _frames_at(self, routines: list[str]) -> set[Function]:
        """What may run as the last of some routines, of which each calls the next."""
        frames = self._frames.get(routines[0], set())
        for name in routines[1:]:
            callees = self._frames.get(name, set())
            frames = {f for f in callees if any(f in self._calls(caller) for caller in frames)}
        return frames

    def _nearest_call(self, pattern: str) -> str:
        """Of the calls of the same routine, or of one with such a name, the one that comes near."""
        *_, caller, _ = _bare(pattern)
        who = caller if caller in self._frames else _closest(caller, self._frames)
        callees = {f.__name__ for frame in self._frames[who] for f in self._calls(frame)}
        named = {f"{who}/{name}" for name in callees & self._frames.keys()}
        return _closest("/".join(_bare(pattern)[-2:]), named)

    def _calls(self, function: Function) -> set[Function]:
        """Whom a frame may call: what it names, and whatever was handed to it."""
        named = [r.function for f in self._inline(function) for r in self._reached[f]]
        named += self._values
        here = {(function.__name__, f.__name__) for f in named}
        at_calls = (new for names, new in self._at_calls if tuple(names[-2:]) in here)
        return {each for f in (*named, *at_calls) for each in (f, self._edited(f))}

    def _steps(self, name: str) -> set[str]:
        return self._steps_of(self._frames.get(name, set()))

    def _steps_of(self, frames: Iterable[Function]) -> set[str]:
        return {step for frame in frames for f in self._inline(frame) for step in _own_steps(f)}

    def _inline(self, function: Function) -> set[Function]:
        """A frame's function, and those that it may await without a frame of their own."""
        known = self._inlined.get(function)
        if known is None:
            known, waiting = set(), [function]
            waiting += [f for f, framed in self._values.items() if not framed]
            while waiting:
                here = waiting.pop()
                if here in self._reached and here not in known:
                    known.add(here)
                    waiting += [r.function for r in self._reached[here] if not r.framed]
            self._inlined[function] = known
        return known


def _own_steps(function: Function) -> Iterator[str]:
    """The steps that a function's own code asks its CPU for."""
    scanned = scan(function.__code__)
    if scanned.computes_names and function.__name__ != "__getattr__":
        # A record's __getattr__ forwards a name that is in the code of its user.
        yield from mnemonics(None, None, scanned.words)
    for method in scanned.methods:
        yield from mnemonics(method.name, method.operand, scanned.words)
    if scanned.asserts:
        yield "panic"


def _bare(path: str) -> list[str]:
    """The names of routines on a path, without the numbers of calls."""
    return [_without_number(name) for name in path.split("/")]


def _without_number(name: str) -> str:
    return name.partition("#")[0]


def _closest(name: str, known: Iterable[str]) -> str:
    return next(iter(get_close_matches(name, sorted(known), n=1, cutoff=0.0)), "none")
