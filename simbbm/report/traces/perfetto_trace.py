"""A counterexample as a trace of Perfetto: the protobuf of TrackEvents that ui.perfetto.dev opens.

A track for each CPU's program and one for its hardware; a step is a slice, one microsecond long:
step n lasts from n to n + 1, so that the same run gives the same bytes everywhere. A slice's
arguments are its routine, its label and what changed; `telling` says whether the end depends on it.
Arrows (flows) lead to a step from the write that it reads from, or from the store that it drains.
(https://perfetto.dev/docs/reference/synthetic-track-event)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import (
    Trace,
    TracePacket,
    TrackDescriptor,
    TrackEvent,
)

from simbbm.host.terminal import visible
from simbbm.report.forms import Request
from simbbm.report.told.story import Story

STEP_NS = 1_000
SEQUENCE = 1
ROOT, FIRST_CPU = 1, 2
"""Numbers of tracks: the run, and the two of each CPU from here on."""


def as_perfetto(request: Request) -> bytes:
    """Return the whole run as a trace."""
    trace = Trace()
    trace.packet.extend(_packets(request.case.story))
    written: bytes = trace.SerializeToString(deterministic=True)
    return written


def _packets(story: Story) -> Iterator[TracePacket]:
    yield _track(ROOT, story.witness.scenario, 0)
    for cpu, name in enumerate(story.cpus):
        yield _track(_program(cpu), name, 2 * cpu)
        yield _track(_program(cpu) + 1, f"cpu{cpu} hardware", 2 * cpu + 1)
    flows = _Flows(story)
    for event in story.events:
        track = _program(event.cpu) + event.is_hardware
        begin = _event(event.step, track, TrackEvent.TYPE_SLICE_BEGIN)
        begin.track_event.name = visible(event.text)
        begin.track_event.categories.append("hardware" if event.is_hardware else "program")
        _annotate(
            begin,
            step=str(event.step),
            function=event.function,
            changes="; ".join(event.notes),
            label=event.label,
            telling="yes" if event.step in story.telling else "no",
        )
        begin.track_event.flow_ids.extend(flows.begins[event.step])
        begin.track_event.terminating_flow_ids.extend(flows.ends[event.step])
        yield begin
        yield _event(event.step + 1, track, TrackEvent.TYPE_SLICE_END)
    if story.events and story.witness.property:
        last = story.events[-1]
        end = _event(last.step + 1, ROOT, TrackEvent.TYPE_INSTANT)
        end.track_event.name = f"{story.witness.verdict} {story.witness.property}"
        _annotate(end, message=story.message)
        yield end


class _Flows:
    """Arrows from the write that a step reads from, and from a store to where it reaches memory.

    Each has a number of its own: of two arrows with one number Perfetto makes a chain.
    """

    def __init__(self, story: Story) -> None:
        self.begins = defaultdict[int, list[int]](list)
        self.ends = defaultdict[int, list[int]](list)
        edges = ((source, step) for step, found in story.sources.items() for source in found)
        for number, (source, step) in enumerate(edges, start=1):
            self.begins[source].append(number)
            self.ends[step].append(number)


def _program(cpu: int) -> int:
    """The track of a CPU's program; its hardware has the next number."""
    return FIRST_CPU + 2 * cpu


def _track(uuid: int, name: str, rank: int) -> TracePacket:
    packet = TracePacket(trusted_packet_sequence_id=SEQUENCE)
    track = packet.track_descriptor
    track.uuid, track.name = uuid, visible(name)
    if uuid == ROOT:
        track.child_ordering = TrackDescriptor.EXPLICIT
        packet.sequence_flags = TracePacket.SEQ_INCREMENTAL_STATE_CLEARED
    else:
        track.parent_uuid, track.sibling_order_rank = ROOT, rank
    return packet


def _event(step: int, track: int, kind: Any) -> TracePacket:
    packet = TracePacket(timestamp=step * STEP_NS, trusted_packet_sequence_id=SEQUENCE)
    packet.track_event.type, packet.track_event.track_uuid = kind, track
    return packet


def _annotate(packet: TracePacket, **texts: str) -> None:
    """Give a slice arguments; an empty text is none."""
    for name, text in texts.items():
        if text:
            packet.track_event.debug_annotations.add(name=name, string_value=visible(text))
