"""A recorded run, and what is found out about it when somebody asks: nothing before.

Forms of report ask for what they show. The story of a run takes a replay, an explanation takes
searches, and both are remembered beside a witness's file; a form that shows neither states nor what
is not remembered yet needs no machine, nor what builds one. So the imports are here, where it is
known that they are needed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from simbbm.explore.counterexample.explanation import STATES, Explanation
from simbbm.explore.witness.record import Witness
from simbbm.report.told.remembered import NOTHING, Remembered, recall
from simbbm.report.told.story import Story

if TYPE_CHECKING:
    from simbbm.model import Model
    from simbbm.report.told.telling import Replayed


class Case:
    """A witness, and all that can be said of it."""

    def __init__(
        self,
        witness: Witness,
        recorded: Callable[[], tuple[Witness, Model]],
        *,
        path: Path | None = None,
        states: int = STATES,
        curve_states: int | None = None,
    ) -> None:
        """`recorded` gives the witness with all parameters, and its model; `path` is its file.

        `states` limits each search, `curve_states` (None: the same) that for the probabilities.
        """
        self._witness = witness
        self._recorded = recorded
        self._path = path
        self._states = states
        self._curve_states = curve_states
        self.interrupted = False
        """Whether Ctrl-C came while it was explained; it is not explained then."""

    @cached_property
    def story(self) -> Story:
        """What happened, and why it is wrong."""
        if self._known.story:
            return self._known.story
        from simbbm.report.told.telling import story_of  # noqa: PLC0415 - see above

        story = story_of(self.run)
        self._remember(Remembered(story))
        return story

    @cached_property
    def explained(self) -> Explanation | None:
        """What the failure needs of the hardware, and how likely it is; None if it is no failure.

        Also None if Ctrl-C came first: the story can be told without.
        """
        if self._witness.property is None or self._known.explained:
            return self._known.explained
        from simbbm.explore.counterexample.explain import explain  # noqa: PLC0415 - see above

        try:
            found = explain(*self._model, self._states, self._curve_states)
        except KeyboardInterrupt:
            self.interrupted = True
            return None
        self._remember(Remembered(self.story, found))
        return found

    @cached_property
    def run(self) -> Replayed:
        """The replay, in states."""
        from simbbm.report.told.telling import replayed  # noqa: PLC0415 - see above

        return replayed(*self._model)

    @cached_property
    def _model(self) -> tuple[Witness, Model]:
        return self._recorded()

    @cached_property
    def _known(self) -> Remembered:
        return recall(self._witness, self._path, self._states) if self._path else NOTHING

    def _remember(self, known: Remembered) -> None:
        if self._path is not None:
            from simbbm.report.told.remembered import remember  # noqa: PLC0415 - see above

            remember(known, self._witness, self._model[1], self._path, self._states)
