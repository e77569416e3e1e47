"""Rows of `survey` (machines, what kernels make of linear maps, SoCs in general) and `cost`."""

from __future__ import annotations

from typing import Any

from simbbm.report.rows import Row


class MachineRow(Row, tag="survey-machine", tag_field="type", frozen=True, kw_only=True):
    """A machine that was looked at; what follows is about it."""

    machine: str
    file: str | None
    """As it was given; None: the machine that this runs on."""
    cpus: int | None
    cores: list[dict[str, Any]]
    """Each with core, revision, cpus, late."""
    boots: str | None
    boots_confidence: str | None
    page_size: int | None
    memory_bytes: int | None
    release: str | None
    errata: list[dict[str, Any]]
    """Each with number, cores."""
    notes: list[str]
    sources: list[dict[str, str]]
    """What answers about it rest on: each with kind, what, source, confidence."""


class SurveyRow(Row, tag="survey", tag_field="type", frozen=True, kw_only=True):
    """What a kernel does on a machine that boots on a kind of core."""

    machine: str
    kernel: str
    list: str | None
    """The list of CPUs that the kernel goes by."""
    capability: str | None
    """What it calls the right to see a size change."""
    boot_cpu: int
    """The lowest number of a CPU of that kind."""
    boot_core: str
    boots: bool | None
    """Whether the machine boots on it; None: not known."""
    running: bool
    """Whether the machine runs a kernel of that series."""
    mode: str
    because: str
    confidence: str
    table_bytes: int | None
    tables: dict[str, int] | None
    """Bytes of tables by page size; an upper bound if only the amount of RAM is known."""
    window_ms: tuple[float, float, float] | None
    windows: dict[str, tuple[float, float, float]] | None
    """The same by page size: that of the machine, or each if it is not known."""


class FieldRow(Row, tag="field", tag_field="type", frozen=True, kw_only=True):
    """Whether a SoC takes the repaint path under kernels with one list."""

    soc: str
    name: str
    products: tuple[str, ...]
    list: str
    kernels: tuple[str, ...]
    answer: str
    """repaint, depends, never or unknown."""
    boots: str | None
    mode: str
    """As it usually boots."""
    because: str
    depends: tuple[str, ...]
    """What might bring a repaint if another core boots than usually, a line a core."""
    confidence: str
    source: str


class FieldSummaryRow(Row, tag="field-summary", tag_field="type", frozen=True, kw_only=True):
    """How many SoCs have which answer under kernels with one list."""

    list: str
    kernels: tuple[str, ...]
    socs: int
    repaint: int
    depends: int
    never: int
    unknown: int


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
    cpus: int
    what_if: str | None
    """What is different from what the kernel does; None: nothing."""
    window_ms: dict[str, float]
    """How long the machine stands still: `low`, `median`, `high`."""
    parts_ms: dict[str, dict[str, float]]
    """The same for each part of the window."""
    others_ms: dict[str, float]
    """The same for all parts but `splitting`, together: what grows with the number of CPUs."""
    runs: int
    seed: int
    model: str
    """The name of the cost model."""


class PublishedRow(Row, tag="cost-published", tag_field="type", frozen=True, kw_only=True):
    """A published figure, and what the cost model says of the same machine."""

    what: str
    machine: str
    ram: int
    unit: str
    published: float
    predicted: dict[str, float]
    """`low`, `median`, `high`."""
    fitted: bool
    """The model was fitted to the figure."""
    met: bool
    """The figure lies within what is predicted."""
