"""`simbbm list`: what there is, what is expected of it, and what can be changed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from shutil import get_terminal_size

import click

from simbbm.cli.options import common, examples
from simbbm.core.errors import SimbbmError
from simbbm.host.terminal import complain, echo, style
from simbbm.report.rows import PropertyRow, RoutineRow, Row, ScenarioRow, encode
from simbbm.scenario import Scenario


@click.command(
    "list",
    epilog=examples(
        "simbbm list linear_map_split",
    ),
)
@click.argument("paths", nargs=-1, metavar="[PATH...]")
@click.option("--properties", is_flag=True, help="Explain each property instead.")
@click.option("--routines", is_flag=True, help="Say which kernel each routine was read from.")
@common
def command(
    paths: tuple[str, ...],
    *,
    properties: bool,
    routines: bool,
    as_json: bool,
    log_format: str,  # noqa: ARG001 - nothing is logged here
) -> None:
    """List scenarios: expectation, story, parameters.

    Without PATH the shipped ones, room by room; a PATH is a file, a folder, a stem or an id.
    """
    from simbbm.ids import room_of

    if properties:
        _list_properties(as_json=as_json)
        return
    if routines:
        _list_routines(as_json=as_json)
        return
    last = None
    for scenario in _named(paths) if paths else _all():
        room = room_of(scenario.id)
        row = _row(scenario, room.name if room else None)
        if as_json:
            echo(encode(row))
            continue
        if room and room is not last and not paths:
            echo(f"{style(f'{room.name}: {room.about}', fg='cyan')}")
        last = room
        _show(row, scenario)


def _named(paths: tuple[str, ...]) -> list[Scenario]:
    from simbbm import discovery

    return discovery.select(paths)


def _all() -> list[Scenario]:
    """Everything that is installed; another distribution's defect does not hide the rest."""
    from simbbm import discovery

    return discovery.installed(_warn)


def _warn(name: str, error: SimbbmError) -> None:
    complain(f"warning: entry point {name}: {error}")


def _row(scenario: Scenario, room: str | None) -> ScenarioRow:
    return ScenarioRow(
        id=scenario.id,
        room=room,
        expect=str(scenario.expect),
        twin_of=scenario.twin_of,
        evidence=scenario.evidence,
        params={p.name: p.as_json() for p in scenario.parameters},
        story=scenario.story,
        origin=scenario.origin,
        smallest=scenario.smallest_machine,
    )


def _show(row: ScenarioRow, scenario: Scenario) -> None:
    """Print the id first, so that it can be copied; a twin's parameters only where they differ."""
    colour = "green" if row.expect == "HOLDS" else "yellow"
    echo(f"{style(row.id, bold=True)}  {style(row.expect, fg=colour)}")
    indent = "    "
    width = get_terminal_size((100, 24)).columns
    echo(click.wrap_text(row.story, width, indent, indent))
    parent = {p.name: p for p in scenario.parent.parameters} if scenario.parent else {}
    changed = [p for p in scenario.parameters if p != parent.get(p.name)]
    if changed:
        shown = (f"{p.name}={p.default}" + ("" if parent else f" ({p.allowed})") for p in changed)
        _wrapped("    -p ", shown)
    if scenario.smallest:
        _wrapped("    smallest: ", (f"{n}={value}" for n, value in scenario.smallest.items()))


def _wrapped(head: str, items: Iterable[str]) -> None:
    """Print items side by side, on as many lines as they need."""
    width = get_terminal_size((100, 24)).columns
    line = head
    for part in (part for item in items for part in _broken(item, width - len(head))):
        if len(line) + len(part) > width and line.strip():
            echo(line.rstrip())
            line = " " * len(head)
        line += f"{part}  "
    echo(line.rstrip())


def _broken(item: str, width: int) -> Iterator[str]:
    """An item; one that is longer than a line, in parts that end with a bar."""
    part = ""
    for choice in re.split(r"(?<=\|)", item):
        if part and len(part) + len(choice) > width:
            yield part
            part = ""
        part += choice
    yield part


def _list_properties(*, as_json: bool) -> None:
    from simbbm.check.catalogue import CATALOGUE

    for name, meaning in CATALOGUE.items():
        row: Row = PropertyRow(name=name, meaning=meaning)
        echo(encode(row) if as_json else f"{style(name, bold=True)}\n    {meaning}")


def _list_routines(*, as_json: bool) -> None:
    """By the model's file: the routine, what of the kernel it is, and since when it is so."""
    from simbbm.sources import sources, table

    last = None
    for source in sources():
        if as_json:
            echo(encode(RoutineRow(**source._asdict())))
            continue
        if source.file != last:
            echo(style(source.file, bold=True))
        last = source.file
        today = f" (today {source.today})" if source.today else ""
        echo(f"    {source.routine}: {source.kernel}{today}, {source.read_from}")
    if not as_json:
        echo(style("names of today", bold=True))
        for then, now in table()["today"].items():
            echo(f"    {then}: {now}")
