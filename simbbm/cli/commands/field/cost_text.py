"""What `simbbm cost` prints for people: tables of at most 80 columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from simbbm.field.cost.answer import Answer, of
from simbbm.field.cost.cases import told
from simbbm.field.cost.published import PAINTING, TABLES, UNBATCHED
from simbbm.field.cost.window import Spread
from simbbm.host.amounts import amount
from simbbm.report.field_rows import CostRow, PublishedRow

WIDTH = 80
HEADS = ("low", "median", "high")
UNITS = (("s", 1000.0), ("ms", 1.0), ("us", 0.001))
"""And how many milliseconds they are."""
CPUS = "CPUs"
ABOUT = {
    TABLES: "tables that blocks save",
    PAINTING: "map_mem(), batched barriers",
    UNBATCHED: "map_mem() before that",
}
PUBLISHED = """\
map_mem() made PTEs of all memory at boot (2024, v6.9-rc1); what is predicted is
the part `splitting`, in the last table with a barrier behind every entry.
fitted: the model was fitted to this figure, which so checks nothing. missed:
the figure is not within what is predicted. Nobody has published a window."""
ENDS = "Low and high\nleave out a run in twenty at either end."
CAVEAT = "A model, not a measurement: simbbm guide cost says what it cannot know."
Line = Sequence[str]


def of_machine(answer: Answer) -> str:
    """A machine, its tables, its window part by part, and what-ifs."""
    row = answer.own
    begins = ", ".join(f"{count:,} {kind}" for kind, count in row.blocks.items() if count)
    parts = [(part, *_times(of(times))) for part, times in row.parts_ms.items()]
    return "\n".join(
        (
            f"{row.ram / 2**30:,.6g} GiB of RAM, {row.granule} pages, {row.cpus} CPUs",
            f"mapped by {begins}",
            f"{amount(row.tables, 'table')} more when split to pages: {_mib(row)} MiB, exactly",
            "",
            _table(("window", *HEADS), [*parts, _whole("all of it", row)]),
            _table(
                ("what if", *HEADS, "MiB"),
                [
                    (
                        *_whole(told(other.what_if or "", answer.machine, answer.lacking), other),
                        _mib(other),
                    )
                    for other in answer.what_ifs()
                ],
            ),
            f"{amount(row.runs, 'run')} of the cost model {row.model}, seed {row.seed}. {ENDS}",
            CAVEAT,
        )
    )


def of_growth(growing: dict[str, list[tuple[str, CostRow]]]) -> str:
    """How the window and the tables grow; with CPUs, the window without the splitting."""
    return "\n".join(
        _table(
            (f"{about}; but splitting:" if about == CPUS else about, *HEADS, "MiB"),
            [(name, *_grown(about, row), _mib(row)) for name, row in rows],
        )
        for about, rows in growing.items()
    )


def _grown(about: str, row: CostRow) -> tuple[str, ...]:
    return _times(of(row.others_ms if about == CPUS else row.window_ms))


def of_published(rows: Iterable[PublishedRow]) -> str:
    """Published figures beside what is predicted."""
    kinds: dict[str, list[Line]] = {}
    for row in rows:
        show = _time if row.unit == "ms" else _mib_of
        mark = "fitted" if row.fitted else "" if row.met else "missed"
        figures = (row.published, *of(row.predicted))
        line = (f"{row.machine}, {row.ram >> 30} GB", *map(show, figures), mark)
        kinds.setdefault(row.what, []).append(line)
    tables = [_table((ABOUT[w], "published", *HEADS, ""), lines) for w, lines in kinds.items()]
    return "\n".join((*tables, PUBLISHED))


def _whole(name: str, row: CostRow) -> tuple[str, ...]:
    return name, *_times(of(row.window_ms))


def _times(times: Spread) -> tuple[str, ...]:
    return tuple(map(_time, times))


def _time(ms: float) -> str:
    """Milliseconds as one would say them."""
    if not ms:
        return "0"
    unit, size = next((u, s) for u, s in UNITS if ms >= s or u == "us")
    value = ms / size
    return f"{value:.{2 if value < 10 else 1 if value < 100 else 0}f} {unit}"


def _mib_of(mib: float) -> str:
    return f"{mib:,.1f} MiB"


def _mib(row: CostRow) -> str:
    return f"{row.table_bytes / 2**20:,.1f}"


def _table(heads: Line, lines: Iterable[Line]) -> str:
    """A table; the first column is text, the others are numbers."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="")
    for column, head in enumerate(heads):
        table.add_column(head, justify="right" if column else "left", no_wrap=True)
    for line in lines:
        table.add_row(*line)
    console = Console(width=WIDTH, color_system=None, force_terminal=False)
    with console.capture() as captured:
        console.print(table)
    return "\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n"
