"""Which functions of a kernel are the split's: found by name and by what they call.

The roots are called through pointers, or by code that is not looked at; from there on direct
branches lead to the rest. What a compiler inlines differs from kernel to kernel, so that a function
may be missing here and be part of another one. Static functions in headers exist many times under
one name: the one that is reached is meant.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from simbbm.binary.a64.cpu import Cpu
from simbbm.binary.a64.execution import UnknownInstruction, step
from simbbm.binary.a64.operations import Exception_, Operation
from simbbm.binary.features.alternatives import NOP
from simbbm.binary.formats.elf import Symbol
from simbbm.binary.formats.symbols import Symbols, plain
from simbbm.core.errors import UsageError

FUNCTION_MAX = 1 << 16
"""Bytes of a function on the path."""

ROOTS = {
    "split": (
        "multi_cpu_stop",
        "linear_map_split_to_ptes",
        "wait_linear_map_split_to_ptes",
        "scondary_cpu_wait",
        "split_to_ptes_pud_entry",
        "split_to_ptes_pmd_entry",
        "split_to_ptes_pte_entry",
        "pgd_pgtable_alloc_init_mm",
    ),
    "kpti": (
        "kpti_install_ng_mappings",
        "__kpti_install_ng_mappings",
        "idmap_kpti_install_ng_mappings",
        "__idmap_kpti_secondary",
    ),
}
"""Where each of the two paths is entered, in the order in which it happens."""

EXECUTED = (
    r"cpu_(un)?install_idmap|cpu_set_reserved_ttbr0|cpu_switch_mm|cpu_do_switch_mm",
    r"post_ttbr_update_workaround|cpu_replace_ttbr1",
    r"range_split_to_ptes|(arch_enter_)?lazy_mmu_mode_\w+",
    r"walk_kernel_page_table_range_lockless|walk_(pgd|p4d|pud|pmd|pte)_range(_inner)?",
    r"(pgd|p4d|pud|pmd)_none_or_clear_bad|set_(pgd|p4d|pud|pmd|pte)",
    r"split_(pud|pmd|contpte|contpmd)|_*pgd_pgtable_alloc\w*",
    r"flush_tlb_kernel_range|flush_tlb_all|ack_state|set_state",
)
"""Functions that a root may call; `.isra.0` and the like are cut off before they are compared."""

STUBS = {
    "alloc_pages_noprof": "a new page, the next of a fixed list",
    "get_free_pages_noprof": "a new page, the next of a fixed list",
    "lruvec_stat_mod_folio": "left out: statistics",
    "mod_node_page_state": "left out: statistics",
    "rcu_momentary_eqs": "left out: RCU",
    "touch_softlockup_watchdog": "left out: the watchdog",
    "arch_touch_nmi_watchdog": "left out: the watchdog",
    "touch_nmi_watchdog": "left out: the watchdog",
    "stop_machine_yield": "left out: a hint to hypervisors",
}
"""Functions that are called on the way and do nothing that the split is about."""
FINDING = "not executed: a run that reaches it ends with a finding"


class Function(NamedTuple):
    """A function on a path."""

    symbol: Symbol
    path: str
    """"split" or "kpti"."""


class External(NamedTuple):
    """A function that is called from a path and is none of it."""

    name: str
    is_stub: bool
    treatment: str
    callers: tuple[str, ...]


class Word(NamedTuple):
    """An instruction of a function, as far as it can be told without registers."""

    address: int
    word: int | None
    """None: a function of the kernel computes it at boot."""
    operation: Operation | None
    target: int | None
    """Where a direct branch leads."""
    known: bool


def words(symbol: Symbol, read: Callable[[int], int | None]) -> list[Word]:
    """The instructions of a function, one by one."""
    if not 0 < symbol.size <= FUNCTION_MAX:
        raise UsageError(f"{symbol.name} has {symbol.size:,} bytes, which is no function")
    return [_word(at, read(at)) for at in range(symbol.address, symbol.address + symbol.size, 4)]


def _word(address: int, word: int | None) -> Word:
    if word is None:
        return Word(address, None, None, None, known=False)
    cpu = Cpu(pc=address)
    try:
        stop = step(cpu, word)
    except UnknownInstruction:
        return Word(address, word, None, None, known=False)
    operation = stop.operation if stop else None
    return Word(address, word, operation, _target(word, address), known=True)


def _target(word: int, address: int) -> int | None:
    """Where B or BL leads, whatever registers hold."""
    if word & 0x7C000000 != 0x14000000:
        return None
    offset = word & 0x3FFFFFF
    return address + 4 * (offset - (1 << 26) if offset >> 25 else offset)


def is_padding(word: Word) -> bool:
    """Whether it is NOP, or UDF between functions."""
    return word.word == NOP or (word.operation == Exception_("udf") and word.word == 0)


def functions(
    symbols: Symbols, read: Callable[[int], int | None]
) -> tuple[list[Function], list[External]]:
    """The functions of both paths in the order in which they are met, and what they call."""
    found: dict[int, Function] = {}
    called: dict[str, dict[str, None]] = {}
    for path, roots in ROOTS.items():
        waiting = [s for root in roots for s in symbols.named(rf"{root}(\.\w+)*")]
        while waiting:
            symbol = waiting.pop(0)
            if symbol.address in found:
                continue
            found[symbol.address] = Function(symbol, path)
            for callee in _callees(symbol, symbols, read):
                if _is_executed(callee.name):
                    waiting.append(callee)
                else:
                    called.setdefault(plain(callee.name), {})[symbol.name] = None
    own = {plain(function.symbol.name) for function in found.values()}
    externals = [
        External(name, name in STUBS, STUBS.get(name, FINDING), tuple(callers))
        for name, callers in called.items()
        if name not in own
    ]
    return list(found.values()), sorted(externals, key=lambda e: (not e.is_stub, e.name))


def _is_executed(name: str) -> bool:
    return any(re.fullmatch(pattern, plain(name)) for pattern in EXECUTED)


def _callees(symbol: Symbol, symbols: Symbols, read: Callable[[int], int | None]) -> list[Symbol]:
    """The functions that direct branches of a function lead to."""
    found: dict[int, Symbol] = {}
    for word in words(symbol, read):
        if word.target is None or symbol.address <= word.target < symbol.address + symbol.size:
            continue
        if at := symbols.at(word.target):
            found[at[0].address] = at[0]
    return list(found.values())
