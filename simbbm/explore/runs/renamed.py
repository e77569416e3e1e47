"""Steps of shipped scenarios that have another name than when counterexamples were recorded.

Who follows an old schedule loosely is told what has taken the place of a step. Names have changed
twice. First stop_machine()'s works and the boot CPU's wait were modelled closer to the kernel:
decisions of before get the names of then (`by_new_names`). Later `linux/` got the kernel's
functions: what was several routines became one, and what was one several. So it is the labels of
today's steps that get the name they had (`as_before`), of which a witness knows marks as well.
"""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec

from simbbm.explore.witness.record import Witness

RENAMED = {
    "stopper/cpu_stopper_thread.wait.acquire": "cpu_stopper_thread/wait_for_work.wait.acquire",
    "boot_cpu_part/wait_for_secondaries.wait.acquire": (
        "wait_for_secondaries/smp_cond_load_acquire.forget_events"
    ),
    "wait_linear_map_split_to_ptes/wait_until_released.sevl": (
        "scondary_cpu_wait/wait_until_released.sevl"
    ),
    "wait_linear_map_split_to_ptes/restore_ttbr1.msr.ttbr1_el1": (
        "scondary_cpu_wait/restore_ttbr1.msr.ttbr1_el1"
    ),
    "wait_linear_map_split_to_ptes/restore_ttbr1.isb": "scondary_cpu_wait/restore_ttbr1.isb",
}
RENAMED |= {
    f"{caller}/multi_cpu_stop.{step}": f"cpu_stopper_work/multi_cpu_stop.{step}"
    for caller in ("stop_machine", "cpu_stopper_thread")
    for step in ("wait", "wait#2", "wait#3", "wait#4", "daifset", "daifclr")
}

_N = r"(#\d+|)"
_BEFORE = [
    (re.compile(now), before)
    for now, before in (
        # One routine of linear_map_split_to_ptes(), and one of the assembly that others wait in.
        (rf"(\w+{_N})/smp_processor_id_is\.", r"\1/on_boot_cpu."),
        (
            rf"linear_map_split_to_ptes{_N}/smp_cond_load_acquire\.",
            r"wait_for_secondaries/smp_cond_load_acquire.",
        ),
        (rf"call_fn{_N}/linear_map_split_to_ptes\.str", "boot_cpu_part/release_secondaries.str"),
        (
            rf"call_fn{_N}/linear_map_split_to_ptes\.ldr",
            "linear_map_split_to_ptes/secondary_part.ldr",
        ),
        (
            rf"linear_map_split_to_ptes{_N}/release_and_flush\.str",
            "release_before_flush/release_secondaries.str",
        ),
        (
            rf"linear_map_split_to_ptes{_N}/flush_tlb_kernel_range\.",
            "flush_linear_map/flush_tlb_kernel_range.",
        ),
        (
            rf"linear_map_split_to_ptes{_N}/wait_linear_map_split_to_ptes\.",
            "secondary_part/wait_linear_map_split_to_ptes.",
        ),
        (rf"scondary_cpu_wait\w*{_N}/increment_flag", "count_parked/increment_flag"),
        (rf"count_before_(switch|tlbi){_N}/increment_flag", "count_parked_early/increment_flag"),
        (rf"scondary_cpu_wait{_N}/wait_for_zero", "wait_until_released/wait_for_zero"),
        (rf"\w+{_N}/scondary_cpu_wait\.sevl", "scondary_cpu_wait/wait_until_released.sevl"),
        (rf"\w+{_N}/scondary_cpu_wait\.(msr|isb)", r"scondary_cpu_wait/restore_ttbr1.\2"),
        # The walk by levels, and functions for each of them.
        (
            rf"walk_p\w\w_range{_N}/split_to_ptes_(p\w\w_entry){_N}\.",
            r"walk_entry\3/split_to_ptes_\2.",
        ),
        (rf"\w+{_N}/walk_p\wd_range{_N}\.ldr{_N}", r"walk_table/walk_entry\3.ldr"),
        (rf"(split_to_ptes_p\w\w_entry){_N}/split_cont(pmd|pte)", r"\1/clear_cont"),
        (rf"(split_to_ptes_p\w\w_entry){_N}/split_p", r"\1/split_p"),
        (rf"split_cont(pmd|pte){_N}/(set_pmd|__set_pte)", "clear_cont/set_entry"),
        (rf"fill_table{_N}/(set_pmd|__set_pte)", "fill_table/set_entry"),
        (rf"__p\wd_populate{_N}/set_p\wd", "populate/set_entry"),
        # Where something else is done in `deep`.
        (rf"split_late{_N}/something_else", "repaint_late/something_else"),
        (rf"split_early{_N}/something_else", "release_late/something_else"),
    )
]


def by_new_names(witness: Witness) -> Witness:
    """The witness as it would have been recorded after the first change, as far as names go."""
    decisions = [
        msgspec.structs.replace(d, label=_new(d.label), instead_of=_new(d.instead_of))
        for d in witness.decisions
    ]
    return msgspec.structs.replace(witness, decisions=tuple(decisions))


def _new(label: str) -> str:
    agent, colon, step = label.partition(":")
    return f"{agent}{colon}{RENAMED.get(step, step)}"


@lru_cache(maxsize=4096)
def as_before(label: str) -> str:
    """What the step with this label was called between the two changes."""
    agent, colon, step = label.partition(":")
    for pattern, before in _BEFORE:
        if found := pattern.match(step):
            return f"{agent}{colon}{found.expand(before)}{step[found.end() :]}"
    return label
