"""Offsets of structure members out of DWARF, for a vmlinux that was built without BTF.

It takes pyelftools, which the extra `debug` installs. Debug information of a kernel has some
hundred megabytes, of which only those source files are read whose structures are wanted.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from io import BytesIO
from typing import Any

from simbbm.binary.formats.image import Image
from simbbm.core.errors import UsageError
from simbbm.host.reading import quoted

SOURCES = (
    "arch/arm64/mm/mmu.c",
    "arch/arm64/kernel/cpufeature.c",
    "kernel/stop_machine.c",
)
"""Files that see all of the structures that are asked for, by the ends of their paths."""
SAME = (
    *("DW_TAG_typedef", "DW_TAG_const_type", "DW_TAG_volatile_type", "DW_TAG_restrict_type"),
    "DW_TAG_atomic_type",
)
"""Other names for a type, and qualifiers of it."""
STRUCTS = ("DW_TAG_structure_type", "DW_TAG_union_type")
DEPTH_MAX = 64


class Dwarf:
    """The structures of a vmlinux; the same questions as of `btf.Btf`."""

    source = "DWARF"

    def __init__(self, info: Any) -> None:
        """Read what is there; UsageError if it cannot be."""
        with _refused():
            self._structs = dict(_structs(info))

    def __len__(self) -> int:
        return len(self._structs)

    def has(self, struct: str) -> bool:
        """Whether there is such a structure or union."""
        return struct in self._structs

    def size(self, struct: str) -> int:
        """The bytes of a structure."""
        with _refused():
            return int(self._struct(struct).attributes["DW_AT_byte_size"].value)

    def _struct(self, struct: str) -> Any:
        if struct not in self._structs:
            raise UsageError(f"the kernel's DWARF has no struct {quoted(struct)}")
        return self._structs[struct]

    def offset(self, struct: str, path: str) -> int:
        """The byte at which a member stands; `path` may lead into it: "thread_info.cpu"."""
        entry, at = self._struct(struct), 0
        with _refused():
            for name in path.split("."):
                found = _find(_plain(entry), name, DEPTH_MAX)
                if found is None:
                    raise UsageError(f"the kernel's struct {quoted(struct)} has no {quoted(path)}")
                entry, at = found[0].get_DIE_from_attribute("DW_AT_type"), at + found[1]
        return at

    def has_member(self, struct: str, path: str) -> bool:
        """Whether a structure has such a member."""
        try:
            self.offset(struct, path)
        except UsageError:
            return False
        return True


@contextmanager
def _refused() -> Iterator[None]:
    """Let nothing out but UsageError: on damaged data pyelftools raises whatever it meets."""
    try:
        yield
    except UsageError:
        raise
    except Exception as error:  # noqa: BLE001 - see above
        why = quoted(str(error) or type(error).__name__)
        raise UsageError(f"damaged: its DWARF cannot be read: {why}") from None


def _structs(info: Any) -> Iterator[tuple[str, Any]]:
    """Structures and unions by name, of several definitions of one name the first last."""
    found: list[tuple[str, Any]] = []
    for unit in info.iter_CUs():
        if not _name(unit.get_top_DIE()).endswith(SOURCES):
            continue
        for entry in unit.iter_DIEs():
            whole = "DW_AT_byte_size" in entry.attributes
            if entry.tag in STRUCTS and whole and (name := _name(entry)):
                found.append((name, entry))
    return iter(found[::-1])


def _name(entry: Any) -> str:
    """The name of an entry; empty if it has none."""
    found = entry.attributes.get("DW_AT_name")
    return found.value.decode("utf-8", "replace") if found else ""


def _plain(entry: Any) -> Any:
    """A type without typedefs and qualifiers."""
    for _ in range(DEPTH_MAX):
        if entry.tag not in SAME or "DW_AT_type" not in entry.attributes:
            return entry
        entry = entry.get_DIE_from_attribute("DW_AT_type")
    raise UsageError("damaged: a type of its DWARF never ends")


def _find(entry: Any, name: str, depth: int) -> tuple[Any, int] | None:
    """A member of a structure, or of one without a name within it, and where it stands."""
    for member in entry.iter_children() if entry.tag in STRUCTS else ():
        if member.tag != "DW_TAG_member":
            continue
        at = _place(member)
        if _name(member) == name:
            return member, at
        if not _name(member) and depth:
            inner = _find(_plain(member.get_DIE_from_attribute("DW_AT_type")), name, depth - 1)
            if inner:
                return inner[0], at + inner[1]
    return None


def _place(member: Any) -> int:
    """The byte at which a member begins; a union says nothing, a bit-field its first bit."""
    place = member.attributes.get("DW_AT_data_member_location")
    if place is None:
        bits = member.attributes.get("DW_AT_data_bit_offset")
        return bits.value // 8 if bits else 0
    if not isinstance(place.value, int):
        raise UsageError("its DWARF computes where members are: DWARF 2 is not read")
    return place.value


def dwarf_of(image: Image) -> Dwarf | None:
    """The types of a vmlinux; None if it has no debug information, or pyelftools is missing."""
    if image.elf is None or not any(".debug_info" in s.name for s in image.elf.sections):
        return None
    try:
        elf: Any = import_module("elftools.elf.elffile")
    except ImportError:
        return None
    with _refused():
        info = elf.ELFFile(BytesIO(image.data)).get_dwarf_info(relocate_dwarf_sections=False)
    return Dwarf(info)
