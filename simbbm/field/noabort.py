"""Whether a kernel lets a CPU see a live block change its size: yes, no, or not known, and why.

cpufeature.c:cpu_supports_bbml2_noabort asks a list of MIDRs and nothing else; from 7.3 on
(cpu_supports_bbml3) a CPU counts as well whose ID_AA64MMFR2_EL1.BBM is at least 3.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from simbbm.binary.features.midr import MidrRange
from simbbm.binary.kernel import Kernel
from simbbm.field.facts import Confidence, Entry, KernelRow, Truth, weakest
from simbbm.field.known import Known, series
from simbbm.field.machines import Kind
from simbbm.field.revisions import Revision, revision_from

LAST = Revision(15, 15)


class Range(NamedTuple):
    """CPUs of a model from one revision to another, as a list has them."""

    model: tuple[int, int]
    first: Revision = Revision(0, 0)
    last: Revision = LAST
    erratum: int | None = None
    """Why it does not begin with the first revision."""

    def told(self) -> str:
        """Which revisions."""
        why = f" (erratum {self.erratum})" if self.erratum else ""
        if self.last == LAST:
            return f"from {self.first} on{why}"
        return f"from {self.first} to {self.last}{why}"


class Rules(NamedTuple):
    """What a kernel goes by."""

    kernel: str
    ranges: tuple[Range, ...]
    listing: str | None
    """What its list is called."""
    field: int | None
    repaints: bool
    refuses_late: bool
    rodata: dict[str, bool]
    confidence: Confidence
    """Of its list."""
    capability: str | None
    """What it calls the right to see a size change."""
    source: str
    """Where all this is from, but for its list."""
    listing_source: str | None

    @property
    def has_list(self) -> bool:
        """Whether it asks a CPU anything."""
        return self.listing is not None


def rules_of(row: KernelRow, known: Known) -> Rules:
    """What a kernel of the tables goes by."""
    listing = known.lists[row.list] if row.list else None
    confidence = weakest((row.confidence, listing.confidence)) if listing else row.confidence
    return Rules(
        kernel=row.version,
        ranges=tuple(_range(entry, known) for entry in listing.entries) if listing else (),
        listing=row.list,
        field=row.field,
        repaints=row.repaints,
        refuses_late=row.late == "refused",
        rodata=row.rodata,
        confidence=confidence,
        capability=row.capability,
        source=row.source,
        listing_source=listing.source if listing else None,
    )


def _range(entry: Entry, known: Known) -> Range:
    core = known.core(entry.core)
    assert core is not None
    first = revision_from(entry.first) if entry.first else None
    return Range(core.model, first or Revision(0, 0), erratum=entry.erratum)


def rules_of_image(path: Path, image: Kernel, known: Known) -> Rules:
    """What a kernel image goes by: its own list; the words of rodata= are those of its series."""
    at = series(image.image.version.release)
    row = known.kernels.get("{}.{}".format(*at)) if at else None
    name, ranges = image.allowed or ("", [])
    return Rules(
        kernel=image.image.version.release or path.name,
        ranges=tuple(_decoded(r) for r in ranges),
        listing=name or None,
        field=3 if "bbml3" in name else None,
        repaints=True,
        refuses_late=True,
        rodata=row.rodata if row else {"full": True, "off": False},
        confidence="decoded",
        capability="BBML3" if "bbml3" in name else "BBML2_NOABORT" if name else None,
        source="its image",
        listing_source="its image" if name else None,
    )


def _decoded(row: MidrRange) -> Range:
    first, last = (Revision(bits >> 20 & 15, bits & 15) for bits in (row.low, row.high))
    return Range((row.midr >> 24, row.midr >> 4 & 0xFFF), first, last)


class Answer(NamedTuple):
    """Whether a CPU may see a size change."""

    value: Truth
    why: str
    """Goes on from the core's name: "is not on the list"."""
    confidence: Confidence


def noabort(kind: Kind, rules: Rules, known: Known) -> Answer:
    """Whether a kernel counts CPUs of a kind among those that may see a size change."""
    if not rules.has_list:
        return Answer(value=False, why="is asked nothing", confidence=rules.confidence)
    if kind.model is None:
        return Answer(value=None, why="must be identified first", confidence="unknown")
    listed, why = _listed(kind, rules)
    if listed:
        return Answer(value=True, why=why, confidence=rules.confidence)
    if rules.field is None:
        return Answer(listed, why, rules.confidence if listed is False else "unknown")
    return _by_field(kind, rules, known, Answer(listed, why, rules.confidence))


def _listed(kind: Kind, rules: Rules) -> tuple[Truth, str]:
    """Whether a kind is on the list, and what is said of it."""
    mine = [r for r in rules.ranges if r.model == kind.model]
    if not mine:
        return False, "is not on the list"
    only = ", ".join(r.told() for r in mine)
    if kind.revision is None:
        if any((r.first, r.last) == ((0, 0), LAST) for r in mine):
            return True, "is on the list"
        return None, f"is on the list {only}, and its revision is not known"
    if any(r.first <= kind.revision <= r.last for r in mine):
        return True, "is on the list"
    return False, f"is on the list {only} only"


def _by_field(kind: Kind, rules: Rules, known: Known, so_far: Answer) -> Answer:
    """The answer for a CPU that the list does not settle, where the ID register counts too."""
    assert rules.field is not None
    assert kind.model is not None
    core = known.cores.get(kind.model)
    bbm = kind.bbm if kind.bbm is not None else core.bbm if core else None
    if bbm is not None:
        sure: Confidence = "verified" if kind.bbm is not None or core is None else core.confidence
        told = f"{so_far.why} (BBM field {bbm})"
        if bbm >= rules.field:
            told = f"{so_far.why}, but has a BBM field of {bbm}"
            return Answer(value=True, why=told, confidence=weakest((rules.confidence, sure)))
    elif core and core.bbm_below is not None and core.bbm_below <= rules.field:
        sure, told = core.confidence, f"{so_far.why} (BBM field below {rules.field})"
    else:
        return so_far._replace(
            value=None, why=f"{so_far.why}, and its BBM field is not known", confidence="unknown"
        )
    if so_far.value is None:
        return so_far._replace(confidence="unknown")
    return Answer(value=False, why=told, confidence=weakest((rules.confidence, sure)))
