"""`simbbm guide`: pages that answer what a reader of a verdict asks next."""

from __future__ import annotations

from importlib import resources

import click

from simbbm.cli.options import examples
from simbbm.core.errors import UsageError


def pages() -> dict[str, str]:
    """The pages' texts (Markdown) by topic; the first line of each is its title."""
    folder = resources.files("simbbm") / "guide"
    files = sorted(folder.iterdir(), key=lambda file: file.name)
    return {
        file.name.removesuffix(".md"): file.read_text(encoding="utf-8")
        for file in files
        if file.name.endswith(".md")
    }


@click.command("guide", epilog=examples("simbbm guide", "simbbm guide trust"))
@click.argument("topic", required=False)
def command(topic: str | None) -> None:
    """Show a page of the guide; without TOPIC, which there are."""
    known = pages()
    if topic is None:
        width = max(map(len, known))
        for name, text in known.items():
            title = text.partition("\n")[0].removeprefix("# ")
            click.echo(f"  {name:<{width}}  {title}")
        return
    if topic not in known:
        from difflib import get_close_matches

        close = get_close_matches(topic, known, n=1, cutoff=0.0)
        raise UsageError(f"no page {topic}", f"pages are {', '.join(known)}; nearest: {close[0]}")
    click.echo(known[topic], nl=False)
