"""`simbbm cost`: what a split of the linear map costs a machine."""

from __future__ import annotations

import click

from simbbm.cli.options import Size, common, examples
from simbbm.field.cost.tables import GRANULES, KINDS, Span, map_memory, split_tables
from simbbm.host.terminal import echo


@click.command("cost", epilog=examples("simbbm cost --ram 128g --granule 16k"))
@click.option("--ram", type=Size(), default="128g", show_default=True, help="Memory of a machine.")
@click.option("--granule", type=click.Choice(GRANULES), default="4k", show_default=True)
@click.option("--va-bits", type=int, default=48, show_default=True, help="CONFIG_ARM64_VA_BITS.")
@click.option(
    "--largest",
    type=click.Choice(KINDS),
    default="pud",
    show_default=True,
    help="The largest leaves that the linear map begins with.",
)
@common
def command(
    *,
    ram: int,
    granule: str,
    va_bits: int,
    largest: str,
    as_json: bool,
    log_format: str,  # noqa: ARG001 - nothing is logged here
) -> None:
    """Say what it costs to split the linear map of a machine to pages."""
    from simbbm.report.field_rows import CostRow
    from simbbm.report.rows import encode

    blocks = map_memory([Span(0, ram)], granule, va_bits=va_bits, largest=largest)
    tables = split_tables(blocks, granule)
    row = CostRow(
        ram=ram,
        granule=granule,
        va_bits=va_bits,
        blocks=blocks._asdict(),
        tables=tables.number,
        table_bytes=tables.bytes,
    )
    if as_json:
        echo(encode(row))
        return
    begins = ", ".join(f"{count:,} {kind}" for kind, count in row.blocks.items() if count)
    echo(f"{ram / 2**30:,g} GiB of RAM, {granule} pages, mapped by {begins}")
    echo(f"{row.tables:,} tables, {row.table_bytes / 2**20:,.1f} MiB, for a split to pages")
