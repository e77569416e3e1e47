"""Rows about machines in the field: what a split of their linear map costs."""

from __future__ import annotations

from simbbm.report.rows import Row


class CostRow(Row, tag="cost", tag_field="type", frozen=True, kw_only=True):
    """What a split of one machine's linear map costs."""

    ram: int
    """Bytes."""
    granule: str
    va_bits: int
    blocks: dict[str, int]
    """How many leaves of each kind map the RAM before; of the contiguous ones, groups."""
    tables: int
    """Tables that the split allocates."""
    table_bytes: int
