"""What one CPU asks of the machine, in a form that the model and a kernel image share.

Left out on both sides is what concerns no other CPU: computation, private memory, MRS. Neighbouring
plain accesses to translation tables are one step, whose `times` say how many there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

TABLES, FLAG, STACK = "tables", "flag", "stack"
"""Objects that both sides call alike; `flag` is idmap_kpti_bbml2_flag, or bbml3 from 7.3 on."""
SAME_SIZE, MORE_BITS, FEWER_BITS = "T0SZ as T1SZ", "T0SZ below T1SZ", "T0SZ above T1SZ"
"""What is written to TCR: TTBR0 translates as many bits as TTBR1, more (for an idmap that needs
them), or fewer."""
PLAIN = ("ldr", "str")


class Step(NamedTuple):
    """An operation, or several alike ones."""

    place: str
    """Where it stands: split_pmd+0x58 in an image, its routine and label in the model."""
    operation: str
    """"dsb ishst", "msr ttbr1_el1", "str"."""
    what: str
    """What is accessed: `tables`, `flag`, or a symbol."""
    value: str = ""
    """What is written, where both sides can say it: to the flag, TTBRs and TCR."""
    times: int = 1

    def is_like(self, other: Step) -> int:
        """2: the other one asks for the same; 1: it writes another value; 0: for something else."""
        if (self.operation, self.what) != (other.operation, other.what):
            return 0
        return 1 + (self.value == other.value)

    def __str__(self) -> str:
        """As it is shown: str flag, 0."""
        text = f"{self.operation} {self.what}".rstrip()
        text += (f", {self.value}" if self.what else f" {self.value}") if self.value else ""
        return text if self.times == 1 else f"{text} x{self.times:,}"


def folded(steps: Iterable[Step]) -> Iterator[Step]:
    """Neighbouring plain accesses to tables as one step."""
    last: Step | None = None
    for step in steps:
        alike = last is not None and step.operation in PLAIN and step.what == TABLES
        if last and alike and last.is_like(step) == 2:
            last = last._replace(times=last.times + step.times)
            continue
        if last:
            yield last
        last = step
    if last:
        yield last
