"""Tasks side by side, each computed whole by one worker, and their answers in order.

A search uses one core: after reductions a state space is too small to be split. Answers are given
in the order of the tasks, each as soon as all before it have been given, and are the same for any
number of workers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from simbbm.campaign.events import Done, Dropped, Event, Interrupted, Lost, Raised, TimeUp
from simbbm.campaign.orchestrator import Orchestrator
from simbbm.campaign.pool import Pool

T = TypeVar("T")
A = TypeVar("A")


@dataclass
class TaskPlanner:
    """Which tasks, by their numbers, are given out next. One that is lost is not tried again."""

    tasks: int
    jobs: int
    next: int = 0
    under_way: list[int] = field(default_factory=list)
    back: dict[int, Done[int] | Raised[int] | Lost[int] | Interrupted] = field(default_factory=dict)
    """What has become of those that are not under way any more."""
    time_up: bool = False
    interrupted: bool = False

    @property
    def finished(self) -> bool:
        """Whether there is nothing to wait for."""
        return self.interrupted or (self.next == self.tasks and not self.under_way)

    def handle(self, *events: Event[int]) -> list[int]:
        """Record some events; return the tasks to begin now."""
        for event in events:
            match event:
                case Interrupted():
                    self.interrupted = True
                    self.back |= dict.fromkeys(self.under_way, event)
                    self.under_way.clear()
                case TimeUp():
                    self.time_up = True
                case Dropped(number):
                    self.under_way.remove(number)
                case Done(number) | Raised(number) | Lost(number):
                    self.under_way.remove(number)
                    self.back[number] = event
        if self.finished or self.time_up:
            return []
        first, last = self.next, min(self.tasks, self.next + self.jobs - len(self.under_way))
        self.next = last
        self.under_way += range(first, last)
        return [*range(first, last)]


class SideBySide(Generic[T, A]):
    """Answers to tasks, `function(task)` each, not more than `jobs` at a time.

    Function, tasks and answers have to be picklable. The answer for a task whose worker was lost or
    interrupted is made by `unanswered` from the task and the reason. While they are waited for, the
    context `waiting` is entered with the names of the tasks; `on_word` is called with what their
    functions say (`worker.say`).
    """

    def __init__(
        self,
        function: Callable[[T], A],
        unanswered: Callable[..., A],
        tasks: Sequence[T],
        jobs: int,
        waiting: Callable[[str], AbstractContextManager[object]] = nullcontext,
        on_word: Callable[[Any], object] | None = None,
    ) -> None:
        self._unanswered = unanswered
        self._tasks = tasks
        self._planner = planner = TaskPlanner(len(tasks), jobs)
        self._pool = Pool(jobs, on_word)
        self._orchestrator = Orchestrator(
            planner,
            self._pool,
            lambda number: (function, tasks[number]),
            waiting=lambda: waiting(", ".join(str(tasks[n]) for n in planner.under_way)),
        )

    def __iter__(self) -> Iterator[A]:
        """Yield the answers in order; after Ctrl-C only those of tasks that were begun."""
        with asyncio.Runner() as runner:
            try:
                for number, task in enumerate(self._tasks):
                    while number not in self._planner.back and not self._planner.finished:
                        self._advance(runner)
                    if number not in self._planner.back:
                        return
                    yield self._answer(task, self._planner.back.pop(number))
            finally:
                self.stop()

    def _advance(self, runner: asyncio.Runner) -> None:
        try:
            runner.run(self._orchestrator.advance())
        except KeyboardInterrupt:
            self.stop()
        if self._planner.interrupted:
            self.stop()

    def _answer(self, task: T, event: Done[int] | Raised[int] | Lost[int] | Interrupted) -> A:
        match event:
            case Done(_, answer):
                given: A = answer
                return given
            case Raised(_, error):
                raise error
            case Lost(_, why):
                return self._unanswered(task, why, interrupted=False)
            case Interrupted():
                return self._unanswered(task, "interrupted", interrupted=True)

    def stop(self) -> None:
        """End the workers, whatever they are doing; their tasks are interrupted."""
        self._planner.handle(Interrupted())
        self._pool.shutdown()
