"""Pictures of `simbbm cost`: the window against RAM and against CPUs, and its parts.

Drawn by matplotlib, the extra `plots`. The same answer gives the same bytes: no date, no random
identifiers.
"""

from __future__ import annotations

from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from simbbm.core.errors import UsageError
from simbbm.field.cost.answer import Answer, of
from simbbm.field.cost.timed import PARTS
from simbbm.field.cost.window import WHOLE
from simbbm.host import writing
from simbbm.host.reading import is_folder, quoted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FORMATS = (".svg", ".png")
COLOURS = {"4k": "#0072b2", "16k": "#d55e00", "64k": "#009e73"}
"""Of page sizes; three that nearly everybody can tell apart (Okabe and Ito)."""
BAND = 0.18
PLAIN = "{x:g}"
"""1000, and not a power of ten."""


def require_drawable(path: Path) -> None:
    """Raise UsageError unless a picture can be drawn and has a known format."""
    if path.suffix not in FORMATS:
        raise UsageError(f"{quoted(path)}: no format of a picture", f"write {' or '.join(FORMATS)}")
    if not is_folder(path.parent):
        raise UsageError(f"{quoted(path)}: cannot be written: there is no {quoted(path.parent)}")
    if find_spec("matplotlib") is None:
        raise UsageError("--plot needs the package matplotlib", "pip install 'simbbm[plots]'")


def draw(answer: Answer, path: Path) -> None:
    """Write the picture; UsageError if it cannot be written."""
    require_drawable(path)
    import matplotlib as mpl  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    with mpl.rc_context({"svg.hashsalt": "simbbm", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(13, 4.4), layout="constrained")
        ram, cpus, parts = figure.subplots(1, 3)
        _against_ram(ram, answer)
        _against_cpus(cpus, answer)
        _parts(parts, answer)
        own = answer.own
        figure.suptitle(
            f"Repaint of a linear map to pages: {own.ram / 2**30:,.6g} GiB, {own.granule} pages, "
            f"{own.cpus} CPUs. Line: median; band: 9 runs in 10 ({own.runs} runs, {own.model})"
        )
        picture = BytesIO()
        nobody = {"Date": None} if path.suffix == ".svg" else {"Software": None}
        figure.savefig(picture, format=path.suffix[1:], dpi=120, metadata=nobody)
    try:
        writing.write(path, picture.getvalue())
    except OSError as error:
        reason = writing.reason(error)
        raise UsageError(f"{quoted(path)}: cannot be written: {reason}") from None


def _against_ram(axes: Axes, answer: Answer) -> None:
    """The window against RAM, a line for each page size."""
    for granule, rows in answer.by_ram().items():
        times = [of(row.window_ms) for row in rows]
        gib = [row.ram / 2**30 for row in rows]
        colour = COLOURS[granule]
        axes.fill_between(
            gib, [t.low for t in times], [t.high for t in times], color=colour, alpha=BAND, lw=0
        )
        axes.plot(gib, [t.median for t in times], color=colour, marker="o", ms=3)
        axes.annotate(
            f"{granule} pages",
            (gib[-1], times[-1].median),
            xytext=(4, 0),
            textcoords="offset points",
            color=colour,
            va="center",
        )
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(gib, [f"{size:g}" for size in gib])
    axes.set_xlim(gib[0], gib[-1] * 2.6)
    axes.yaxis.set_major_formatter(PLAIN)
    _name(axes, "The window grows with memory", "RAM, GiB", "window, ms")


def _against_cpus(axes: Axes, answer: Answer) -> None:
    """The rest of the window against CPUs; what was told from fewer is dashed."""
    rows = answer.by_cpus()
    times = [of(row.others_ms) for row in rows]
    cpus = [row.cpus for row in rows]
    low, high = ([1000 * getattr(t, end) for t in times] for end in ("low", "high"))
    median = [1000 * t.median for t in times]
    axes.fill_between(cpus, low, high, color=COLOURS["4k"], alpha=BAND, lw=0)
    run = [n for n in cpus if n <= WHOLE[-1]]
    axes.plot(run, median[: len(run)], color=COLOURS["4k"], marker="o", ms=3, label="run whole")
    axes.plot(
        cpus[len(run) - 1 :],
        median[len(run) - 1 :],
        color=COLOURS["4k"],
        ls="--",
        label=f"extrapolated from {', '.join(map(str, WHOLE))}",
    )
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(cpus, [str(n) for n in cpus])
    axes.minorticks_off()
    axes.yaxis.set_major_formatter(PLAIN)
    axes.legend(frameon=False, loc="upper left")
    _name(axes, "All but splitting grows with CPUs", "CPUs", "all but splitting, us")


def _parts(axes: Axes, answer: Answer) -> None:
    """The parts of the window of the machine itself."""
    for place, part in enumerate(PARTS):
        times = of(answer.own.parts_ms[part])
        axes.barh(place, times.high - times.low, left=times.low, color=COLOURS["4k"], alpha=BAND)
        axes.plot([times.median] * 2, [place - 0.4, place + 0.4], color=COLOURS["4k"], lw=2)
    axes.set_xscale("log")
    axes.set_yticks(range(len(PARTS)), PARTS)
    axes.invert_yaxis()
    axes.xaxis.set_major_formatter(PLAIN)
    _name(axes, "Parts of the window", "ms", "")


def _name(axes: Axes, title: str, along: str, up: str) -> None:
    axes.set_title(title, fontsize=10, loc="left")
    axes.set_xlabel(along)
    axes.set_ylabel(up)
    axes.grid(visible=True, alpha=0.25, lw=0.6)
    axes.spines[["top", "right"]].set_visible(False)
