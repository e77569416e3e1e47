"""Small systems as data: what a generator draws, and the scenario that it stands for.

Programs name what they use ("x", "pte x", "new"); a layout says what the names mean. Tables and
flags are mapped for ever, by the live map itself where that is the lower half of addresses, by an
identity map in the other half where it is the upper. The live map is `ROOT` (below `TOP` where it
has three levels): pages 0 to 3 by a table, pages 8 to 11 by whatever `pblock` holds.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from simbbm.arm64.descriptor import INVALID_DESCRIPTOR, RO, ROX, Attributes, Descriptor, leaf, table
from simbbm.arm64.features import CONCRETE, DELAYED, EAGER, Features, Hardware
from simbbm.arm64.geometry import KERNEL_PAGE, SCALED4
from simbbm.arm64.registers import Regime, Sctlr, Sgi, Tcr, Ttbr
from simbbm.check import properties as check
from simbbm.check.verdict import Expectation
from simbbm.hypothesis.interpreter import HANDLERS, Steps, program
from simbbm.scenario import CpuSetup, Scenario, Setup

W = SCALED4.page_words
INV = INVALID_DESCRIPTOR
ROOT, PTES, SPARE, OTHER = range(4 * W, 5 * W, 4)
TOP, OTHER_TOP, IDMAP, NONE = range(6 * W, 7 * W, 4)
CODE, VECTORS = 12, 13
"""Pages that instructions are fetched from."""

WORDS = {"flag": 5 * W, "flag2": 5 * W + 1, "count": 5 * W + 2, "turn": 5 * W + 3}
SLOTS = {
    "ptable": ROOT,
    "pblock": ROOT + 2,
    "pte x": PTES,
    "pte y": PTES + 1,
    "pte z": PTES + 2,
    "pte spare": SPARE,
    "ptop": TOP,
}
DESCRIPTORS: dict[str, Descriptor] = {
    "inv": INV,
    "old": leaf(8),
    "new": leaf(9),
    "third": leaf(10),
    "text": leaf(9, Attributes(execute=True)),
    "ro": leaf(8, RO),
    "private": leaf(8, not_global=True),
    "cold": leaf(9, access_flag=False),
    "cont x": leaf(8, contiguous=True),
    "cont y": leaf(9, contiguous=True),
    "ptes": table(PTES),
    "spare": table(SPARE),
    "root": table(ROOT),
}
TEXT = frozenset({9 * W})
"""The first word of the page "new" is text."""
DATA = {page * W + word: page for page in (8, 9, 10, 11) for word in range(W)}
PAGES = {"x": 0, "y": 1, "z": 2, "b": 8}

HARDWARE: dict[str, Hardware] = {
    "delayed": DELAYED,
    "eager": EAGER,
    "concrete": CONCRETE,
    "prompt tlbis": DELAYED.without("asynchronous TLBI"),
    "prompt stores": DELAYED.without("late drain"),
    "no early results": DELAYED.without("early translation"),
    "no walk caches": DELAYED.without("walk cache"),
}
PROPERTIES = (
    "size",
    "size below 2",
    "conflict",
    "fault",
    "stale",
    "preserved",
    "all pages",
    "restored",
    "linked once",
    "one table",
)


class Member(NamedTuple):
    """One CPU: which program it runs, and what it implements."""

    program: int
    features: Features = Features()
    away: bool = False
    """It starts in the map that has the tables and flags alone."""
    power: str = "on"


class System(NamedTuple):
    """A system as data. Its defaults are the least surprising one."""

    programs: tuple[Steps, ...]
    members: tuple[Member, ...]
    upper: bool = False
    """The live map is that of the upper half of addresses."""
    deep: bool = False
    """It has three levels."""
    cnp: bool = False
    entries: tuple[tuple[str, str], ...] = ()
    """Slot and descriptor where the live map starts as something else."""
    hardware: str = "delayed"
    window: int = 1
    interrupts: str = ""
    handler: str = "skip"
    fetches: bool = False
    properties: tuple[str, ...] = ("conflict",)
    symbols: tuple[tuple[str, str], ...] = ()
    """What words and tables are called."""

    @property
    def live(self) -> Ttbr:
        """What the TTBR of the live map holds."""
        return Ttbr(TOP if self.deep else ROOT, 1, self.cnp)

    @property
    def names(self) -> dict[str, Any]:
        """What the words of programs mean."""
        base = KERNEL_PAGE if self.upper else 0
        other = NONE if self.upper else OTHER_TOP if self.deep else OTHER
        return (
            WORDS
            | SLOTS
            | DESCRIPTORS
            | {"everybody": len(self.members)}
            | {name: (base + page) * W for name, page in PAGES.items()}
            | {f"page {name}": base + page for name, page in PAGES.items()}
            | {
                "ttbr": "ttbr1_el1" if self.upper else "ttbr0_el1",
                "here": self.live,
                "here alone": self.live._replace(cnp=False),
                "here as 2": self.live._replace(asid=2),
                "away": Ttbr(other, 1),
                "away in common": Ttbr(other, 1, cnp=True),
                "away as 2": Ttbr(other, 2),
                "all others": Sgi(1),
                "mmu on": Sctlr(),
                "mmu off": Sctlr(m=False),
                "cpu0": Sgi(1, target=0),
                "cpu1": Sgi(2, target=1),
            }
        )

    @property
    def regime(self) -> Regime:
        """The registers with which every CPU starts."""
        bits = 6 if self.deep else 4
        if self.upper:
            return Regime((Ttbr(IDMAP),), (self.live,), (Tcr(4, bits, a1=True),))
        return Regime((self.live,), (Ttbr(NONE),), (Tcr(bits, 0, a1=False, epd1=True),))

    @property
    def elsewhere(self) -> Regime:
        """The registers of a CPU that starts out of the live map."""
        return self.regime.written(
            "ttbr1" if self.upper else "ttbr0", self.names["away"], at_once=True
        )

    @property
    def tables(self) -> dict[int, tuple[Descriptor, ...]]:
        """Every table as it starts."""
        code = leaf(CODE, ROX)
        tables: dict[int, tuple[Descriptor, ...]] = {
            ROOT: (table(PTES), leaf(4), INV, code),
            PTES: (leaf(8), INV, INV, INV),
            SPARE: (leaf(8), leaf(9), leaf(10), leaf(11)),
            OTHER: (INV, leaf(4), INV, code),
            TOP: (table(ROOT), INV, INV, INV),
            OTHER_TOP: (table(OTHER), INV, INV, INV),
            IDMAP: (INV, leaf(4), INV, code),
            NONE: (INV, INV, INV, INV),
        }
        for slot, name in self.entries:
            base = SCALED4.table(SLOTS[slot])
            words = list(tables[base])
            words[SLOTS[slot] - base] = DESCRIPTORS[name]
            tables[base] = tuple(words)
        return tables

    def promise(self, name: str) -> check.Property:
        """A property by its name here."""
        base = KERNEL_PAGE if self.upper else 0
        match name:
            case "size":
                return check.no_size_change_seen
            case "size below 2":
                return check.no_size_change_seen_below(2)
            case "conflict":
                return check.no_tlb_conflict
            case "fault":
                return check.no_fault_on_live_map(self.live.baddr, ((base, 1),))
            case "stale":
                return check.no_stale_translation
            case "preserved":
                return check.translations_preserved(self.regime, self.tables)
            case "all pages":
                return check.all_ptes_at_end(self.regime, ((base, 4), (base + 8, 4)))
            case "restored":
                return check.context_restored(self.regime)
            case "linked once":
                return check.tables_linked_once(self.regime)
            case "one table":
                return check.one_table_under_cnp
        raise KeyError(name)

    def setup(self) -> Setup:
        """The machine, as scenarios describe it."""
        names = self.names
        programs = [_meant(steps, names) for steps in self.programs]
        hardware = HARDWARE[self.hardware]
        pc, vbar = (CODE, VECTORS) if self.fetches else (None, None)
        return Setup(
            geometry=SCALED4,
            cpus=tuple(
                CpuSetup(
                    program,
                    self.elsewhere if away else self.regime,
                    programs[n],
                    features,
                    pc,
                    vbar,
                    power=power,
                )
                for n, features, away, power in self.members
            ),
            tables=self.tables,
            properties=(*map(self.promise, self.properties), check.terminates),
            data=DATA,
            text=TEXT,
            hardware=hardware._replace(window=self.window, interrupts=self.interrupts),
            handler=HANDLERS[self.handler],
            handler_args=(WORDS["flag"],) if self.handler == "tell" else (),
            symbols={(WORDS | SLOTS)[word]: name for word, name in self.symbols},
            speculative=tuple(names[f"page {name}"] for name in ("x", "b")),
        )

    @property
    def params(self) -> dict[str, Any]:
        """A drawn system has no parameters."""
        return {}

    def scenario(self) -> Scenario:
        """The scenario, which nobody expects to fail."""
        return Scenario(self.setup, "Drawn at random.", Expectation.parse("HOLDS"), ())


def _meant(steps: Any, names: dict[str, Any]) -> Any:
    """What a program says, in addresses and values."""
    if isinstance(steps, tuple):
        return tuple(_meant(part, names) for part in steps)
    return names.get(steps, steps) if isinstance(steps, str) else steps


def shown(system: System) -> str:
    """A system for people: only what is not as usual, and each program."""
    usual = System(system.programs, system.members)
    lines = [
        f"{name}={value!r}"
        for name, value in system._asdict().items()
        if name not in ("programs", "members") and value != getattr(usual, name)
    ]
    for number, (index, features, away, power) in enumerate(system.members):
        where = ("away " if away else "") + (f"{power} " if power != "on" else "")
        given = {k: v for k, v in features._asdict().items() if v != getattr(Features(), k)}
        lines.append(f"cpu{number}: program {index} {where}{given or ''}".rstrip())
    for index, steps in enumerate(system.programs):
        lines.append(f"program {index}:")
        lines += [f"    {step!r}," for step in steps]
    return "\n".join(lines)
