"""One search of a model's states, with as much symmetry as its programs allow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from simbbm.arm64.machine import Arm64
from simbbm.check.verdict import Verdict
from simbbm.core.graph import Node
from simbbm.explore.search.breadth_first import (
    INTERRUPTED,
    Failure,
    Limits,
    Progress,
    Search,
    Searched,
)
from simbbm.explore.search.reductions.reduced_system import ReducedSystem
from simbbm.explore.search.reductions.symmetry import NotAlikeError
from simbbm.model import Model

FailureKind = tuple[Verdict, str]
"""Verdict and property."""


def failure_kind(node: Node[Any]) -> FailureKind | None:
    """(verdict, property) if this node ends a failing run, else None."""
    if node.ended is None or node.problem is None:
        return None
    return Verdict(node.ended.value), node.problem.property


class Interrupted(KeyboardInterrupt):
    """Ctrl-C in a search; keeps what it had found so far."""

    def __init__(self, attempt: Attempt) -> None:
        super().__init__()
        self.attempt = attempt


class Attempt:
    """One search of a model's states, and what it showed.

    It runs on a machine made anew: the steps that it reaches, and their order, are part of the
    result, and its states, which may be many, are freed with it. Who asks for failures alone may
    give it a `system` of the model that has been built already.
    """

    def __init__(
        self,
        model: Model,
        limits: Limits,
        wanted: frozenset[FailureKind] | None,
        tell: Callable[[Progress], object] | None = None,
        *,
        symmetry: bool = True,
        ample: bool = False,
        system: Arm64 | None = None,
    ) -> None:
        self.model = model
        built = system or model.anew().system
        self.space = ReducedSystem(built, symmetry=symmetry, ample=ample)
        self.search = Search(self.space, limits, wanted, tell)
        try:
            self.searched = self._searched()
        except NotAlikeError:
            self.space = ReducedSystem(model.anew().system, symmetry=False, ample=ample)
            self.search = Search(self.space, limits, wanted, tell)
            self.searched = self._searched()
        self.space.system.recheck()

    def _searched(self) -> Searched:
        try:
            return self.search.run()
        except KeyboardInterrupt:
            self.searched = self.search.so_far(INTERRUPTED)
            raise Interrupted(self) from None

    def found(self, way: FailureKind) -> Failure | None:
        """The nearest failure of this kind, if one was found."""
        return next((f for f in self.searched.failures if f.kind == way), None)

    def failure(self, wanted: frozenset[FailureKind] | None) -> Failure | None:
        """The nearest failure of a kind in `wanted` (None: any).

        Else the nearest failure of all.
        """
        failures = self.searched.failures
        asked = (f for f in failures if wanted is None or f.kind in wanted)
        return next(asked, failures[0] if failures else None)
