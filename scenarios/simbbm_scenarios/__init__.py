"""The scenarios that come with simbbm: `from simbbm_scenarios.linear_map_split import good`.

A package of one file each, whose names are part of ids, digests and tokens. In a checkout the files
stand in rooms, the folders beside this one, and are linked from here; a wheel has them here. To add
one, add the file to a room, a link to it, and its name to the room's below.
"""

from __future__ import annotations

from typing import NamedTuple


class Room(NamedTuple):
    """Scenarios that belong together."""

    name: str
    about: str
    stems: tuple[str, ...]


ROOMS = (
    Room(
        "protocol",
        "The merged protocol with its known mistakes, break-before-make alone, and its history.",
        ("linear_map_split", "bbm_minimal", "history"),
    ),
    Room(
        "catalogue",
        "More mistakes that were made, asked about or warned of, and some whose effect comes late.",
        ("catalogue", "catalogue_walk", "catalogue_tables", "deep"),
    ),
    Room(
        "second_users",
        "Who else uses the flag, the idmap or the split, and what other kernels and machines add.",
        (
            *("idmap", "kpti", "late_cpu", "live_split", "live_change"),
            "parallel_bringup",
            *("memory_hotplug", "preempt_rt", "realm", "smt", "table_reuse", "tlb_range"),
        ),
    ),
    Room(
        "platform",
        "What is beside a core: interrupts that CPUs send each other, reset, caches, errata.",
        ("ipi", "power_on", "code_patching", "erratum_4193714", "erratum_3683289"),
    ),
    Room(
        "user_space",
        "A user's page tables under BBML3: groups of pages, faults, ASIDs.",
        ("contpte", "spurious_fault", "access_flags", "asid_rollover"),
    ),
    Room(
        "hypervisors",
        "Hypervisors at EL2: stage 2 under a running guest, and one guest after another on a CPU.",
        ("hypervisor", "guest_memory", "world_switch"),
    ),
    Room(
        "open_questions",
        "Questions about today's code, each with what was assumed and what was found.",
        (
            *("restore", "conflict_aborts", "erratum_4118414", "interrupts", "stuck_cpu"),
            *("parallel_split", "stopper_enabled"),
        ),
    ),
)
