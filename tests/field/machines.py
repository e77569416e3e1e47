"""Folders that look like the root of an arm64 machine, and machines made of a few words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from simbbm.field.described import described
from simbbm.field.facts import KernelRow
from simbbm.field.known import known
from simbbm.field.machines import Machine
from simbbm.field.modes import Decision, decide
from simbbm.field.noabort import rules_of

A725, X925 = 0x410FD871, 0x410FD851
"""MIDR_EL1 of GB10's cores, r0p1."""
TABLES = known()
EVERY = tuple(TABLES.kernels)
SEPTEMBER_2025, JULY_2026 = ("6.18", "6.19", "7.0", "7.1", "7.2"), ("7.3",)


def write(root: Path, name: str, text: str) -> None:
    """Write a file of a machine."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def fake_root(root: Path, midrs: Sequence[int | None], online: str | None = None) -> Path:
    """A machine's files; a CPU whose MIDR_EL1 is None has none under sysfs."""
    last = len(midrs) - 1
    write(root, "sys/devices/system/cpu/present", f"0-{last}\n")
    write(root, "sys/devices/system/cpu/online", f"{online or f'0-{last}'}\n")
    for number, midr in enumerate(midrs):
        if midr is not None:
            place = f"sys/devices/system/cpu/cpu{number}/regs/identification/midr_el1"
            write(root, place, f"{midr:#018x}\n")
    write(root, "proc/sys/kernel/arch", "aarch64\n")
    write(root, "proc/sys/kernel/osrelease", "7.3.4-arm64\n")
    write(root, "proc/cmdline", "BOOT_IMAGE=/vmlinuz root=UUID=12-34 secret=1 rodata=full quiet\n")
    write(root, "proc/meminfo", "MemTotal:       125829120 kB\nMemFree: 1 kB\n")
    write(root, "proc/iomem", "00000000-00000000 : System RAM\n  00000000-00000000 : Kernel code\n")
    write(root, "proc/self/smaps", "aaaa-bbbb r-xp 0 0:0 0 x\nKernelPageSize:        4 kB\n")
    write(root, "proc/device-tree/model", "A Board\0")
    return root


def cpuinfo(midrs: Sequence[int]) -> str:
    """What /proc/cpuinfo says of CPUs."""
    return "\n".join(
        f"processor\t: {number}\nBogoMIPS\t: 50.00\nCPU implementer\t: {midr >> 24:#x}\n"
        f"CPU architecture: 8\nCPU variant\t: {midr >> 20 & 15:#x}\n"
        f"CPU part\t: {midr >> 4 & 0xFFF:#x}\nCPU revision\t: {midr & 15}\n"
        for number, midr in enumerate(midrs)
    )


def machine(*cores: str, options: Mapping[str, object] | None = None) -> Machine:
    """A machine with these CPUs, of which the first boots; `late Cortex-X4 r0p3` comes later."""
    text = f'boots = "{cores[0]}"\n'
    for name, value in (options or {}).items():
        text += f"{name} = {str(value).lower() if isinstance(value, bool) else repr(value)}\n"
    for core in cores:
        late = "late = true\n" if core.startswith("late ") else ""
        text += f'[[cpu]]\ncore = "{core.removeprefix("late ")}"\n{late}'
    return described(text, "a test", TABLES)


def decided(one: Machine, kernel: str | KernelRow) -> Decision:
    """What a kernel does on a machine as it boots."""
    row = TABLES.kernels[kernel] if isinstance(kernel, str) else kernel
    booting = next(cpu.kind for cpu in one.cpus if cpu.number == one.boots)
    return decide(one, booting, rules_of(row, TABLES), TABLES)


def modes(one: Machine, kernels: Sequence[str] = EVERY) -> list[str]:
    """The modes under some kernels."""
    return [decided(one, kernel).mode for kernel in kernels]
