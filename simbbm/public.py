"""What a scenario is written with: the table of contents. Every name explains itself (`help`).

All of it is in `simbbm`, with the verbs of `simbbm.library`. Addresses count words of 8 bytes, a
page has `geometry.page_words` of them, and what is called page, output or va is the number of a
page; tables and TTBRs are where a word address says.
"""

from __future__ import annotations

# In the order in which somebody learns what they are.
# isort: off

# A scenario: what it is, what it is made of, which parameters it has.
from simbbm.scenario import CpuSetup, Scenario, Setup, hardware_for, scenario
from simbbm.changes import edits
from simbbm.parameters import CpuSet, Range, cpu_set
from simbbm.core.programs.everyone import Counter, cpu_numbers, each_other

# Programs: what a CPU does, one await a step.
from simbbm.arm64.ops import INTERRUPT, SGI, Aborted, Cpu
from simbbm.core.program import Program, repeat_until, routine

# The machine: what its memory, its tables and its registers hold at the start.
from simbbm.arm64.features import Features
from simbbm.arm64.translation.builder import TableBuilder
from simbbm.arm64.descriptor import (
    INVALID_DESCRIPTOR,
    LEAF,
    RO,
    ROX,
    RW,
    TABLE,
    Attributes,
    Descriptor,
    leaf,
    table,
)
from simbbm.arm64.geometry import (
    GEOMETRIES,
    KERNEL_PAGE,
    LEAF_LEVEL,
    SCALED,
    Geometry,
)
from simbbm.arm64.registers import Regime, Sctlr, Sgi, Tcr, Ttbr, Vttbr

from simbbm.arm64.translation.tlbi_operand import page_address

# Properties: what is promised. And what one of your own looks at: a state, and how it is walked.
from simbbm.check.kinds import Property
from simbbm.check.alone import OneCpu, each_cpu
from simbbm.check.properties import (
    all_ptes_at_end,
    context_restored,
    ng_published,
    no_fault_on_live_map,
    no_size_change_seen,
    no_size_change_seen_below,
    no_stale_translation,
    no_tlb_conflict,
    one_table_under_cnp,
    tables_linked_once,
    terminates,
    translations_preserved,
)
from simbbm.core.system import Move, Problem
from simbbm.arm64.context import Shared
from simbbm.arm64.state import Landmark, Machine
from simbbm.arm64.translation.translate import FETCH
from simbbm.arm64.translation.walks import CONFLICT, PERMISSION, TRANSLATION, Fault, walk_root
from simbbm.check.landmarks import parked_amid_split
from simbbm.check.split import split_properties

# isort: on

__all__ = [
    "CONFLICT",
    "FETCH",
    "GEOMETRIES",
    "INTERRUPT",
    "INVALID_DESCRIPTOR",
    "KERNEL_PAGE",
    "LEAF",
    "LEAF_LEVEL",
    "PERMISSION",
    "RO",
    "ROX",
    "RW",
    "SCALED",
    "SGI",
    "TABLE",
    "TRANSLATION",
    "Aborted",
    "Attributes",
    "Counter",
    "Cpu",
    "CpuSet",
    "CpuSetup",
    "Descriptor",
    "Fault",
    "Features",
    "Geometry",
    "Landmark",
    "Machine",
    "Move",
    "OneCpu",
    "Problem",
    "Program",
    "Property",
    "Range",
    "Regime",
    "Scenario",
    "Sctlr",
    "Setup",
    "Sgi",
    "Shared",
    "TableBuilder",
    "Tcr",
    "Ttbr",
    "Vttbr",
    "all_ptes_at_end",
    "context_restored",
    "cpu_numbers",
    "cpu_set",
    "each_cpu",
    "each_other",
    "edits",
    "hardware_for",
    "leaf",
    "ng_published",
    "no_fault_on_live_map",
    "no_size_change_seen",
    "no_size_change_seen_below",
    "no_stale_translation",
    "no_tlb_conflict",
    "one_table_under_cnp",
    "page_address",
    "parked_amid_split",
    "repeat_until",
    "routine",
    "scenario",
    "split_properties",
    "table",
    "tables_linked_once",
    "terminates",
    "translations_preserved",
    "walk_root",
]
