"""`--drop`, `--weaken`, `--delay`, `--insert`, `--swap`: changes of the named scenarios.

They become part of ids, so that whatever is found by an id, in other processes and later, has them
too. What a change means is `simbbm.changes`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from simbbm.cli.options import ids_on_the_line
from simbbm.core.errors import UsageError
from simbbm.host.reading import quoted

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from simbbm.explore.counterexample.named_steps import NamedStep

F = TypeVar("F", bound=Callable[..., Any])


class Option(NamedTuple):
    """How one kind of edit is written."""

    metavar: str
    change: str
    """In an id; a kind that takes something else ends in a colon."""
    example: str
    help: str


OPTIONS = {
    "drop": Option("STEP", "remove", "", "Leave this step out (simbbm steps lists them)."),
    "weaken": Option("STEP=OP", "weaken:", "split_pmd.dsb.ishst=dmb.ishst", "A weaker OP instead."),
    "delay": Option("STEP", "delay", "", "Do the next step before this one."),
    "insert": Option(
        "[before:]STEP=OP", "after:", "before:split_pmd.str=isb", "Add OP after it, or before it."
    ),
    "swap": Option("STEP=STEP", "swap:", "change.dsb.ish=change.str#2", "Two steps change places."),
}


class StepName(click.ParamType[str]):
    """A step, or a step and what an edit puts there."""

    def __init__(self, edit: str) -> None:
        self.name = edit

    def shell_complete(
        self,
        ctx: click.Context,
        param: click.Parameter,  # noqa: ARG002 - as click calls it
        incomplete: str,
    ) -> list[CompletionItem[str]]:
        """Return the steps of the scenario that stands before the option, as one polite run has."""
        from click.shell_completion import CompletionItem

        from simbbm import discovery
        from simbbm.core.errors import SimbbmError
        from simbbm.explore.counterexample.named_steps import steps_of_a_run
        from simbbm.model import Model

        try:
            known = steps_of_a_run(Model(discovery.find(ids_on_the_line(ctx)[0])))
        except (IndexError, SimbbmError):
            return []
        before = "before:" if incomplete.startswith("before:") else ""
        answers = self._answers(known, incomplete.removeprefix(before))
        return [CompletionItem(f"{before}{answer}") for answer in answers]

    def _answers(self, known: list[NamedStep], typed: str) -> list[str]:
        from simbbm.changes import OPERATIONS

        names = [step.name for step in known]
        step, separator, _ = typed.partition("=")
        if self.name == "weaken":
            every = [f"{s.name}={form}" for s in known for form in s.weaker]
        elif separator:
            every = [f"{step}={o}" for o in (names if self.name == "swap" else OPERATIONS)]
        else:
            every = names
        return [answer for answer in every if answer.startswith(typed)]


def edit_options(command: F) -> F:
    """Give a command `--drop`, `--weaken`, `--delay`, `--insert` and `--swap`."""

    @wraps(command)
    def edited(ids: tuple[str, ...], **given: Any) -> Any:
        asked = [(name, text) for name in OPTIONS for text in given.pop(name)]
        changes = "".join(_change(name, text) for name, text in asked)
        return command(tuple(_changed(ids, changes)), **given)

    for name, option in reversed(OPTIONS.items()):
        edited = click.option(
            f"--{name}",
            type=StepName(name),
            multiple=True,
            metavar=option.metavar,
            help=option.help,
        )(edited)
    return edited  # type: ignore[return-value]


def _change(name: str, text: str) -> str:
    """What an option's value adds to an id; UsageError if a part of it is missing."""
    option = OPTIONS[name]
    if "=" not in option.metavar:
        return f"~{option.change}~{text}"
    step, separator, other = text.rpartition("=")
    if not (separator and step and other):
        hint = f"write {option.metavar}, {option.example}"
        raise UsageError(f"--{name} {quoted(text)} is not {option.metavar}", hint)
    if name == "insert" and step.startswith("before:"):
        return f"~before:{other}~{step.removeprefix('before:')}"
    return f"~{option.change}{other}~{step}"


def _changed(ids: Iterable[str], changes: str) -> Iterator[str]:
    if changes and not ids:
        raise UsageError("an edit is of a scenario", "name it: STEM::NAME or FILE.py::NAME")
    for scenario in ids:
        if changes and "::" not in scenario:
            raise UsageError(
                f"{quoted(scenario)}: an edit is of one scenario", "name it: STEM::NAME"
            )
        yield scenario + changes
