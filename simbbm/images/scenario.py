"""The scenarios of an image: its own machine code on the machine, with the model's properties.

Its id is `path/to/vmlinuz::linear_map_split`. What the properties say of the transcribed protocol
(`linear_map_split::good`) they say here of the instructions that ship.
"""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path

from simbbm.arm64.features import Features
from simbbm.binary.code.layout import MSDATA
from simbbm.binary.code.layout import layout as laid_out
from simbbm.binary.code.machine_code import MachineCode, started
from simbbm.binary.code.parts import LAYOUTS, PARTS
from simbbm.binary.features.alternatives import CALLBACK
from simbbm.binary.features.capabilities import ALWAYS
from simbbm.binary.formats.kaslr import NOWHERE, Kaslr
from simbbm.binary.kernel import Kernel, kernel
from simbbm.check.landmarks import split_while_parked
from simbbm.check.split import split_properties
from simbbm.check.verdict import Expectation
from simbbm.core.errors import UsageError
from simbbm.parameters import Parameter, cpu_set
from simbbm.scenario import CpuSetup, Scenario, Setup, hardware_for, nothing

NAME = "linear_map_split"
SPLIT, STOP = "linear_map_split_to_ptes", "multi_cpu_stop"
"""Where CPUs begin: in the function that all call, or in the loop that calls it, if there is one.
"""
STORY = "The kernel's own machine code splits its linear map, live, on the boot CPU."
NO_FEATURES = "none"
MOVED = Kaslr(0x2A_1234_0000, 0x3_0021_0000)
"""Where KASLR has put the kernel with kaslr=yes: one place, at no multiple of a block."""


def scenarios_in(path: str) -> list[Scenario]:
    """The scenarios of an image; UsageError if it is none, or has no split."""
    return _scenarios(path, _state_of(path))


def _state_of(path: str) -> tuple[int, int]:
    """What changes with a file's content."""
    try:
        found = Path(path).stat()
    except OSError:
        return 0, 0
    return found.st_size, found.st_mtime_ns


@cache
def _scenarios(path: str, state: tuple[int, int]) -> list[Scenario]:  # noqa: ARG001 - the memo's
    return [
        Scenario(
            build=partial(_setup, path),
            story=STORY,
            expect=Expectation(),
            parameters=_parameters(kernel_in(path)),
            id=f"{path}::{NAME}",
            file=path,
            evidence="proved",
        )
    ]


def kernel_in(path: str, cpu_features: str | None = None, kaslr: Kaslr = NOWHERE) -> Kernel:
    """The kernel in a file, patched for some capabilities (None: the default); read once."""
    state = _state_of(path)
    default = _read(path, state, None, NOWHERE)
    if cpu_features in (None, _features(default)):
        return default if kaslr == NOWHERE else _read(path, state, None, kaslr)
    return _read(path, state, cpu_features, kaslr)


@cache
def _read(
    path: str,
    state: tuple[int, int],  # noqa: ARG001 - the memo's
    cpu_features: str | None,
    kaslr: Kaslr,
) -> Kernel:
    if cpu_features is None:
        return kernel(path, kaslr=kaslr)
    names = [name for name in cpu_features.split("+") if name != NO_FEATURES]
    return kernel(path, cpu_features=names, kaslr=kaslr)


def _features(image: Kernel) -> str:
    return "+".join(image.cpu_features) or NO_FEATURES


def _parameters(image: Kernel) -> tuple[Parameter, ...]:
    on_path = (entry for facts in image.functions for entry in facts.alternatives)
    numbers = dict.fromkeys(entry.capability & ~CALLBACK for entry in on_path)
    known = tuple(image.capabilities.name(number) for number in numbers if number not in ALWAYS)
    features = _features(image)
    stops = image.symbols.find("__cpu_online_mask") and image.symbols.find(STOP)
    entries = (STOP, SPLIT) if stops else (SPLIT,)
    return (
        Parameter("cpus", "int", 2, min=2, max=16),
        Parameter("layout", "choice", "pmd", choices=tuple(LAYOUTS), parts=PARTS),
        Parameter("entry", "choice", entries[0], choices=entries),
        Parameter("noabort", "cpus", "boot"),
        Parameter("ets2", "choice", "no", choices=("no", "yes")),
        Parameter("cpu_features", "choice", features, choices=(features, NO_FEATURES), parts=known),
        Parameter("kaslr", "choice", "no", choices=("no", "yes")),
        Parameter("hardware", "choice", "delayed", choices=("delayed", "eager")),
        Parameter("tlb", "choice", "closure", choices=("closure", "concrete")),
    )


def _setup(
    path: str,
    *,
    cpus: int,
    layout: str,
    entry: str,
    noabort: str,
    ets2: str,
    cpu_features: str,
    kaslr: str,
    hardware: str,
    tlb: str,
) -> Setup:
    """The split of an image on a machine of these parameters."""
    if "VA52" in cpu_features.split("+"):
        raise UsageError(
            f"cpu_features={cpu_features}: no machine here has 52-bit addresses",
            "simbbm kernel --trace executes it on one CPU that has them",
        )
    image = kernel_in(path, cpu_features, MOVED if kaslr == "yes" else NOWHERE)
    at = laid_out(image, layout, cpus, stops=entry == STOP)
    begin = (entry, MSDATA if entry == STOP else 0)
    able = cpu_set(noabort, cpus)
    geometry = at.memory_map.geometry
    features = [Features(bbm=2, noabort=n in able, ets2=ets2 == "yes") for n in range(cpus)]
    return Setup(
        geometry=geometry,
        cpus=tuple(CpuSetup(nothing, at.regime, begin, own, pc=at.text) for own in features),
        tables=at.tables,
        data=at.data,
        code=partial(MachineCode, at.memory_map, started(at.registers, at.words)),
        properties=split_properties(at.regime, at.tables, at.swapper, at.mapped, at.split),
        hardware=hardware_for(hardware, tlb),
        symbols=at.symbols,
        regions=at.regions,
        table_names=at.table_names,
        speculative=at.leaves,
        landmarks=split_while_parked(geometry, at.regime, at.tables, at.split, at.reserved),
    )
