"""Programs that are data: interpreters of steps, so that a generator can write programs.

A step is a tuple: a method of the `cpu` handle and its operands, or a word of this language, which
branches on what was observed, calls a routine, or loops. Everything is a module-level function of
frozen arguments, as a program has to be.
"""

from __future__ import annotations

from typing import Any

from simbbm.arm64.ops import INTERRUPT, SGI, Aborted, Cpu
from simbbm.core.program import repeat_until, routine

Step = tuple[Any, ...]
Steps = tuple[Step, ...]
Seen = tuple[Any, ...]

OBSERVES = ("ldr", "ldar", "ldapr", "ldxr", "ldaxr", "stxr", "stlxr", "ldaddal", "wait", "fetch")


async def program(cpu: Cpu, *steps: Step) -> Seen:
    """Do these steps; what they observed is what is left."""
    return await _do(cpu, steps)


async def _do(cpu: Cpu, steps: Steps, seen: Seen = ()) -> Seen:
    for name, *operands in steps:
        match name, operands:
            case "if", (value, then, otherwise):
                seen = await _do(cpu, then if seen[-1:] == (value,) else otherwise, seen)
            case "panic_if", wanted:
                if all(n <= len(seen) and seen[-n] == value for n, value in wanted):
                    await cpu.panic("what was observed")
            case "call", (inner,):
                seen = (*seen, *await _called(cpu, inner))
            case "until", (value, inner):
                await repeat_until(_turn, cpu, value, inner)
            case "lock", (word,):
                await repeat_until(_try_lock, cpu, word)
            case "add", (word,):
                await repeat_until(_try_add, cpu, word)
            case "doze", (word, value):
                await repeat_until(_dozed, cpu, word, value)
            case "await", (word, value):
                seen = (*seen, await cpu.wait(word, equals, value, acquire=True))
            case "replace", (word, value):
                await cpu.ldxr(word)
                seen = (*seen, await cpu.stxr(word, value))
            case "ticket", (word, turn):
                mine: int | None = await cpu.ldaddal(word, 1)
                await cpu.wait(turn, equals, mine or 0, acquire=True)
                seen = (*seen, mine)
            case "pass", (turn,):
                now: int | None = await cpu.ldr(turn)
                await cpu.stlr(turn, (now or 0) + 1)
            case _:
                value = await getattr(cpu, name)(*operands)
                seen = (*seen, value) if name in OBSERVES else seen
    return seen


def equals(value: int, wanted: int) -> bool:
    """The predicate of a guard."""
    return value == wanted


@routine
async def _called(cpu: Cpu, steps: Steps) -> Seen:
    """Steps in a frame of their own."""
    return await _do(cpu, steps)


@routine
async def _turn(cpu: Cpu, value: int, steps: Steps) -> bool:
    """Go on if the last observation is this value."""
    return (await _do(cpu, steps))[-1:] == (value,)


@routine
async def _try_lock(cpu: Cpu, word: int) -> bool:
    """A lock by exclusives."""
    return await cpu.ldaxr(word) == 0 and await cpu.stxr(word, 1) == 0


@routine
async def _try_add(cpu: Cpu, word: int) -> bool:
    """A counter by exclusives."""
    value: int | None = await cpu.ldxr(word)
    return await cpu.stxr(word, (value or 0) + 1) == 0


@routine
async def _dozed(cpu: Cpu, word: int, value: int) -> bool:
    """A wait as the kernel's: armed by an exclusive load, asleep in WFE."""
    if await cpu.ldaxr(word) == value:
        return True
    await cpu.wfe()
    return False


# Handlers.


async def skip(cpu: Cpu, aborted: Aborted) -> None:
    """Go on after what faulted."""
    await cpu.eret(retry=aborted.access == INTERRUPT)


async def retry(cpu: Cpu, aborted: Aborted) -> None:  # noqa: ARG001 - every handler gets it
    """Try again what faulted."""
    await cpu.eret(retry=True)


async def flush(cpu: Cpu, aborted: Aborted) -> None:  # noqa: ARG001 - every handler gets it
    """Invalidate the own TLB, and try again."""
    await cpu.tlbi("vmalle1")
    await cpu.dsb("nsh")
    await cpu.eret(retry=True)


async def give_up(cpu: Cpu, aborted: Aborted) -> None:
    """Panic."""
    await cpu.panic(aborted.kind)


async def tell(cpu: Cpu, aborted: Aborted, word: int) -> None:
    """Of an interrupt by another CPU, tell in a word; go on after what faulted."""
    if aborted.kind == SGI:
        await cpu.ldr(word)
        await cpu.str(word, 1)
    await cpu.eret(retry=aborted.access == INTERRUPT)


HANDLERS = {
    "none": None,
    "skip": skip,
    "retry": retry,
    "flush": flush,
    "panic": give_up,
    "tell": tell,
}
