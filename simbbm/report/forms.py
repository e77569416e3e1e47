"""The forms in which a counterexample is written: one table, from which `show` has its choices.

A form is a function from a request (a case, and how it is wanted) to what is written: text, bytes,
or lines with a style for a terminal. What it asks of the case is found out then, and its module is
imported when it is asked for. A new form is a
row of the table and its module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple

from simbbm.core.errors import UsageError

if TYPE_CHECKING:
    from simbbm.report.columns import Line
    from simbbm.report.told.case import Case


class Request(NamedTuple):
    """What is to be written, and how."""

    case: Case
    everything: bool = False
    """Leave out no step."""
    width: int = 100
    """Of a text's lines."""
    replay: str = ""
    """The command that replays it."""


class Form(NamedTuple):
    """One way to write a counterexample."""

    about: str
    """Ends the sentence "it is written as"."""
    made_by: str
    """Module and function."""
    binary: bool = False
    """It is no text: a terminal does not get it."""
    extra: str = ""
    """The package that it needs, which is also the name of simbbm's extra that installs it."""


FORMS = {
    "columns": Form("one column a CPU", "simbbm.report.columns:as_columns"),
    "ftrace": Form(
        "ftrace text, for Perfetto and scripts", "simbbm.report.traces.ftrace:as_ftrace"
    ),
    "html": Form("a page to step through in a browser", "simbbm.report.html.page:as_html"),
    "json": Form("the whole trace as JSON", "simbbm.report.as_json:as_json"),
    "litmus": Form(
        "a litmus test in herd7's format, where it is one",
        "simbbm.report.traces.as_litmus:as_litmus",
    ),
    "mermaid": Form(
        "a sequence diagram, for Markdown pages", "simbbm.report.traces.mermaid:as_mermaid"
    ),
    "perfetto": Form(
        "a trace for ui.perfetto.dev",
        "simbbm.report.traces.perfetto_trace:as_perfetto",
        binary=True,
        extra="perfetto",
    ),
}


def require(name: str) -> None:
    """Raise UsageError if there is no such form, or its package is not installed."""
    if name not in FORMS:
        raise UsageError(f"no form {name}", f"forms are {', '.join(FORMS)}")
    extra = FORMS[name].extra
    if extra and find_spec(extra) is None:
        raise UsageError(f"--as {name} needs the package {extra}", f"pip install 'simbbm[{extra}]'")


def written(name: str, request: Request) -> str | bytes | Iterable[Line]:
    """Write a counterexample in the form of this name."""
    require(name)
    module, _, function = FORMS[name].made_by.partition(":")
    form: Callable[[Request], str | bytes | Iterable[Line]]
    form = getattr(import_module(module), function)
    return form(request)


def whole(content: str | bytes | Iterable[Line]) -> str | bytes:
    """What was written as one text, without colours, or as bytes."""
    if isinstance(content, str | bytes):
        return content
    return "".join(f"{line.text}\n" for line in content)
