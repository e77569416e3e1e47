"""Steps of shipped scenarios that have another name than when counterexamples were recorded.

stop_machine()'s works and the boot CPU's wait are modelled closer to the kernel than they were.
Replays by label and by goal also try a witness with the new names.
"""

from __future__ import annotations

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


def by_new_names(witness: Witness) -> Witness:
    """The witness as it would be recorded now, as far as names of steps go."""
    decisions = [
        msgspec.structs.replace(d, label=_new(d.label), instead_of=_new(d.instead_of))
        for d in witness.decisions
    ]
    return msgspec.structs.replace(witness, decisions=tuple(decisions))


def _new(label: str) -> str:
    agent, colon, step = label.partition(":")
    return f"{agent}{colon}{RENAMED.get(step, step)}"
