"""What simbbm keeps in files, spoilt: reports, certificates, stories, folders of witnesses.

Each is read as its command reads it. What is accepted is used: a report is drawn, a certificate is
checked, a story is shown.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from contextlib import closing, suppress
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from simbbm import discovery
from simbbm.campaign.planner import Chunk
from simbbm.campaign.stored.account import account
from simbbm.campaign.stored.plan import parsed, planned
from simbbm.campaign.stored.store import Settled, Store
from simbbm.campaign.tally import Tally
from simbbm.check.verdict import Verdict
from simbbm.core.choice import Polite
from simbbm.core.errors import UsageError
from simbbm.explore.certificate import file
from simbbm.explore.certificate.listed import verify_states
from simbbm.explore.certificate.verify import verify
from simbbm.explore.every_n.certify import certificate_of
from simbbm.explore.runs.play import Outcome
from simbbm.explore.witness.files import load, save
from simbbm.explore.witness.index import chosen, entries
from simbbm.explore.witness.record import Witness
from simbbm.model import Model
from simbbm.report.columns import as_columns
from simbbm.report.forms import Request
from simbbm.report.html.folder import DATA, Folder
from simbbm.report.html.index import index
from simbbm.report.html.parts import Entry, Part, Report
from simbbm.report.rows import AblationRow, KillRow, VerdictRow
from simbbm.report.told.case import Case
from tests.explore.every_n.gathering import counts, gathers, of, proved
from tests.faults import inputs
from tests.faults.inputs import Draw

HOME = Path(".simbbm")
ONE = inputs.TESTS / "explore" / "corpus" / "bbm_minimal.live_change.json"
ROWS = (
    VerdictRow(
        scenario="a::good",
        params={"cpus": 2},
        mode="explore",
        verdict="PROVED",
        expect="HOLDS",
        expected=True,
        layers=[1, 3, 2],
        version="1",
    ),
    KillRow(
        scenario="a::m1",
        params={"cpus": 2},
        strategy="urw",
        median=3,
        low=1,
        high=9,
        trials=5,
        found=5,
        runs=9,
        seed=0,
    ),
    AblationRow(
        scenario="a::good",
        params={},
        step="f.isb",
        change="remove",
        result="load-bearing",
        verdict="VIOLATED",
        property="no_size_change_seen",
    ),
)


PLAN = """\
seed = 7
runs = "10k"
time = "1h"
batch = 100
stop = "never"
adaptive = false
[[sweep]]
scenarios = ["bbm_minimal::good"]
twins = true
strategies = ["default", "pct:depth=3"]
params = { noabort = ["none", "all"] }
"""


def plan(draw: Draw) -> str:
    """A plan, and the arms that it makes."""
    planned(parsed(inputs.spoilt(draw, PLAN), "plan.toml"))
    return "accepted"


@cache
def stored() -> bytes:
    """A store with a batch that failed."""
    path = Path("store.db")
    plan = planned(parsed(PLAN, "plan.toml"))
    with Store.writing(path, plan) as store, store.transaction():
        store.add_batch(Settled(0, Chunk(0, 9), failing()), 0)
    return path.read_bytes()


def failing() -> Tally:
    """The counts of some runs, of which one failed."""
    tally = Tally(9, 90, 7)
    outcome = Outcome(verdict=Verdict.VIOLATED, property="p", message="m", steps=3, digest="0" * 32)
    tally.fail(4, outcome, Polite())
    return tally


def store(draw: Draw) -> str:
    """A store with bytes changed, or with other values in its columns."""
    path = Path("spoilt.db")
    content = bytearray(stored())
    for _ in range(draw.below(3)):
        content[draw.below(len(content))] = draw.below(256)
    path.write_bytes(content[: draw.one((len(content),) * 5 + (draw.below(len(content)),))])
    if draw.below(2):
        column = draw.one(("batch SET counts", "batch SET stop", "campaign SET plan"))
        value = draw.one((inputs.written(draw, {"runs": 1}), draw.below(99), None))
        with suppress(sqlite3.Error, UnicodeError), closing(sqlite3.connect(path)) as db, db:
            db.execute(f"UPDATE {column} = ?", (value,))
    with Store.reading(path) as kept:
        account(kept)
    return "accepted"


def report(draw: Draw) -> str:
    """The data of a report that another command goes on with."""
    verdict = Entry(row=ROWS[0], page="0" * 12, passed=True)
    rest = tuple(Entry(row=row) for row in ROWS[1:])
    made = Report().with_part("check", Part(entries=(verdict,)))
    made = made.with_part("ablate", Part(entries=rest, unfinished="interrupted"))
    folder = Path("report")
    folder.mkdir(exist_ok=True)
    data = inputs.written(draw, msgspec.to_builtins(made))
    (folder / DATA).write_bytes(data)
    index(Folder(folder).report())
    return "accepted"


@cache
def _gathering() -> tuple[Any, Any]:
    scenario = of(gathers, counts)
    answer = proved(scenario)
    assert answer.closed is not None
    made = certificate_of(answer.closed, scenario.id, {}, answer.levels)
    return scenario, json.loads(msgspec.json.encode(made))


def certificate(draw: Draw) -> str:
    """A certificate: packed as it is, or spoilt where it is packed; one in 32 is checked."""
    scenario, made = _gathering()
    packed = file.BEGINS + zlib.compress(inputs.written(draw, made), 1)
    if draw.below(4) == 0:
        at = draw.below(len(packed))
        packed = packed[:at] + bytes([draw.below(256)]) * draw.below(3) + packed[at + 1 :]
    path = Path("it.certificate")
    path.write_bytes(packed)
    found = file.read(path)
    if draw.below(32):
        return "accepted"
    if isinstance(found, file.States):
        return "checked" if not verify_states(found, scenario).fault else "refuted"
    return "checked" if not verify(found, scenario).fault else "refuted"


@cache
def _told() -> tuple[Witness, bytes, list[str]]:
    """A witness, what is remembered of it, and what is shown of it."""
    path = save(load(ONE), HOME / "witness")
    shown = _shown(path)
    return load(path), (HOME / "explained" / path.name).read_bytes(), shown


def _shown(path: Path) -> list[str]:
    witness = load(path)
    model = Model(discovery.find(witness.scenario), witness.params)
    case = Case(witness, lambda: (witness, model), path=path, states=200)
    return [line.text for line in as_columns(Request(case))]


def remembered(draw: Draw) -> str:
    """What is remembered of a witness: whatever became of it, the same is shown."""
    witness, content, shown = _told()
    path = save(witness, HOME / "witness")
    (HOME / "explained").mkdir(exist_ok=True)
    first, _, rest = content.partition(b"\n")
    spoilt = inputs.written(draw, json.loads(rest))
    kept = spoilt if draw.below(2) else first + b"\n" + spoilt
    (HOME / "explained" / path.name).write_bytes(kept)
    assert shown == _shown(path)
    return "accepted"


def witnesses(draw: Draw) -> str:
    """A folder of witnesses, and one that is chosen in it."""
    folder = Path("witnesses")
    folder.mkdir(exist_ok=True)
    for name in ("a.json", "b.json"):
        (folder / name).write_bytes(inputs.a_witness(draw))
    known = entries(folder)
    assert len(known) == 2
    try:
        chosen(known, folder, (draw.one(("a", "b.json", inputs.spoilt(draw, "a.json"))),))
    except UsageError:
        return "refused"
    return "chosen"
