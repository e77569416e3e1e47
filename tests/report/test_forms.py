"""Forms for other tools: what their readers make of a counterexample is what the story says."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from typing import Any

import msgspec
import pytest
from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import Trace, TrackEvent

from simbbm import discovery
from simbbm.core.trace import HARDWARE, TraceEvent
from simbbm.explore.search.prove import Prover, counterexample_of
from simbbm.explore.witness.record import Witness
from simbbm.model import Model
from simbbm.report.forms import FORMS, Request, written
from simbbm.report.told.case import Case
from simbbm.report.told.story import Story
from simbbm.report.traces.ftrace import HARDWARE_PID
from simbbm.report.traces.mermaid import escaped

LONG = "linear_map_split::m07_count_before_switch"
NAMES = (LONG, "bbm_minimal::live_change", "linear_map_split::m14_plain_increment")


@cache
def request_of(name: str) -> Request:
    model = Model(discovery.find(name))
    witness = counterexample_of(model, Prover(model).prove())
    assert witness is not None
    return Request(_case(witness, model))


def _case(witness: Witness, model: Model) -> Case:
    case = Case(witness, lambda: (witness, model))
    case.explained = None
    return case


def text_of(form: str, name: str, **more: Any) -> str:
    text = written(form, request_of(name)._replace(**more))
    assert isinstance(text, str)
    return text


@pytest.mark.parametrize("form", [form for form in FORMS if form != "litmus"])
def test_the_same_run_is_the_same_bytes(form: str) -> None:
    again = request_of(LONG)
    told = [
        out if isinstance(out, str | bytes) else [*out]
        for out in (written(form, r) for r in (again, again._replace(case=_anew(again))))
    ]

    assert told[0] == told[1]
    assert told[0]


def _anew(request: Request) -> Case:
    witness = request.case.story.witness
    return _case(witness, Model(discovery.find(witness.scenario), witness.params))


def _with(story: Story) -> Case:
    case = _case(story.witness, Model(discovery.find(LONG)))
    case.story = story
    return case


# ftrace

LINE = re.compile(
    r"\s*(?P<task>.+)-(?P<pid>\d+)\s+\[(?P<cpu>\d{3})\] [.a-zA-Z0-9]{4}\s+"
    r"(?P<time>\d+\.\d{6}): (?P<event>\w+): (?P<what>[BEI])\|1(?:\|(?P<text>[^|]+))?"
)
"""As Perfetto's importer takes a line apart, and with it the mark."""


@pytest.mark.parametrize("name", NAMES)
def test_ftrace_has_a_slice_for_each_step(name: str) -> None:
    story = request_of(name).case.story
    lines = text_of("ftrace", name).splitlines()
    header = [line for line in lines if line.startswith("#")]
    marks = [m for line in lines[len(header) :] if (m := LINE.fullmatch(line))]
    begun = [m for m in marks if m["what"] == "B"]
    open_: Counter[str] = Counter()

    assert "# tracer: nop" == header[0]
    assert len(marks) == len(lines) - len(header) == 2 * len(story.events) + 1
    assert sorted(marks, key=lambda m: float(m["time"])) == marks
    for event, mark in zip(story.events, begun, strict=True):
        assert event.step == round(float(mark["time"]) * 1e6)
        assert event.cpu == int(mark["cpu"])
        assert " ".join(event.told.replace("|", "/").split()) == mark["text"]
        assert (f"cpu{event.cpu}" + "/hw" * event.is_hardware) == mark["task"]
        assert event.cpu + 1 + HARDWARE_PID * event.is_hardware == int(mark["pid"])
    ended = [round(float(m["time"]) * 1e6) for m in marks if m["what"] == "E"]
    assert [event.step + 1 for event in story.events] == ended
    for mark in marks:
        open_[mark["pid"]] += {"B": 1, "E": -1, "I": 0}[mark["what"]]
        assert 0 <= open_[mark["pid"]] <= 1
    assert not open_.total()
    assert f"{story.witness.verdict} {story.witness.property}: " in marks[-1]["text"]


def test_ftrace_keeps_a_mark_in_one_field() -> None:
    story = request_of(LONG).case.story
    hostile = story.events[0]._replace(text="a|b\n c", notes=("d|e",))
    shown = text_of("ftrace", LONG, case=_with(story._replace(events=(hostile,))))

    assert [": tracing_mark_write: B|1|a/b c [d/e]"] == re.findall(r": tracing.*B.*", shown)


# Mermaid

