"""`simbbm guide`: pages that answer what a reader of a verdict asks next."""

from __future__ import annotations

from importlib import resources

import click

from simbbm.cli.options import examples
from simbbm.core.errors import UsageError
from simbbm.host.folding import reflowed
from simbbm.host.reading import nearest
from simbbm.host.terminal import echo, width

ORDER = (
    "first",
    "counterexample",
    "scenarios",
    "verdicts",
    "results",
    "litmus",
    "python",
    "pytest",
    "interrupted",
    "model",
    "protocol",
    "mutants",
    "rules",
    "trust",
    "late_cpu",
    "design",
    "contributing",
    "changelog",
)
"""Topics, as one would read them: what is modelled, why one may believe it, how to go on."""


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
    if topic not in known:
        close = nearest(topic, known, cutoff=0.0)
        hint = f"pages are {', '.join(known)}" + (f"; nearest: {close}" if close else "")
        raise UsageError(f"no page {topic}", hint)
    text, columns = known[topic], width()
    if columns is not None and columns < max(map(len, text.split("\n"))):
        text = reflowed(text, columns)
    echo(text, nl=False)
