"""Structures out of DWARF, as out of BTF."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from simbbm.binary.formats.dwarf import Dwarf, dwarf_of
from simbbm.binary.formats.image import Image
from simbbm.binary.kernel import Kernel
from simbbm.binary.trace import AS_WANTED, trace
from simbbm.core.errors import UsageError
from tests.binary.dwarf import dwarf
from tests.binary.images import BASE, elf
from tests.binary.kernels import SPLIT_PMD, STRUCTS, small_kernel

NESTED = {
    "thread_info": (16, {"flags": 0, "cpu": 8}),
    "#inner": (200, {"deep": 150}),
    "task_struct": (400, {"thread_info:thread_info": 0, ":#inner": 130, "tail": 390}),
}


@pytest.fixture(autouse=True)
def elftools() -> None:
    pytest.importorskip("elftools", reason="pyelftools is not installed: it is in the extra debug")


def vmlinux(structs: Any, **options: str) -> Image:
    """Our kernel as a vmlinux with debug information and without BTF."""
    built = small_kernel(leave_out=("btf",), extra={"split_pmd": SPLIT_PMD})
    symbols = {name: (at, 0) for name, at in built.symbols.items()}
    return Image("vmlinux", elf([(BASE, built.image())], symbols, dwarf(structs, **options)))


def test_sizes_and_offsets() -> None:
    found = dwarf_of(vmlinux(NESTED))

    assert found is not None
    assert (found.size("task_struct"), found.size("thread_info"), len(found)) == (400, 16, 2)
    assert found.offset("task_struct", "thread_info.cpu") == 8
    assert found.offset("task_struct", "deep") == 280
    assert found.offset("task_struct", "tail") == 390
    assert found.has("task_struct")
    assert not found.has("mm_struct")
    assert found.has_member("task_struct", "tail")
    assert not found.has_member("task_struct", "head")
    for struct, member in (("task_struct", "thread_info.gpu"), ("mm_struct", "pgd")):
        with pytest.raises(UsageError, match="the kernel's"):
            found.offset(struct, member)


def test_a_kernel_without_btf_is_executed() -> None:
    kernel = Kernel(vmlinux(STRUCTS))

    assert (kernel.symbols.source, kernel.cpu_features) == (".symtab", ("LSE",))
    assert trace(kernel, 0).outcome.endswith(AS_WANTED)


def test_other_source_files_are_not_read() -> None:
    found = dwarf_of(vmlinux(NESTED, source="drivers/gpu/drm/mmu.c"))

    assert found is not None
    assert len(found) == 0


def test_without_debug_information_there_are_none() -> None:
    built = small_kernel(leave_out=("btf",))

    assert dwarf_of(Image("x", built.image())) is None
    assert dwarf_of(Image("x", elf([(BASE, built.image())], {}))) is None


def test_without_pyelftools_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    image = vmlinux(NESTED)
    monkeypatch.setitem(sys.modules, "elftools.elf.elffile", None)

    assert dwarf_of(image) is None


@pytest.mark.parametrize("section", [".debug_info", ".debug_abbrev"])
def test_what_is_damaged_is_refused_or_read_in_a_line(section: str) -> None:
    built = small_kernel(leave_out=("btf",))
    whole = built.image()
    refused = 0
    for at in range(0, len(dwarf(NESTED)[section]), 3):
        spoilt = {name: bytearray(data) for name, data in dwarf(NESTED).items()}
        spoilt[section][at] ^= 0x5A
        sections = {name: bytes(data) for name, data in spoilt.items()}
        try:
            found = dwarf_of(Image("x", elf([(BASE, whole)], {}, sections)))
            assert found is None or found.has_member("task_struct", "tail") in (True, False)
        except UsageError:
            refused += 1
    assert refused > 5


SOURCE = """
struct thread_info { unsigned long flags; int preempt; const volatile unsigned cpu; };
typedef const struct thread_info info;
struct task_struct {
    info thread_info; struct { long a; union { int b; long c; }; }; unsigned f : 3, g : 7; int tail;
} task;
"""


def test_what_a_compiler_writes(tmp_path: Path) -> None:
    compiler = shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("neither gcc nor clang is installed")
    file = tmp_path / "arch" / "arm64" / "mm" / "mmu.c"
    file.parent.mkdir(parents=True)
    file.write_text(SOURCE)
    name = str(file.relative_to(tmp_path))
    subprocess.run([compiler, "-g", "-c", name, "-o", "o"], cwd=tmp_path, check=True)
    elffile: Any = import_module("elftools.elf.elffile")
    with (tmp_path / "o").open("rb") as stream:
        found = Dwarf(elffile.ELFFile(stream).get_dwarf_info())
        offsets = [
            found.offset("task_struct", m) for m in ("thread_info.cpu", "a", "b", "c", "tail")
        ]

    assert offsets == [12, 16, 24, 24, 36]
