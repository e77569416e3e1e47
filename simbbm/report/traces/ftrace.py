"""A counterexample as the text of ftrace: what `trace-cmd report` prints and Perfetto imports.

A line has the task, its CPU, flags, a time and an event. Tasks are a CPU's program and, as another
task on that CPU, its hardware. Step n lasts from microsecond n to n + 1, so that the same run gives
the same text everywhere. Steps are `tracing_mark_write` events, which every reader knows without a
format file: `B|tgid|text` begins a slice, `E|tgid` ends it, `I|tgid|text` is a mark.
(Documentation/trace/ftrace.rst; Perfetto's `systrace_line_tokenizer.cc` and `systrace_parser.cc`.)
"""

from __future__ import annotations

from collections.abc import Iterator

from simbbm.core.trace import TraceEvent
from simbbm.report.forms import Request
from simbbm.report.told.story import Story

TGID = 1
"""All tasks are of one process."""
HARDWARE_PID = 1_000
"""Added to the PID of a CPU's program: its hardware."""
HEADER = """\
# tracer: nop
#
{}
#           TASK-PID     CPU#  ||||   TIMESTAMP  FUNCTION
#              | |         |   ||||      |         |
"""


def as_ftrace(request: Request) -> str:
    """Return every step as lines of ftrace."""
    witness = request.case.story.witness
    params = " ".join(f"{name}={value}" for name, value in witness.params.items())
    said = f"# {witness.scenario} {params}".rstrip()
    return HEADER.format(said) + "".join(f"{line}\n" for line in _lines(request.case.story))


def _lines(story: Story) -> Iterator[str]:
    for event in story.events:
        yield _line(event, event.step, f"B|{TGID}|{_argument(event.told)}")
        yield _line(event, event.step + 1, f"E|{TGID}")
    if story.events and story.witness.property:
        last = story.events[-1]
        end = f"{story.witness.verdict} {story.witness.property}: {story.message}"
        yield _line(last, last.step + 1, f"I|{TGID}|{_argument(end)}")


def _line(event: TraceEvent, microsecond: int, mark: str) -> str:
    pid, task = event.cpu + 1, f"cpu{event.cpu}"
    if event.is_hardware:
        pid, task = pid + HARDWARE_PID, f"{task}/hw"
    seconds, rest = divmod(microsecond, 1_000_000)
    time = f"{seconds}.{rest:06}"
    return f"{task:>16}-{pid:<5} [{event.cpu:03}] .... {time:>12}: tracing_mark_write: {mark}"


def _argument(text: str) -> str:
    """A text in one line without bars, which would end it."""
    return " ".join(text.replace("|", "/").split())
