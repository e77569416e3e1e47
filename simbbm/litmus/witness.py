"""The way to an outcome as a witness, which `show` and `replay` accept."""

from __future__ import annotations

from typing import Any

from simbbm.check.verdict import Verdict
from simbbm.core.choice import Polite
from simbbm.core.graph import Node
from simbbm.core.trace import trace_digest
from simbbm.explore.runs.run import Recorder, Runner, RunResult
from simbbm.explore.witness.recording import Witness, witness_from
from simbbm.litmus.run import Ending, Result


def witness_of(result: Result, ending: Ending) -> Witness:
    """Walk the way to an ending again, then on until nothing is left to do, and record it."""
    runner = Runner(result.model, "default", 0)
    graph, polite = runner.engine.graph, Polite()
    taken: list[tuple[Node[Any], int]] = []
    node, way = graph.initial, iter(ending.way)
    while node.ended is None:
        k = next(way, None)
        k = polite.default(node) if k is None else k
        polite.observe(node, k)
        taken.append((node, k))
        node = graph.follow(node, k)
    recorder = Recorder(polite)
    recorder.taken = taken
    found = RunResult(
        verdict=Verdict(node.ended.value),
        property=node.problem.property if node.problem else None,
        message=node.problem.message if node.problem else f"ends in {ending.text}",
        steps=len(taken),
        digest=trace_digest(node.moves[k].label for node, k in taken),
    )
    return witness_from(runner, recorder, found)
