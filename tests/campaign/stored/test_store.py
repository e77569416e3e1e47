"""Stores: what is in them is looked at before it is believed, and only one writes."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from simbbm.campaign.planner import Chunk
from simbbm.campaign.stored import counts
from simbbm.campaign.stored.account import account
from simbbm.campaign.stored.database import Held, Unwritable, is_held
from simbbm.campaign.stored.plan import Plan, Planned, Sweep, planned
from simbbm.campaign.stored.store import SCHEMA, Once, Settled, Store
from simbbm.campaign.tally import Tally
from simbbm.check.verdict import Verdict
from simbbm.core.choice import Polite
from simbbm.core.errors import UsageError
from simbbm.explore.runs.play import Outcome
from simbbm.explore.strategies.estimate import Sample

PLAN: Planned = planned(Plan(sweep=(Sweep(scenarios=("bbm_minimal::good",)),)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store with a batch."""
    path = tmp_path / "store.db"
    with Store.writing(path, PLAN) as store, store.transaction():
        store.add_batch(Settled(0, Chunk(0, 10), tally()), 0)
    return path


def tally() -> Tally:
    sample = Sample()
    sample.runs = 10
    sample.met.update({0: 1, 2**64 - 1: 2, 7: 10})
    sample.taken.update({"park.isb": 1, "park.wfe": 10})
    found = Tally(10, 100, 5, 1, samples=[sample])
    outcome = Outcome(verdict=Verdict.VIOLATED, property="p", message="m", steps=3, digest="0" * 32)
    found.fail(4, outcome, Polite())
    return found


def test_what_was_added_is_read_back(path: Path) -> None:
    with Store.reading(path) as store:
        end, read, sampled = store.sum(0)
        estimate = store.estimate(0, sampled)
        assert {0: Once(1, 1)} == store.once()
        assert (2, []) == store.labels(0)

    written = tally()
    written.samples = []
    assert (10, written) == (end, read)
    assert estimate
    assert (10, 3, 1, 1) == (
        estimate.runs,
        estimate.states_seen,
        estimate.states_seen_once,
        estimate.states_seen_twice,
    )


def test_a_transaction_is_there_whole_or_not_at_all(path: Path) -> None:
    def some_of_it() -> None:
        with Store.writing(path, PLAN) as store, store.transaction():
            store.add_batch(Settled(0, Chunk(10, 20), tally()), 0)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        some_of_it()
    with Store.reading(path) as store:
        assert store.sum(0)[0] == 10


def test_two_do_not_write(path: Path) -> None:
    with Store.writing(path, PLAN):
        assert is_held(path)
        with pytest.raises(Held, match="another process"), Store.writing(path, PLAN):
            pass
        with Store.reading(path) as store:  # but others may look
            assert store.sum(0)[0] == 10
    assert not is_held(path)


def test_another_plan_is_refused(path: Path) -> None:
    other = planned(Plan(sweep=(Sweep(scenarios=("bbm_minimal::good",)),), seed=1))
    with pytest.raises(UsageError, match="another plan"), Store.writing(path, other):
        pass


def test_what_one_arm_took_and_another_of_its_machine_did_not_is_told(tmp_path: Path) -> None:
    other, elsewhere = tally(), tally()
    other.samples[0].taken.update({"park.dsb": 1})
    elsewhere.samples[0].taken.update({"of another machine": 1})
    with Store.writing(tmp_path / "store.db", PLAN) as store, store.transaction():
        for arm, (counts_, kind) in enumerate([(tally(), 0), (other, 0), (elsewhere, 1)]):
            store.add_batch(Settled(arm, Chunk(0, 10), counts_), kind)

        assert [(2, ["park.dsb"]), (3, []), (3, [])] == [store.labels(arm) for arm in range(3)]
        assert {1: Once(0, 1), 2: Once(1, 2)} == store.once()


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        (f"PRAGMA user_version = {SCHEMA + 1}", "newer schema"),
        (f"PRAGMA user_version = {SCHEMA - 1}", "older schema"),
        ("PRAGMA application_id = 7", "not a campaign's store"),
        ("UPDATE batch SET counts = x'7b'", "damaged"),
        ("UPDATE batch SET counts = x'b5'", "damaged"),
        ("UPDATE batch SET start = 3", "damaged: runs 0 on are not there"),
        ("UPDATE campaign SET plan = x'7b7d'", "damaged: its plan"),
        ("INSERT INTO share VALUES (7, 0, 1)", "rounds are missing"),
        ("INSERT INTO shrunk VALUES (7, 0, 'a', '')", "a failure of no arm"),
        ("DELETE FROM campaign", "damaged: its plan"),
        ("DROP TABLE batch", "damaged: its tables are others"),
        ("CREATE VIEW more AS SELECT 1", "damaged: its tables are others"),
    ],
)
def test_what_is_not_as_it_should_be_is_refused_in_one_line(
    path: Path, statement: str, why: str
) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(statement)
    connection.close()

    def look() -> None:
        with Store.reading(path) as store:
            account(store)

    with pytest.raises(UsageError, match=why) as error:
        look()
    assert len(str(error.value).splitlines()) == 1


def test_a_store_of_another_version_is_not_gone_on_with(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE campaign SET version = 'older'")
    connection.close()
    with pytest.raises(UsageError, match="made by simbbm older"), Store.writing(path, PLAN):
        pass


@pytest.mark.parametrize("kept", [0, 100, 4096, 20_000])
def test_a_store_that_was_cut_off_is_refused(path: Path, kept: int) -> None:
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(UsageError, match=r"not a campaign's store|damaged"), Store.reading(path):
        pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_no_place_for_a_store(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UsageError, match="cannot write"), Store.writing(tmp_path / "s", PLAN):
        pass


def test_where_nothing_can_be_written_a_copy_is_read(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a file system that is mounted read-only, after whoever wrote was killed."""
    with Store.writing(path, PLAN) as store:
        with store.transaction():
            store.add_batch(Settled(0, Chunk(10, 20), tally()), 0)
        kept = {p.name: p.read_bytes() for p in path.parent.iterdir()}
    for name, content in kept.items():
        (path.parent / name).write_bytes(content)
    connect = sqlite3.connect

    def refused(file: Any, **how: Any) -> sqlite3.Connection:
        if how.get("uri"):
            raise sqlite3.OperationalError("unable to open database file")
        opened: sqlite3.Connection = connect(file, **how)
        return opened

    monkeypatch.setattr(sqlite3, "connect", refused)
    monkeypatch.setattr(os, "access", lambda *_: False)

    with Store.reading(path) as store:
        assert store.sum(0)[0] == 20


def test_a_full_disk_is_said_and_costs_nothing_that_is_kept(path: Path) -> None:
    def fill() -> None:
        with Store.writing(path, PLAN) as store:
            pages = store._one("PRAGMA page_count")
            store._db.execute(f"PRAGMA max_page_count = {pages + 1}")
            for start in range(10, 10_000, 10):
                with store.transaction():
                    store.add_batch(Settled(0, Chunk(start, start + 10), tally()), 0)

    with pytest.raises(Unwritable, match="database or disk is full"):
        fill()
    with Store.reading(path) as store:
        end, total, _ = store.sum(0)
    assert end == total.runs > 10


def test_counts_are_read_as_counts_alone() -> None:
    for text in (b"", b"[]", b'{"runs": 1}', counts.written(tally()).replace(b"VIOLATED", b"X")):
        with pytest.raises(UsageError):
            counts.read(text)
