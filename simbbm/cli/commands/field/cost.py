"""`simbbm cost`: what a split of the linear map costs a machine."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from simbbm.cli.options import Count, common, examples, seed_option
from simbbm.core.errors import UsageError
from simbbm.field.cost.tables import GRANULES, KINDS, Blocks, Span, map_memory
from simbbm.host.amounts import SIZE
from simbbm.host.reading import decimal, number, quoted
from simbbm.host.terminal import echo
from simbbm.report.rows import encode

if TYPE_CHECKING:
    from simbbm.field.cost.answer import Answer
    from simbbm.field.cost.window import Estimator

RUNS_MAX = 1_000
LEAVES_MAX = 1 << 40


class Ram(click.ParamType[Span]):
    """Memory, and where it begins, as in the kernel's `memmap=`."""

    name = "size[@start]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Span:
        """Read it."""
        if isinstance(value, Span):
            return value
        text, at, place = value.partition("@")
        size = SIZE.read(text)
        start = self._start(place) if at else 0
        if size is None or start is None:
            self.fail(f"{quoted(value)} is no memory: write 128g or 2g@0x80000000", param, ctx)
        return Span(start, start + int(size))

    def _start(self, text: str) -> int | None:
        if text.startswith(("0x", "0X")):
            return number(text, digits=16)
        size = 0 if text == "0" else SIZE.read(text)
        return None if size is None else int(size)


class Leaves(click.ParamType[Blocks]):
    """How many leaves of each kind."""

    name = "kind=n,..."

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Blocks:
        """Read it."""
        if isinstance(value, Blocks):
            return value
        found: dict[str, int] = {}
        for part in value.split(","):
            kind, _, text = part.partition("=")
            count = decimal(text)
            if kind not in KINDS or kind in found or count is None or count > LEAVES_MAX:
                told = f"{quoted(part)} is no number of leaves: write pud=9,contpmd=91"
                self.fail(f"{told} (of {', '.join(KINDS)})", param, ctx)
            found[kind] = count
        return Blocks(**found)


@click.command(
    "cost",
    epilog=examples(
        "simbbm cost --ram 128g --cpus 20 --lacking 10",
        "simbbm cost --machine gb10",
        "simbbm cost --ram 2g@2g --ram 30g@34g --growth",
        "simbbm cost --published",
        "simbbm cost --ram 256g --cpus 192 --plot cost.svg",
    ),
)
@click.option(
    "--machine",
    "named",
    metavar="FILE|SOC",
    help="A machine, as `simbbm survey` takes it: its RAM, CPUs and page size.",
)
@click.option("--ram", type=Ram(), multiple=True, help="Memory; more than once with @START.")
@click.option("--kernel", type=Ram(), help="Of it, what the kernel keeps in blocks: _stext on.")
@click.option("--blocks", type=Leaves(), help="Instead of --ram: the leaves that map it.")
@click.option("--largest", type=click.Choice(KINDS), help="The largest leaves of the linear map.")
@click.option("--granule", type=click.Choice(GRANULES), help="Page size. [default: 4k]")
@click.option("--va-bits", type=int, help="CONFIG_ARM64_VA_BITS. [default: 48]")
@click.option("--cpus", type=Count(), help="CPUs that are online. [default: 8]")
@click.option("--lacking", type=Count(), help="Of them, without noabort. [default: half]")
@click.option("--runs", type=Count(RUNS_MAX), default=20, show_default=True, help="Timed runs.")
@seed_option
@click.option("--model", type=click.Path(path_type=Path), help="A cost model in place of ours.")
@click.option("--growth", is_flag=True, help="Also with more RAM, CPUs, and other page sizes.")
@click.option("--published", is_flag=True, help="Instead: published figures beside ours.")
@click.option("--plot", type=click.Path(path_type=Path), help="Draw it too: a .svg or .png file.")
@common
def command(
    *,
    named: str | None,
    ram: tuple[Span, ...],
    kernel: Span | None,
    blocks: Blocks | None,
    largest: str | None,
    granule: str | None,
    va_bits: int | None,
    cpus: int | None,
    lacking: int | None,
    runs: int,
    seed: int,
    model: Path | None,
    growth: bool,
    published: bool,
    plot: Path | None,
    as_json: bool,
    log_format: str,  # noqa: ARG001 - nothing is logged here
) -> None:
    """Say what it costs to split a linear map to pages: memory, and time by a model.

    The kernel's protocol runs on a clock, with latencies from a cost model; low and high are what
    all but a run in twenty are above and below.
    """
    from simbbm.field.cost.answer import Answer
    from simbbm.field.cost.model import read_model
    from simbbm.field.cost.plots import draw, require_drawable
    from simbbm.field.cost.window import Estimator, Machine

    if plot:
        require_drawable(plot)
    estimator = Estimator(read_model(model), runs, seed)
    if published:
        if any(
            (named, ram, kernel, blocks, largest, granule, va_bits, cpus, lacking, plot, growth)
        ):
            raise UsageError(
                "--published is of other machines",
                "leave out --plot, --growth and what says which machine",
            )
        _show_published(estimator, as_json=as_json)
        return
    if named and (ram or blocks):
        raise UsageError("--machine says what memory there is", "leave out --ram and --blocks")
    if named:
        ram, granule, cpus = _surveyed(named, granule, cpus)
    granule, cpus = granule or "4k", cpus or 8
    bits = 48 if va_bits is None else va_bits
    if blocks and (ram or kernel or largest or va_bits is not None):
        raise UsageError("--blocks says what maps the memory", "leave out --ram and what is of it")
    if blocks is None:
        blocks = map_memory(
            _ranges(ram, kernel), granule, va_bits=bits, kernel=kernel, largest=largest or "pud"
        )
    machine = Machine(blocks, granule, cpus)
    lacking = cpus // 2 if lacking is None else lacking
    if lacking >= cpus:
        raise UsageError(f"{lacking} of {cpus} CPUs lack noabort", "the boot CPU has it")
    answer = Answer(estimator, machine, lacking, bits)
    _show(answer, growth=growth, as_json=as_json)
    if plot:
        draw(answer, plot)


