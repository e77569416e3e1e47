"""The page of a counterexample, without a browser: its data is right, and it is safe to open."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from simbbm import discovery
from simbbm.arm64.agents import ACTS
from simbbm.arm64.context import Shared
from simbbm.arm64.geometry import LEAF_LEVEL
from simbbm.arm64.state import Machine
from simbbm.arm64.translation.walks import without
from simbbm.core.system import Problem
from simbbm.explore.runs.exact import followed
from simbbm.explore.runs.play import RunStep
from simbbm.explore.runs.replay import model_of, replay
from simbbm.explore.witness.recording import read, save
from simbbm.host.terminal import visible
from simbbm.model import Model
from simbbm.report.html.arrows import DELIVERS, DRAINS
from simbbm.report.html.moment import CONFLICT, Moments
from simbbm.report.html.page import PageData, page, page_data
from simbbm.report.html.tables import HEAD, UNLINKED, layout, rows
from simbbm.report.html.tracks import Tracks
from simbbm.report.trace import told_of as words_of
from tests.report.elements import Elements
from tests.report.told import told, told_of

CORPUS = Path(__file__).parent.parent / "explore" / "corpus"
NAMES = (
    "linear_map_split::m02_first_to_arrive_splits",
    "linear_map_split::m10_no_dsb_after_tlbi",
    "linear_map_split::m14_plain_increment",
    "linear_map_split::m22_ttbr1_not_restored",
    "bbm_minimal::no_invalidation",
)
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>'\"&\u202e"


@cache
def data_of(name: str) -> PageData:
    return page_data(told(name).story, told(name).run)


@cache
def played(name: str) -> tuple[Shared, list[RunStep], list[Machine]]:
    alone = told(name).model.anew()
    steps = [*followed(told(name).witness, alone).played()]
    return words_of(alone), steps, [steps[0].before.state, *(s.after.state for s in steps)]


def tracks_of(data: PageData) -> Tracks:
    tracks = Tracks()
    tracks.values, tracks.by_part = data.values, data.tracks
    return tracks


@pytest.mark.parametrize("name", NAMES)
def test_tracks_give_every_state_back(name: str) -> None:
    data, (shared, _, states) = data_of(name), played(name)
    tracks, moments = tracks_of(data), Moments(shared, data.boxes)

    assert len(states) == data.steps + 1
    for number, state in enumerate(states):
        before = states[number - 1] if number else None
        assert tracks.at(number) == moments.parts(state, before)


@pytest.mark.parametrize("name", NAMES)
def test_tables_say_what_the_machine_has(name: str) -> None:
    data, (_, _, states) = data_of(name), played(name)
    tracks, levels = tracks_of(data), {box.address: box.level for box in data.boxes}

    for number, state in enumerate(states):
        parts = tracks.at(number)
        for address, table in state.memory.tables.by_address.items():
            rows = parts[f"t{address}"]
            entries = [row for row in rows for _ in range(row.number)]
            assert len(entries) == len(table.entries)
            for row, descriptor in zip(entries, table.entries, strict=True):
                is_table = descriptor.kind == "table" and levels[address] != LEAF_LEVEL
                assert row.below == (descriptor.output if is_table else None)
                leaf = {LEAF_LEVEL: "page", UNLINKED: "leaf"}.get(levels[address], "block")
                assert row.kind == {"table": "table", "leaf": leaf}.get(descriptor.kind, "invalid")
                if descriptor.kind == "leaf":
                    assert row.text.startswith(hex(descriptor.output))
                    assert row.contiguous == descriptor.contiguous


@pytest.mark.parametrize("name", NAMES)
def test_cpus_hold_what_the_machine_says(name: str) -> None:
    data, (shared, _, states) = data_of(name), played(name)
    tracks = tracks_of(data)

    for number, state in enumerate(states):
        parts = tracks.at(number)
        for i, cpu in enumerate(state.cpus):
            view = shared.view(cpu, state.memory)
            leaves = parts[f"c{i}.leaves"]
            assert len(leaves) >= len(view.leaves)
            assert {leaf[0].partition("..")[0] for leaf in leaves} >= {
                shared.page_name(leaf.va) for leaf in view.leaves
            }
            size = view.size_conflict() if not cpu.features.tolerates_size_change else None
            assert any(leaf[3] == CONFLICT for leaf in leaves) == bool(
                size or view.output_conflict()
            )
            assert [one[2] for one in parts[f"c{i}.tables"]] == [e.baddr for e in view.kept]
            assert len(parts[f"c{i}.stores"]) == len(cpu.buffer.stores)
            assert len(parts[f"c{i}.tlbis"]) == len(cpu.pending_tlbis)
            ttbr1 = [root for root in parts[f"c{i}.roots"] if root[1] == "TTBR1"]
            assert [root[0] for root in ttbr1] == [t.baddr for t in cpu.mmu.regime.ttbr1]
            assert [root[2] for root in ttbr1] == [0] * (len(ttbr1) - 1) + [1]


def test_what_a_tlbi_takes_away_is_gone() -> None:
    """With the step at which it acts, and what the tables in effect lead to is there at once."""
    name = NAMES[3]
    data, (shared, steps, states) = data_of(name), played(name)
    tracks = tracks_of(data)
    seen = 0
    for step in steps:
        move = step.before.moves[step.k]
        held = shared.view(states[step.step].cpus[move.cpu], states[step.step].memory).leaves
        left = shared.view(
            states[step.step + 1].cpus[move.cpu], states[step.step + 1].memory
        ).leaves
        gone = tracks.at(step.step + 1)[f"c{move.cpu}.gone"]
        assert bool(gone) == bool(without(shared.geometry, held, left))
        seen += bool(gone)
        if move.kind == ACTS and gone:
            assert len(left) < len(held)

    assert seen > 1


def test_a_conflict_is_marked_where_it_is() -> None:
    parts = tracks_of(data_of(NAMES[0])).at(data_of(NAMES[0]).steps)
    bad = {
        cpu: {leaf[0] for leaf in parts[f"c{cpu}.leaves"] if leaf[3] == CONFLICT}
        for cpu in range(len(data_of(NAMES[0]).cpus))
    }

    problem = told(NAMES[0]).story.problem
    assert problem is not None
    assert problem.cpu is not None
    assert len(bad[problem.cpu]) == 1
    assert all(not pages for cpu, pages in bad.items() if "noabort" in data_of(NAMES[0]).cpus[cpu])


@pytest.mark.parametrize("name", NAMES)
def test_tables_keep_places_of_their_own(name: str) -> None:
    data, (_, _, states) = data_of(name), played(name)

    assert {box.address for box in data.boxes} == set(states[0].memory.tables.by_address)
    for a in data.boxes:
        for b in data.boxes:
            if a.address < b.address and a.column == b.column:
                assert a.top + a.rows + HEAD <= b.top or b.top + b.rows + HEAD <= a.top


@pytest.mark.parametrize("name", NAMES)
def test_what_hardware_does_has_an_arrow_from_whoever_asked(name: str) -> None:
    data, (_, steps, _) = data_of(name), played(name)
    moves = [step.before.moves[step.k] for step in steps]
    by_later = {arrow.later: arrow for arrow in data.arrows if arrow.how in (DELIVERS, DRAINS)}

    for step, move in enumerate(moves):
        if move.kind == "drain":
            assert moves[by_later[step].earlier].cpu == move.cpu
            assert data.values[data.events[by_later[step].earlier][2]].startswith(("st", "fill"))
        if move.kind == ACTS:
            issuer = moves[by_later[step].earlier]
            assert issuer.cpu == move.issuer
            assert ".tlbi." in issuer.what
    assert all(arrow.earlier < arrow.later for arrow in data.arrows)


def test_the_tlbi_of_a_step_that_tells_is_shown_too() -> None:
    data = data_of(NAMES[1])
    issued = {a.earlier for a in data.arrows if a.how == DELIVERS and a.later in data.telling}

    assert issued
    assert issued <= set(data.telling)


def test_of_a_long_failure_alone_steps_are_hidden_at_first() -> None:
    run = told(NAMES[0])
    holds = run.story._replace(problem=None)

    assert data_of(NAMES[0]).short
    assert not page_data(run.story, run.run, everything=True).short
    assert not page_data(holds, run.run).short
    assert not data_of(NAMES[4]).short


def test_real_tables_fold_what_continues() -> None:
    scenario = discovery.find("linear_map_split::good")
    model = Model(scenario, scenario.parameters_from({"geometry": "4k", "layout": "pmd"}))
    state = model.system.initial()
    shared = model.system.shared
    for box in layout(shared, [state]):
        table = state.memory.tables.by_address[box.address]
        folded = rows(shared, table, box.level)
        assert sum(row.number for row in folded) == len(table.entries) == 512
        assert len(folded) == box.rows < 16


@cache
def harmless_page() -> str:
    return page(told(NAMES[0]).case())


@cache
def hostile() -> str:
    """A page of which everything that can be named is named so as to break out."""
    run = told(NAMES[0])
    story = run.story
    events = tuple(
        e._replace(text=e.text + HOSTILE, function=HOSTILE, notes=(HOSTILE,)) for e in story.events
    )
    named: dict[str, Any] = {
        "events": events,
        "problem": Problem(HOSTILE, f"{HOSTILE}; step 3{HOSTILE}", 1),
        "because": (HOSTILE,),
        "meaning": HOSTILE,
        "cpus": tuple(name + HOSTILE for name in story.cpus),
    }
    return page(run._replace(story=story._replace(**named)).case(), replay=HOSTILE)


def test_no_name_breaks_out_of_its_place() -> None:
    harmless, found = Elements(harmless_page()), Elements(hostile())
    scripts = [attributes for tag, attributes in found.tags if tag == "script"]

    assert scripts == [{"type": "application/json", "id": "data"}, {}]
    assert not [tag for tag, _ in found.tags if tag == "img"]
    assert {tag for tag, _ in found.tags} <= {tag for tag, _ in harmless.tags} | {"code"}
    assert not [a for _, a in found.tags if any(name.startswith("on") for name in a)]
    data = json.loads(next(text for tag, text in found.texts if '"tracks"' in text))
    assert visible(HOSTILE) in data["values"]
    assert "\u202e" not in hostile()


def test_nothing_is_fetched() -> None:
    text = harmless_page()
    elements = Elements(text)
    links = [a[name] for _, a in elements.tags for name in ("src", "href", "action") if name in a]

    assert all(link is not None and link.startswith(("#", "data:")) for link in links)
    assert set(re.findall(r"https?://[\w.]+", text)) <= {"http://www.w3.org"}  # SVG's namespace
    assert "@import" not in text
    assert not re.findall(r"url\((?!#)", text)
    (policy,) = (a["content"] for _, a in elements.tags if a.get("http-equiv"))
    assert policy is not None
    assert policy.startswith("default-src 'none'; ")
    assert visible(text) == text


def test_the_longest_counterexample_is_small() -> None:
    """Of those that are shipped with the tests: one of every mistake."""
    old = max((read(str(path)) for path in CORPUS.glob("*.json")), key=lambda w: w.steps)
    model = model_of(old, discovery.find(old.scenario))
    witness = replay(old, model).refreshed or old
    run = told_of(witness, model)

    assert len(run.story.events) > 200
    assert len(page(run.case()).encode()) < 200_000  # and has to be under 1 MB


def test_a_page_is_the_same_everywhere(tmp_path: Path) -> None:
    witness, pages = save(told(NAMES[4]).witness, tmp_path), []
    for seed in ("1", "2"):
        out = tmp_path / f"{seed}.html"
        args = ["show", str(witness), "--as", "html", "-o", str(out)]
        subprocess.run(
            [sys.executable, "-m", "simbbm", *args],
            env=os.environ | {"PYTHONHASHSEED": seed},
            check=True,
        )
        pages.append(out.read_bytes())

    assert pages[0] == pages[1]
    assert pages[0].startswith(b"<!doctype html>")
