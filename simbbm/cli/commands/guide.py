"""`simbbm guide`: pages that answer what a reader of a verdict asks next.

On a terminal a page is set (headings, tables, code in colours) and goes through the pager; a pipe
gets the Markdown as it is, and so does a terminal under NO_COLOR.
"""

from __future__ import annotations

import os
from importlib import resources

import click

from simbbm.cli.options import examples
from simbbm.core.errors import UsageError
from simbbm.host.folding import reflowed
from simbbm.host.pager import show
from simbbm.host.reading import nearest
from simbbm.host.terminal import echo, width

ORDER = (
    "first",
    "counterexample",
    "scenarios",
    "verdicts",
    "results",
    "litmus",
    "kernel",
    "python",
    "json",
    "pytest",
    "ci",
    "campaign",
    "interrupted",
    "model",
    "protocol",
    "mutants",
    "rules",
    "trust",
    "every_n",
    "late_cpu",
    "field",
    "cost",
    "design",
    "contributing",
    "changelog",
)
"""Topics, as one would read them: what is modelled, why one may believe it, how to go on."""
WIDTH_MAX = 104
"""Longer lines are hard to read; code on the pages has up to 100 columns, and a margin."""


def pages() -> dict[str, str]:
    """The pages' texts (Markdown) by topic; the first line of each is its title."""
    folder = resources.files("simbbm") / "guide"
    return {topic: (folder / f"{topic}.md").read_text(encoding="utf-8") for topic in ORDER}


@click.command("guide", epilog=examples("simbbm guide", "simbbm guide trust"))
@click.argument("topic", required=False)
def command(topic: str | None) -> None:
    """Show a page of the guide; without TOPIC, which there are."""
    known = pages()
    if topic is None:
        longest = max(map(len, known))
        for name, text in known.items():
            title = text.partition("\n")[0].removeprefix("# ")
            echo(f"  {name:<{longest}}  {title}")
        return
    topic = topic.lower()
    if topic not in known:
        close = nearest(topic, known)
        hint = f"pages are {', '.join(known)}" + (f"; nearest: {close}" if close else "")
        raise UsageError(f"no page {topic}", hint)
    text, columns = known[topic], width()
    if columns is None:
        echo(text, nl=False)
    elif os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        show(reflowed(text, columns) if columns < max(map(len, text.split("\n"))) else text)
    else:
        show(typeset(text, columns))


def typeset(text: str, columns: int) -> str:
    """A page as it is shown on a terminal, with escape sequences for its colours."""
    from rich.console import Console
    from rich.markdown import Markdown

    console = Console(width=min(columns, WIDTH_MAX), force_terminal=True)
    with console.capture() as captured:
        console.print(Markdown(text, hyperlinks=False))
    return captured.get()
