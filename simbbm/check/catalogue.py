"""The properties that simbbm brings, by name and in one sentence each; `properties` has their code.

They stand apart from it since many want to know the names alone: an expectation is compared with
them, and a witness that is read back has one.
"""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """What a property is judged on: the table above."""

    ALWAYS = "always"
    FINALLY = "finally"
    STEP = "step"
    EVENTUALLY = "eventually"


CATALOGUE_BY_KIND: dict[Kind, dict[str, str]] = {
    Kind.ALWAYS: {
        "no_size_change_seen": (
            "A CPU without BBML2_NOABORT never holds two leaves for one address that differ in "
            "size or contiguity."
        ),
        "no_tlb_conflict": (
            "No CPU holds two leaves for one address that differ in output, memory type or nG "
            "(break-before-make was due), and none takes a TLB conflict abort."
        ),
        "no_fault_on_live_map": (
            "While a CPU may walk the live kernel map, every address that was mapped translates on "
            "every walk; and no CPU takes an exception that nobody handles."
        ),
        "ng_published": (
            "While a CPU may walk the kernel's map, all that it may hold of it is global or all is "
            "not (KPTI); at the end nothing is."
        ),
        "one_table_under_cnp": (
            "Two CPUs that both set CnP in TTBR0, or both in TTBR1, under one ASID have one table "
            "there (else what either gets is unpredictable)."
        ),
    },
    Kind.FINALLY: {
        "translations_preserved": (
            "At the end the map gives every address the same output, attributes and permissions as "
            "at the start, but for what the scenario says is to change."
        ),
        "all_ptes_at_end": "At the end the map consists of pages, except where blocks are to stay.",
        "context_restored": (
            "At the end every CPU has the TTBR0, TTBR1, TCR and interrupt mask that it started "
            "with."
        ),
        "tables_linked_once": ("At the end no table is reachable from two descriptors of the map."),
    },
    Kind.STEP: {
        "no_stale_translation": (
            "No access gets an output address, attribute or permission that the current tables do "
            "not give. Size does not count."
        ),
        "no_sleep_in_atomic": (
            "No program sleeps where it must not (a step of the kernel model says so)."
        ),
        "no_panic": "No program calls panic(). Judged by every run.",
    },
    Kind.EVENTUALLY: {
        "terminates": (
            "Every program finishes: no deadlock, no lost wake-up, no round in which a run may "
            "stay for ever, whatever hardware chooses. A run that cannot go on is STUCK; rounds "
            "that can be left are found by searches alone."
        ),
    },
}
CATALOGUE: dict[str, str] = {
    name: meaning for kind in CATALOGUE_BY_KIND.values() for name, meaning in kind.items()
}
"""Every property's one-sentence meaning, by name."""
