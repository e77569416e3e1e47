"""One search of a model's states, with as much symmetry as its programs allow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from simbbm.arm64.symmetry import NotAlikeError
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
from simbbm.explore.search.space import Space
from simbbm.model import Model

Way = tuple[Verdict, str]
"""A way to fail: verdict and property."""


def way_of(node: Node[Any]) -> Way | None:
    """The way in which a run fails that ends here; None if it does not fail, or goes on."""
    if node.ended is None or node.problem is None:
        return None
    return Verdict(node.ended.value), node.problem.property


class Interrupted(KeyboardInterrupt):
    """Ctrl-C in a search. What it had met by then is kept, for who has a use for a part of it."""

    def __init__(self, attempt: Attempt) -> None:
        super().__init__()
        self.attempt = attempt


class Attempt:
    """One search of a model's states, and what it showed.

    On a machine made anew: which steps were met, and in which order, is part of the answer; and its
    states, which may be many, go when the search does.
    """

    def __init__(
        self,
        model: Model,
        limits: Limits,
        wanted: frozenset[Way] | None,
        tell: Callable[[Progress], object] | None = None,
        *,
        symmetry: bool = True,
        ample: bool = False,
    ) -> None:
        self.model = model
        self.space = Space(model.anew().system, symmetry=symmetry, ample=ample)
        self.search = Search(self.space, limits, wanted, tell)
        try:
            self.searched = self._searched()
        except NotAlikeError:
            self.space = Space(model.anew().system, symmetry=False, ample=ample)
            self.search = Search(self.space, limits, wanted, tell)
            self.searched = self._searched()
        self.space.machine.recheck()

    def _searched(self) -> Searched:
        try:
            return self.search.run()
        except KeyboardInterrupt:
            self.searched = self.search.so_far(INTERRUPTED)
            raise Interrupted(self) from None

    def found(self, way: Way) -> Failure | None:
        """The nearest failure of this kind, if one was met."""
        return next((f for f in self.searched.failures if f.way == way), None)

    def failure(self, wanted: frozenset[Way] | None) -> Failure | None:
        """The nearest failure, one of those that are wanted if there is any."""
        failures = self.searched.failures
        asked = (f for f in failures if wanted is None or f.way in wanted)
        return next(asked, failures[0] if failures else None)
