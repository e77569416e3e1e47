"""The rules of the machine's virtual memory, and which tests pin each.

A test of the project names its rules as tags (`R7`); published tests are known by their names.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Rule(NamedTuple):
    """A rule, and the published tests that pin it."""

    meaning: str
    published: tuple[str, ...] = ()


RULES = {
    "R1": Rule(
        "Descriptors that fault are never cached, permission-faulting ones are",
        ("CoWTf.inv+dsb-isb", "CoRpteTf.inv+dsb-isb", "I2V-UP-DSB-ISB", "I2V-UP-STR-DSB-ISB"),
    ),
    "R2": Rule(
        "A walk may return any valid value since the last completed matching TLBI",
        ("CoTT.ro+dsb-isb", "CoTfT+dsb-isb", "R3+W", "R3-DSBs+W", "coRR-pte5"),
    ),
    "R3": Rule(
        "Invalid to valid needs no TLBI, any other change does",
        ("CoWinvT+dsb-isb", "CoWinvT.EL1+dsb-tlbi-dsb-isb", "CoWinvT.EL1+dsb-tlbiis-dsb-isb"),
    ),
    "R4": Rule(
        "Walks do not forward from the store buffer",
        ("MP.RT.inv+dmb+addr-trfi", "PPOAA.RT.inv"),
    ),
    "R5": Rule(
        "A translation may be made early, back to the last context synchronisation",
        (
            "CoWTf.inv+dsb",
            "CoWTf.inv+dsb-isb",
            "MP.RTf.inv+dmbs",
            "MP.RTf.inv+dmb+ctrl",
            "MP.RTf.inv+dmb+addr",
            "MP.RTf.inv+dmb+ctrl-isb",
            "MP.RTf.inv+dmb+dsb-isb",
        ),
    ),
    "R6": Rule(
        "A translation comes before its access, every later store, and any later ISB",
        ("CoTW1.inv", "S.T+dmb+po", "MP.TR.inv+dmb+po", "MP.TR.inv+dmb+isb"),
    ),
    "R7": Rule(
        "DSB waits for accesses of its kind, a full one for TLBIs, and for no translation",
        ("V2I-W-DSB.ISH-TLBI-DSB.LD-ISB-R", "V2I-W-DSB.ISH-TLBI-DSB.ST-ISB-R"),
    ),
    "R8": Rule(
        "A TLBI is ordered after a store by DSB alone, after a load by DSB or dependency",
        (
            "CoWinvT.EL1+tlbi-dsb-isb",
            "V2I-W-DSB.ST-TLBI-DSB.ISH-ISB-R",
            "V2I-W-DSB.LD-TLBI-DSB.ISH-ISB-R",
            "V2I-R-DSB.LD-TLBI-DSB.ISH-ISB-R",
            "MP+dmb.st+dsb.st-tlbi-dsb-isb",
            "S+dmb.st+dsb.st-tlbi-dsb-isb",
            "TA1",
        ),
    ),
    "R9": Rule(
        "A completed broadcast TLBI leaves neither entry nor unfinished access behind it",
        (
            "RBS+dsb-tlbiis-dsb",
            "WBM+dsb-tlbiis-dsb",
            "MP.RT.EL1+dsb-tlbiis-dsb+dmb",
            "MP+shoot+DMBLD",
            "MP+shoot+addr",
            "MP+shoot+po",
        ),
    ),
    "R10": Rule(
        "Only stale translations are waited for, speculative faults are not",
        (
            "S+tlbiall+po",
            "D15347-M-load-shoot+po",
            "D15347-M-load-shoot+ctrl",
            "D15347-M-load-shoot+DMB.LD",
            "coRR-pte9",
            "coRR-pte9-noscope",
            "coRR-pte11",
        ),
    ),
    "R11": Rule(
        "A local TLBI does nothing elsewhere; later code of the issuer needs an ISB",
        (
            "MP.RT.EL1+dsb-tlbi-dsb+dsb-isb",
            "MP.RT.EL1+dsb+dsb-tlbi-dsb+dsb+dsb-isb",
            "CoWinvT.EL1+dsb-tlbi-dsb",
            "CoWinvT.EL1+dsb-tlbiis-dsb",
        ),
    ),
    "R12": Rule(
        "VMALL is not atomic across addresses and CPUs",
        ("Artem3+TLBIVMALL", "Artem3+TLBIx-TLBIy"),
    ),
    "R13": Rule(
        "A stale table entry may be combined with a new leaf below it",
        (
            "ROT+dmb",
            "ROT+dsb-tlbivmallis-dsb",
            "ROT.inv+po",
            "ROT.inv+dmbst",
            "ROT.inv+dsb",
        ),
    ),
    "R14": Rule(
        "ISB, exception entry and return synchronise context, and are no DSB",
        (
            "CoWTf.inv.EL1+eret",
            "CoWTf.inv.EL1+dsb-eret",
            "CoWTf.inv.EL1+dsb-svc",
        ),
    ),
    "R15": Rule("A TTBR write is seen by later walks, at the latest after synchronisation"),
    "R16": Rule(
        "TLBI by ASID leaves other ASIDs alone",
        (
            "CoWinvTa1.1+dsb-tlbiasidis-dsb-eret",
            "CoWinvTa2.1+dsb-tlbiasidis-dsb-eret",
            "CoWTa1.1.inv+dsb-tlbiasidis-dsb-eret",
        ),
    ),
    "R17": Rule(
        "FEAT_ETS2: DSB orders later translations, accesses come before later faulting walks",
        ("I2V-UP-DSB", "CoTTf.inv+po", "F2.mod-reduced+BBM"),
    ),
    "R18": Rule(
        "Writes seen through walks are multi-copy atomic",
        ("IRIW.TTf.TTf.inv+addrs", "WRC.TRTf.inv+dsb+dsb-isb", "IRIW-V2Vpte+64"),
    ),
    "R19": Rule("Output changes need break-before-make, permission changes a TLBI alone"),
    "R20": Rule("Without break-before-make: conflict abort, or old, or new, or a mixture"),
    "R21": Rule("FEAT_BBM: size changes that hardware tolerates"),
    "R22": Rule("FEAT_nTLBPA=0: old valid descriptors of a page that is used as a table again"),
    "R23": Rule("MSR, TLBI and exception return are never speculative"),
}


def rules_of(name: str, tags: Iterable[str]) -> list[str]:
    """Return the rules that a test is about."""
    tagged = [tag for tag in tags if tag in RULES]
    return tagged or [rule for rule, r in RULES.items() if name in r.published]
