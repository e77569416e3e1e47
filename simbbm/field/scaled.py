"""A machine as parameters of a scenario: fewer CPUs, one of each kind, and one block of its memory.

What a proof is about is what CPUs may do, not how many there are of a kind (`simbbm prove` is for
every number): so the CPU that boots, one of each other kind and, if that is none, a second one of
the same kind stand for all. Who has the capability is asked of the kernel's list (`noabort`).
"""

from __future__ import annotations

from typing import NamedTuple

from simbbm.core.errors import UsageError
from simbbm.field.known import Known
from simbbm.field.machines import PAGE_SIZES, Kind, Machine
from simbbm.field.modes import decide
from simbbm.field.noabort import Rules, noabort
from simbbm.field.revisions import revision_from
from simbbm.host.amounts import amount

CPUS = 3
"""As many as the scenarios have by default, and no fewer if the machine has them."""
ERRATUM = 4118414
"""The one erratum that the model knows (`simbbm.arm64.features`)."""
ABLE = {
    True: "may see it",
    False: "must not see it",
    None: "must not see it, to be on the safe side: that is not known",
}
"""What is said of a CPU, by whether it may see a size change."""


class Scaled(NamedTuple):
    """Parameters as one writes them, and what was made of the machine, a line each."""

    params: dict[str, str]
    told: tuple[str, ...]


def scaled(
    machine: Machine, rules: Rules, known: Known, *, cpus: int | None = None, every: bool = False
) -> Scaled:
    """The parameters for a machine; with `every` for a proof that is for every number of CPUs.

    UsageError if the kernel does not repaint there: then there is nothing to look at.
    """
    booting = _booting(machine)
    decision = decide(machine, booting, rules, known)
    if decision.mode != "repaint":
        sure = "is not known to" if decision.mode == "unknown" else "does not"
        raise UsageError(
            f"{machine.name} {sure} repaint under {rules.kernel}: {decision.because}",
            "simbbm survey shows under which kernels it would, and booted on which core",
        )
    told = [f"{machine.name} under {rules.kernel} repaints: {decision.because}"]
    params, of_memory = _memory(machine)
    if every:
        told.append("every other CPU is taken for one that must not see a split, which is stricter")
        return Scaled({"noabort": "boot", **params}, (*told, of_memory))
    chosen = _chosen(machine, booting, cpus)
    answers = [noabort(kind, rules, known).value for kind in chosen]
    able = [n for n, value in enumerate(answers) if value]
    params = {"cpus": str(len(chosen)), "noabort": ",".join(map(str, able)), **params}
    for number, kind in enumerate(chosen):
        if features := _features(kind, known):
            params[f"cpu{number}"] = features
    told.append(_told(machine, chosen, answers, known))
    return Scaled(params, (*told, of_memory))


def _booting(machine: Machine) -> Kind:
    """The kind of core that boots; UsageError if that is not known, and there are several."""
    kinds = machine.kinds()
    found = next((cpu.kind for cpu in machine.cpus if cpu.number == machine.boots), None)
    if found is None and len(kinds) > 1:
        raise UsageError(
            f"{machine.name}: which core boots is not known", "say so in a description: boots = ..."
        )
    return found or next(iter(kinds))


def _chosen(machine: Machine, booting: Kind, cpus: int | None) -> list[Kind]:
    """The kinds of the CPUs that stand for a machine, the one that boots first."""
    others = [cpu.kind for cpu in machine.others(booting) if not cpu.late]
    kinds = list(dict.fromkeys(others))
    most = len(others) + 1 if machine.counted else None
    wanted = cpus if cpus is not None else max(1 + len(kinds), min(CPUS, most or CPUS))
    if most is not None and wanted > most:
        raise UsageError(f"{machine.name} has {amount(most, 'CPU')} at boot", "lower -p cpus")
    if wanted <= len(kinds):
        raise UsageError(
            f"{machine.name}: {wanted} CPUs cannot stand for one that boots and "
            f"{amount(len(kinds), 'kind')} of others",
            f"-p cpus={1 + len(kinds)} at least",
        )
    rounds = [[kind for kind in kinds if others.count(kind) > turn] for turn in range(wanted)]
    in_turn = [kind for turn in (rounds if machine.counted else [kinds] * wanted) for kind in turn]
    return [booting, *sorted(in_turn[: wanted - 1], key=kinds.index)]


def _features(kind: Kind, known: Known) -> str:
    """What is known of a kind that the model's CPUs have not by default (BBM level 2)."""
    core = known.cores.get(kind.model) if kind.model else None
    bbm = kind.bbm if kind.bbm is not None else core.bbm if core else None
    parts = [] if bbm in (None, 2) else [f"bbm={min(bbm, 3)}"]
    for erratum in core.errata if core else ():
        first = revision_from(erratum.fixed) if erratum.fixed else None
        free = first is not None and kind.revision is not None and kind.revision >= first
        if erratum.number == ERRATUM and not free:
            parts.append(f"errata={ERRATUM}")
    return ",".join(parts)


def _memory(machine: Machine) -> tuple[dict[str, str], str]:
    """Geometry and layout for a machine's page size, and what was made of its memory."""
    granule = PAGE_SIZES.get(machine.page_size or 0)
    if granule is None:
        return {}, "its page size is not known: scaled tables, with a leaf of every size"
    told = f"its memory stands as one level 2 block of {granule.upper()} pages"
    return {"geometry": granule, "layout": "pmd"}, f"{told}; -p layout=... takes other leaves"


def _told(machine: Machine, chosen: list[Kind], answers: list[bool | None], known: Known) -> str:
    """Which CPUs stand for a machine."""
    parts = [f"cpu0 {chosen[0].told(known)} boots and splits"]
    for number, kind in enumerate(chosen[1:], 1):
        able = ABLE[answers[number]]
        parts.append(f"cpu{number} {kind.told(known)} {able}")
    whole = f"its {amount(len(machine.cpus), 'CPU')}" if machine.counted else "its CPUs"
    late = "; those that come late are left out" if any(cpu.late for cpu in machine.cpus) else ""
    return f"{whole} stand as {len(chosen)}: {', '.join(parts)}{late}"