STATEMENT = re.compile(
    r"  (?:title [^#;]+|participant \w+ as [^#;]+|participant hw as hardware"
    r"|(?:  )?(?:Note over \w+(?:,\w+)?|hw->>cpu\d|\w+-->>\w+): [^#;]+"
    r"|loop [^#;]+|end)"
)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("everything", [False, True])
def test_mermaid_has_what_the_end_depends_on(name: str, *, everything: bool) -> None:
    story = request_of(name).case.story
    first, *lines = text_of("mermaid", name, everything=everything).splitlines()
    plain = [re.sub(r"#\d+;", "_", line).replace("<br/>", " ") for line in lines]
    steps = {int(n) for line in lines for n in re.findall(r"(?:cpu\d): (\d+) ", line)}
    events = {event.step for event in story.events}
    shown = story.telling

    assert "sequenceDiagram" == first
    assert all(STATEMENT.fullmatch(line) for line in plain), plain
    assert events == steps if everything else steps >= story.telling
    if len(events) > 48 and not everything:
        assert len(steps) < len(events) / 2
    arrows = sum("hw->>" in line for line in lines)
    assert sum(event.is_hardware for event in story.events if event.step in steps) == arrows
    assert HARDWARE not in "".join(lines)
    reads = {
        (event.step, source) for event in story.events for source in _from_another(story, event)
    }
    drawn = [(n, int(m[1])) for n, line in enumerate(lines) if (m := FROM.fullmatch(line))]
    following = (next(STEP.findall(x) for x in lines[n:] if STEP.search(x)) for n, _ in drawn)
    assert {(int(step), source) for (step,), (_, source) in zip(following, drawn, strict=True)} == {
        (step, source) for step, source in reads if step in steps and (everything or step in shown)
    }
    assert sum(line.strip().startswith("loop ") for line in lines) == lines.count("  end")


def test_mermaid_draws_a_livelock_as_a_loop() -> None:
    story = request_of(LONG).case.story
    goes_round = story._replace(
        witness=_with_loop(story.witness, len(story.events) - 3), telling=frozenset()
    )
    lines = text_of("mermaid", LONG, case=_with(goes_round)).splitlines()
    begin, end = (n for n, line in enumerate(lines) if line.startswith(("  loop ", "  end")))

    assert f"  loop for ever, from step {goes_round.witness.loop} on" == lines[begin]
    assert 3 == end - begin - 1
    assert all(line.startswith("    ") for line in lines[begin + 1 : end])


def _with_loop(witness: Any, step: int) -> Any:
    return msgspec.structs.replace(witness, loop=step)


def test_mermaid_shows_a_text_as_it_is() -> None:
    hostile = "a;b #1 <b>x</b> %%{init: {}}%% $$x$$\nend"
    safe = escaped(hostile)

    assert "\n" not in safe
    assert not re.search(r"[<>%$]|#(?!\d+;)|(?<!\d);", safe)
    back = re.sub(r"#(\d+);", lambda m: chr(int(m[1])), safe)
    assert hostile.replace("\n", " ") == back


FROM = re.compile(r" +\w+-->>\w+: from step (\d+)")
STEP = re.compile(r"cpu\d: (\d+) ")


def _from_another(story: Story, event: TraceEvent) -> list[int]:
    """Steps that a step reads from or drains, and that stand on another line of the diagram."""
    here = (event.is_hardware, None if event.is_hardware else event.cpu)
    lines = {e.step: (e.is_hardware, None if e.is_hardware else e.cpu) for e in story.events}
    return [source for source in story.sources[event.step] if lines[source] != here]


# Perfetto


@pytest.mark.parametrize("name", NAMES)
def test_perfetto_reads_what_was_written(name: str) -> None:
    story = request_of(name).case.story
    content = written("perfetto", request_of(name))
    assert isinstance(content, bytes)
    packets = Trace.FromString(content).packet
    tracks = {
        p.track_descriptor.uuid: p.track_descriptor for p in packets if p.track_descriptor.uuid
    }
    root = next(t for t in tracks.values() if not t.parent_uuid)
    marks = [p for p in packets if p.HasField("track_event")]
    begun = [p for p in marks if p.track_event.type == TrackEvent.TYPE_SLICE_BEGIN]
    open_: Counter[int] = Counter()

    begins: set[tuple[int, int]] = set()
    ends: set[tuple[int, int]] = set()

    assert name == root.name
    assert 1 + 2 * len(story.cpus) == len(tracks)
    assert {root.uuid} == {t.parent_uuid for t in tracks.values() if t is not root}
    assert sorted(p.timestamp for p in marks) == [p.timestamp for p in marks]
    for event, packet in zip(story.events, begun, strict=True):
        notes = {a.name: a.string_value for a in packet.track_event.debug_annotations}
        track = tracks[packet.track_event.track_uuid].name
        lane = f"cpu{event.cpu} hardware" if event.is_hardware else story.cpus[event.cpu]
        assert (event.step * 1_000, event.text) == (packet.timestamp, packet.track_event.name)
        assert lane == track
        assert (event.label, str(event.step)) == (notes["label"], notes["step"])
        ends.update({(n, event.step) for n in packet.track_event.terminating_flow_ids})
        begins.update({(n, event.step) for n in packet.track_event.flow_ids})
        assert (event.step in story.telling) == (notes["telling"] == "yes")
    edges = sorted((begun_at, dict(ends)[n]) for n, begun_at in begins)
    assert len(begins) == len(ends) == len(edges) == len(dict(begins)) > 1
    assert edges == sorted((s, step) for step, found in story.sources.items() for s in found)
    for packet in marks:
        kind = packet.track_event.type
        change = {TrackEvent.TYPE_SLICE_BEGIN: 1, TrackEvent.TYPE_SLICE_END: -1}.get(kind, 0)
        open_[packet.track_event.track_uuid] += change
        assert 0 <= open_[packet.track_event.track_uuid] <= 1
    assert not open_.total()
    assert f"{story.witness.verdict} {story.witness.property}" == marks[-1].track_event.name
