"""Which steps are shown in a text, and what is said in place of the others.

Of a long run the steps that its end does not depend on are counted. Where all are asked for, only
the midst of what repeats is left out: a CPU that spins repeats a few steps, and so do stores to one
entry after another, and their drains.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from simbbm.core.trace import TraceEvent
from simbbm.report.told.story import Story

SHOWN_WHOLE = 48
"""Steps up to which nothing is left out."""
ELIDED_MIN = 4
"""A shorter stretch is shown: leaving it out would save nothing."""
PERIOD_MAX = 6
"""Steps of the longest turn that is seen to repeat."""
AROUND = "--- from here on it goes round:"
_VALUE = re.compile(r"0x[0-9a-f]+|\d+")
"""What may differ between steps that are alike: which entry, which value."""


def is_shown(story: Story, step: int, *, everything: bool) -> bool:
    """Whether a step is shown, and not counted."""
    return everything or len(story.events) <= SHOWN_WHOLE or step in story.telling


def stretches(story: Story, *, everything: bool) -> Iterator[TraceEvent | str]:
    """The events, with a sentence for each stretch that is left out and where a round begins."""
    if everything:
        yield from _folded(story)
        return
    quiet: list[TraceEvent] = []
    for event in story.events:
        if event.step == story.witness.loop:
            yield from told_shortly(quiet)
            quiet = []
            yield AROUND
        if not is_shown(story, event.step, everything=False):
            quiet.append(event)
            continue
        yield from told_shortly(quiet)
        quiet = []
        yield event
    yield from told_shortly(quiet)


def told_shortly(quiet: list[TraceEvent]) -> Iterator[TraceEvent | str]:
    """What is said in place of steps that are left out; they themselves, if they are few."""
    if len(quiet) < ELIDED_MIN:
        yield from quiet
        return
    told = []
    for cpu, count in sorted(Counter(event.cpu for event in quiet).items()):
        routines = dict.fromkeys(e.function for e in quiet if e.cpu == cpu and e.function)
        told.append(f"cpu{cpu} {count}" + (f" ({_few(list(routines))})" if routines else ""))
    yield f"... {len(quiet)} steps: {', '.join(told)}"


def _few(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= 2 else f"{names[0]} .. {names[-1]}"


def _folded(story: Story) -> Iterator[TraceEvent | str]:
    """Every event; of what repeats the first turn, a sentence, and the last turn.

    A step that the end depends on is shown whatever it repeats, and so is a round that goes on for
    ever.
    """
    first, events = 0, story.events
    while first < len(events):
        if events[first].step == story.witness.loop:
            yield AROUND
        period, turns = _repeats(story, first)
        left_out = period * (turns - 2)
        if left_out < ELIDED_MIN:
            yield events[first]
            first += 1
            continue
        yield from events[first : first + period]
        begin, first = events[first + period].step, first + period + left_out
        more = f", {turns - 2} turns" if period > 1 else ""
        yield f"... steps {begin} to {events[first].step - 1}: likewise{more}"
        yield from events[first : first + period]
        first += period


def _repeats(story: Story, first: int) -> tuple[int, int]:
    """How many steps repeat from this one on, and how often: what leaves out the most."""
    best = (1, 1)
    for period in range(1, PERIOD_MAX + 1):
        last = first
        while last + period < len(story.events) and _is_like(story, last, last + period):
            last += 1
        turns = (last - first) // period + 1
        if period * (turns - 2) > best[0] * (best[1] - 2):
            best = (period, turns)
    return best


def _is_like(story: Story, one: int, other: int) -> bool:
    """Whether two steps do the same, with other numbers, and the end depends on neither."""
    first, second = story.events[one], story.events[other]
    around = story.witness.loop
    return (
        not story.telling & {first.step, second.step}
        and (around is None or second.step < around)
        and (first.cpu, first.function, _VALUE.sub("", first.told))
        == (second.cpu, second.function, _VALUE.sub("", second.told))
    )
