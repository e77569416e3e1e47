"""Rows of `simbbm cost`, from which its texts and pictures are made."""

from __future__ import annotations

from collections.abc import Iterable

from simbbm.field.cost.cases import Case, by_cpus, by_ram, growth, what_ifs
from simbbm.field.cost.published import Published
from simbbm.field.cost.tables import GRANULES, Tables, split_tables
from simbbm.field.cost.timed import PARTS
from simbbm.field.cost.window import Estimator, Machine, Spread, Window
from simbbm.report.field_rows import CostRow, PublishedRow


class Answer:
    """All that is said of one machine."""

    def __init__(self, estimator: Estimator, machine: Machine, lacking: int, va_bits: int) -> None:
        self.estimator = estimator
        self.machine = machine
        self.lacking = lacking
        self.va_bits = va_bits
        self.own = self._row(machine, None)

    def what_ifs(self) -> list[CostRow]:
        """The machine with something different."""
        return [
            self._row(case.machine, case.name) if case.splits else self._spared(case)
            for case in what_ifs(self.machine, self.lacking)
        ]

    def growth(self) -> dict[str, list[tuple[str, CostRow]]]:
        """Machines that it is compared with, by what grows: each by its name."""
        found: dict[str, list[tuple[str, CostRow]]] = {}
        for case in growth(self.machine):
            row = self._row(case.machine, None)
            found.setdefault(case.about, []).append((case.name, row))
        return found

    def by_ram(self) -> dict[str, list[CostRow]]:
        """More and more RAM, for every page size."""
        own = self.machine
        return {
            granule: [
                self._row(case.machine, None) for case in by_ram(own._replace(granule=granule))
            ]
            for granule in GRANULES
        }

    def by_cpus(self) -> list[CostRow]:
        """More and more CPUs."""
        return [self._row(case.machine, None) for case in by_cpus(self.machine)]

    def _row(self, machine: Machine, what_if: str | None) -> CostRow:
        tables = split_tables(machine.blocks, machine.granule)
        return self._told(machine, what_if, self.estimator.window(machine), tables)

    def _spared(self, case: Case) -> CostRow:
        """The row of a machine that splits nothing."""
        none = Window(tuple(dict.fromkeys(PARTS, 0) for _ in range(self.estimator.runs)))
        return self._told(case.machine, case.name, none, Tables(case.machine.granule, 0, 0))

    def _told(
        self, machine: Machine, what_if: str | None, window: Window, tables: Tables
    ) -> CostRow:
        return CostRow(
            ram=machine.blocks.bytes(machine.granule),
            granule=machine.granule,
            va_bits=self.va_bits,
            blocks=machine.blocks._asdict(),
            tables=tables.number,
            table_bytes=tables.bytes,
            cpus=machine.cpus,
            what_if=what_if,
            window_ms=window.whole._asdict(),
            parts_ms={part: window.part(part)._asdict() for part in PARTS},
            others_ms=window.others._asdict(),
            runs=self.estimator.runs,
            seed=self.estimator.seed,
            model=self.estimator.model.name,
        )


def published_rows(figures: Iterable[Published]) -> list[PublishedRow]:
    """Published figures, each beside its prediction."""
    return [
        PublishedRow(
            what=figure.what,
            machine=figure.machine,
            ram=figure.gib << 30,
            unit=figure.unit,
            published=figure.published,
            predicted=figure.predicted._asdict(),
            fitted=figure.fitted,
            met=figure.met,
        )
        for figure in figures
    ]


def of(numbers: dict[str, float]) -> Spread:
    """What a row says of times."""
    return Spread(**numbers)