def _surveyed(
    named: str, granule: str | None, cpus: int | None
) -> tuple[tuple[Span, ...], str | None, int | None]:
    """RAM of a machine by its name; page size and CPUs, which were given or are its own."""
    from simbbm.field import taken
    from simbbm.field.known import known
    from simbbm.field.machines import PAGE_SIZES

    machine = taken.machine(named, known())
    if not machine.memory:
        raise UsageError(f"{machine.name}: nothing is known of its RAM", "give --ram and --cpus")
    if cpus is None and not machine.counted:
        raise UsageError(f"{machine.name}: how many CPUs it has is not known", "give --cpus")
    ram = [Span(*one) for one in machine.ranges] or [Span(0, machine.memory)]
    own = PAGE_SIZES.get(machine.page_size or 0)
    return tuple(ram), granule or own, cpus or len(machine.cpus)


def _ranges(ram: tuple[Span, ...], kernel: Span | None) -> list[Span]:
    """Memory, as it was given; 128 GiB unless it was. UsageError for what cannot be."""
    from simbbm.field.machines import ADDRESS_BITS

    spans = sorted(ram) or [Span(0, 128 << 30)]
    if any(after.start < before.end for before, after in pairwise(spans)):
        raise UsageError("two ranges of RAM overlap", "write SIZE@START for each")
    if spans[-1].end > 1 << ADDRESS_BITS:
        hint = f"physical addresses have up to {ADDRESS_BITS} bits"
        raise UsageError(f"there is no RAM up to {spans[-1].end:#x}", hint)
    if kernel and sum(_shared(kernel, span) for span in spans) < kernel.end - kernel.start:
        raise UsageError("--kernel is not in RAM", "write it as 32m@0x80200000, a part of --ram")
    return spans


def _shared(one: Span, other: Span) -> int:
    """How many bytes two ranges have in common."""
    return max(0, min(one.end, other.end) - max(one.start, other.start))


def _show(answer: Answer, *, growth: bool, as_json: bool) -> None:
    from simbbm.cli.commands.field.cost_text import of_growth, of_machine

    if not as_json:
        echo(of_machine(answer))
        if growth:
            echo(of_growth(answer.growth()), nl=False)
        return
    rows = [answer.own, *answer.what_ifs()]
    if growth:
        rows += [row for grown in answer.growth().values() for _, row in grown]
    for row in rows:
        echo(encode(row))


def _show_published(estimator: Estimator, *, as_json: bool) -> None:
    from simbbm.cli.commands.field.cost_text import of_published
    from simbbm.field.cost.answer import published_rows
    from simbbm.field.cost.published import published

    rows = published_rows(published(estimator))
    if not as_json:
        echo(of_published(rows))
        return
    for row in rows:
        echo(encode(row))
