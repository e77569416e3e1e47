"""Tasks side by side: one task, one process.

A search uses one core: after reductions a state space is too small to be split. So each has a
process of its own; if that dies, no other answer is lost. Answers are given in the order of the
tasks, each as soon as all before it have been given, and are the same for any number of processes.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Generic, NamedTuple, TypeVar

from simbbm import discovery
from simbbm.campaign.pool import worker_context
from simbbm.campaign.worker import initialise
from simbbm.core.errors import SimbbmError
from simbbm.host.defects import defect, whole_traceback

T = TypeVar("T")
A = TypeVar("A")


class Lost(NamedTuple):
    """A process that ended without an answer."""

    why: str
    interrupted: bool = False


class Broken(NamedTuple):
    """A task that could not be done."""

    error: SimbbmError


class SideBySide(Generic[T, A]):
    """Answers to tasks, each found by a process of its own, not more than `jobs` at a time.

    Function, tasks and answers have to be picklable. The answer for a task whose process was lost
    or interrupted is made by `unanswered` from the task and the reason. While the processes are
    waited for, the context `waiting` is entered with the names of their tasks.
    """

    def __init__(
        self,
        function: Callable[[T], A],
        unanswered: Callable[..., A],
        tasks: Sequence[T],
        jobs: int,
        waiting: Callable[[str], AbstractContextManager[object]],
    ) -> None:
        self._function = function
        self._unanswered = unanswered
        self._tasks = tasks
        self._jobs = jobs
        self._waiting = waiting
        scenarios = sorted(name for name in sys.modules if name.startswith(f"{discovery.PACKAGE}."))
        self._context = worker_context(function.__module__, discovery.__name__, *scenarios)
        self._begun = 0
        self._busy: dict[Connection, tuple[int, BaseProcess]] = {}
        self._answers: dict[int, A | Lost | Broken] = {}
        self._stopped = False

    def __iter__(self) -> Iterator[A]:
        """Yield the answers in order; after Ctrl-C only those of tasks that were begun."""
        try:
            for number in range(len(self._tasks)):
                while number not in self._answers and not self._stopped:
                    self._go_on()
                if number not in self._answers:
                    return
                answer = self._answers.pop(number)
                if isinstance(answer, Broken):
                    raise answer.error
                if isinstance(answer, Lost):
                    answer = self._unanswered(
                        self._tasks[number], answer.why, interrupted=answer.interrupted
                    )
                yield answer
        finally:
            self.stop()

    def _go_on(self) -> None:
        """Start as many processes as may run, then wait for answers and take them."""
        try:
            while len(self._busy) < self._jobs and self._begun < len(self._tasks):
                self._begin(self._begun)
            names = ", ".join(str(self._tasks[number]) for number, _ in self._busy.values())
            with self._waiting(names):
                ready = wait(list(self._busy))
            for connection in ready:
                assert isinstance(connection, Connection)
                self._take(connection)
        except KeyboardInterrupt:
            self.stop()

    def _begin(self, number: int) -> None:
        mine, theirs = self._context.Pipe(duplex=False)
        args = (theirs, self._function, self._tasks[number])
        process = self._context.Process(target=_serve, args=args, daemon=True)  # type: ignore[attr-defined]
        self._begun = number + 1
        self._busy[mine] = number, process
        process.start()
        theirs.close()

    def _take(self, connection: Connection) -> None:
        number, process = self._busy[connection]
        try:
            answer = connection.recv()
        except (EOFError, OSError):  # the process ended before it had sent its answer
            process.join()
            answer = Lost(f"its process was lost ({_how(process.exitcode)})")
        self._answers[number] = answer
        del self._busy[connection]
        connection.close()
        process.join()

    def stop(self) -> None:
        """End the processes, whatever they are doing; their tasks are interrupted."""
        self._stopped = True
        while self._busy:
            connection, (number, process) = self._busy.popitem()
            if process.pid is not None:
                process.kill()
                process.join()
            connection.close()
            self._answers[number] = Lost("interrupted", interrupted=True)


def _how(code: int | None) -> str:
    return f"killed by signal {-code}" if code is not None and code < 0 else f"exit code {code}"


def _serve(connection: Connection, function: Callable[[T], A], task: T) -> None:
    """The main function of a process: send one answer."""
    initialise()
    answer: A | Lost | Broken
    try:
        answer = function(task)
    except MemoryError:
        answer = Lost("out of memory")
    except SimbbmError as error:
        answer = Broken(error)
    except Exception as error:  # noqa: BLE001 - the parent raises it
        if whole_traceback():
            traceback.print_exc()
        answer = Broken(defect(error))
    with suppress(BrokenPipeError):  # the parent does not wait for it any more
        connection.send(answer)
