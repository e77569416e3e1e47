"""What a campaign has done, in a file of SQLite's: one writes, and others may read meanwhile.

Results are added batch by batch, of each arm in the order of its runs, with all that follows from
them in one transaction: so the file says at every moment from where to go on, whatever ended who
wrote it. What is in it is data, and is looked at when it is read: none of it is ever run.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec

from simbbm import __version__
from simbbm.campaign.planner import Chunk
from simbbm.campaign.stored import counts
from simbbm.campaign.stored.database import errors, held, read_only
from simbbm.campaign.stored.plan import Planned
from simbbm.campaign.tally import Tally
from simbbm.core.errors import UsageError
from simbbm.explore.strategies.estimate import Estimate
from simbbm.host import reading
from simbbm.host.reading import quoted

A = TypeVar("A")

APPLICATION, SCHEMA = 0x53694242, 2
_TABLES = """\
CREATE TABLE campaign (version TEXT NOT NULL, plan BLOB NOT NULL, seconds REAL NOT NULL) STRICT;
CREATE TABLE arm (arm INTEGER PRIMARY KEY, doubt TEXT, error TEXT) STRICT;
CREATE TABLE batch (arm INTEGER NOT NULL, start INTEGER NOT NULL, stop INTEGER NOT NULL,
    counts BLOB NOT NULL, PRIMARY KEY (arm, start)) WITHOUT ROWID, STRICT;
CREATE TABLE met (kind INTEGER NOT NULL, state INTEGER NOT NULL, arm INTEGER NOT NULL,
    runs INTEGER NOT NULL, PRIMARY KEY (kind, state, arm)) WITHOUT ROWID, STRICT;
CREATE TABLE taken (kind INTEGER NOT NULL, label TEXT NOT NULL, arm INTEGER NOT NULL,
    runs INTEGER NOT NULL, PRIMARY KEY (kind, label, arm)) WITHOUT ROWID, STRICT;
CREATE TABLE share (round INTEGER NOT NULL, arm INTEGER NOT NULL, runs INTEGER NOT NULL,
    PRIMARY KEY (round, arm)) WITHOUT ROWID, STRICT;
CREATE TABLE shrunk (arm INTEGER NOT NULL, run INTEGER NOT NULL, finding TEXT NOT NULL,
    why TEXT NOT NULL, PRIMARY KEY (arm, run)) WITHOUT ROWID, STRICT;
CREATE TABLE finding (finding TEXT PRIMARY KEY, token TEXT NOT NULL, file TEXT NOT NULL,
    found BLOB NOT NULL) WITHOUT ROWID, STRICT"""
"""All STRICT: SQLite sees to it, and its check of a file says so, that columns have these types."""

_ADD = (
    "INSERT INTO {table} VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET runs = runs + excluded.runs"
)
_ONCE = (
    "SELECT arm, count(*) FROM (SELECT arm FROM {table} GROUP BY kind, {what} "
    "HAVING sum(runs) = 1) GROUP BY arm"
)


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A failure made small. Failures of one bug become one, so that there are few."""

    scenario: str
    params: dict[str, object]
    verdict: str
    property: str
    message: str
    steps: int
    certified: bool
    """Whether no shorter run fails like this."""


class Kept(NamedTuple):
    """A finding as it is kept; `file` is the name of its witness's, empty if there is none."""

    name: str
    token: str
    file: str
    found: Finding


class Shrunk(NamedTuple):
    """What has become of a run that failed."""

    arm: int
    run: int
    finding: str
    """The name of the finding; empty if it could not be made small, for which `why` is."""
    why: str = ""


class Once(NamedTuple):
    """How much one run alone came to."""

    states: int
    labels: int


class Settled(NamedTuple):
    """A batch that is done, as all lower ones of its arm are."""

    arm: int
    chunk: Chunk
    tally: Tally


class Store:
    """A store that is open; use it in a `with`."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._db = connection

    # Opening

    @staticmethod
    @contextmanager
    def writing(path: Path, plan: Planned) -> Iterator[Store]:
        """Open a store to go on with, or make one; UsageError if it is another plan's, or held."""
        with held(path), errors(path):
            store = Store(path, sqlite3.connect(path, isolation_level=None))
            try:
                if not store._one("SELECT count(*) FROM sqlite_master"):
                    store._make(plan)
                store._check()
                store._require(plan)
                store._db.execute("PRAGMA journal_mode = WAL")
                store._db.execute("PRAGMA synchronous = FULL")
                yield store
            finally:
                store._db.close()

    @staticmethod
    @contextmanager
    def reading(path: Path) -> Iterator[Store]:
        """Open a store to look at, also while somebody writes."""
        reading.require_file(path)
        with errors(path), read_only(path) as connection:
            store = Store(path, connection)
            store._check()
            connection.execute("BEGIN")  # one moment of it, whatever is added meanwhile
            yield store

    def _make(self, plan: Planned) -> None:
        ours = f"PRAGMA application_id = {APPLICATION}", f"PRAGMA user_version = {SCHEMA}"
        self._db.executescript("; ".join(("BEGIN", *ours, _TABLES)))
        text = msgspec.json.encode(plan)
        self._db.execute("INSERT INTO campaign VALUES (?, ?, 0)", (__version__, text))
        arms = [(arm,) for arm in range(len(plan.arms))]
        self._db.executemany("INSERT INTO arm VALUES (?, NULL, NULL)", arms)
        self._db.execute("COMMIT")

    def _check(self) -> None:
        """Raise UsageError for what is no store of ours, or none that is whole."""
        said = quoted(self.path)
        if self._one("PRAGMA application_id") != APPLICATION:
            raise UsageError(f"{said}: not a campaign's store")
        if (schema := self._one("PRAGMA user_version")) > SCHEMA:
            raise UsageError(f"{said}: a store of a newer schema ({schema})", "update simbbm")
        if schema < SCHEMA:
            hint = "read it with the simbbm that made it, and begin anew"
            raise UsageError(f"{said}: a store of an older schema ({schema})", hint)
        if (why := self._one("PRAGMA quick_check(1)")) != "ok":
            raise self._damaged(quoted(why))
        tables = self._db.execute("SELECT sql FROM sqlite_master WHERE sql NOT NULL ORDER BY rowid")
        if ";\n".join(sql for (sql,) in tables) != _TABLES:
            raise self._damaged("its tables are others")

    def _require(self, plan: Planned) -> None:
        """Raise UsageError for a store of another plan, or of another simbbm."""
        if changed := self.plan.changed_sources(plan):
            hint = "its runs might differ: take another store"
            raise UsageError(f"{quoted(self.path)}: {changed[0]} is not what it was", hint)
        if self.plan != plan:
            hint = "take another store, or the plan that it was begun with"
            raise UsageError(f"{quoted(self.path)}: a store of another plan", hint)
        if self.version != __version__:
            made = f"made by simbbm {quoted(self.version)}, and this is {__version__}"
            hint = "its runs might differ: take another store"
            raise UsageError(f"{quoted(self.path)}: {made}", hint)

    # Reading

    @property
    def plan(self) -> Planned:
        """The plan that it was begun with."""
        try:
            return reading.json(self._one("SELECT plan FROM campaign"), Planned)
        except (UsageError, TypeError) as error:
            raise self._damaged(f"its plan: {quoted(error)}") from None

    @property
    def version(self) -> str:
        """The version of simbbm that made it."""
        return str(self._one("SELECT version FROM campaign"))

    @property
    def seconds(self) -> float:
        """How long it was worked on."""
        return float(self._one("SELECT seconds FROM campaign"))

    def sum(self, arm: int) -> tuple[int, Tally, int]:
        """How far an arm is, the counts of these runs, and of how many states were counted."""
        total, sampled, end = Tally(), 0, 0
        rows = self._db.execute(
            "SELECT start, stop, counts FROM batch WHERE arm = ? ORDER BY start", (arm,)
        )
        for start, stop, text in rows:
            tally, seen = self._as(text, counts.read)
            if start != end or not start < stop:
                raise self._damaged(f"runs {end:,} on are not there")
            total.add(tally)
            sampled += seen
            end = stop
        return end, total, sampled

    def failing(self, arm: int) -> Iterator[Tally]:
        """The counts of the arm's batches in which runs failed, in order."""
        rows = self._db.execute("SELECT counts FROM batch WHERE arm = ? ORDER BY start", (arm,))
        for (text,) in rows:
            if (tally := self._as(text, counts.read)[0]).failures:
                yield tally

    def notes(self, arm: int) -> tuple[str | None, str | None]:
        """Why an arm's runs may mean nothing, and why they could not be made."""
        row = self._db.execute("SELECT doubt, error FROM arm WHERE arm = ?", (arm,)).fetchone()
        return row or (None, None)

    def estimate(self, arm: int, sampled: int) -> Estimate | None:
        """What the runs of an arm say about the states that they have not met."""
        if not sampled:
            return None
        rows = self._db.execute(
            "SELECT min(runs, 3), count(*) FROM met WHERE arm = ? GROUP BY 1", (arm,)
        )
        by_count = dict(rows)
        return Estimate(sampled, sum(by_count.values()), by_count.get(1, 0), by_count.get(2, 0))

    def once(self) -> dict[int, Once]:
        """By arm: what one of its runs came to, and no other run of an arm of its kind."""
        states, labels = (
            dict(self._db.execute(_ONCE.format(table=table, what=what)))
            for table, what in (("met", "state"), ("taken", "label"))
        )
        return {
            arm: Once(states.get(arm, 0), labels.get(arm, 0))
            for arm in sorted(states.keys() | labels.keys())
        }

    def labels(self, arm: int) -> tuple[int, list[str]]:
        """How many labels runs of an arm took, and those that only runs of others of its kind did.

        Of the runs that were looked at.
        """
        (count,) = self._db.execute("SELECT count(*) FROM taken WHERE arm = ?", (arm,)).fetchone()
        others = self._db.execute(
            "SELECT DISTINCT label FROM taken WHERE kind = "
            "(SELECT kind FROM taken WHERE arm = :arm) EXCEPT "
            "SELECT label FROM taken WHERE arm = :arm ORDER BY 1",
            {"arm": arm},
        )
        return count, [label for (label,) in others]

    def shares(self) -> list[dict[int, int]]:
        """How many runs each arm got, round by round."""
        found: list[dict[int, int]] = []
        for number, arm, runs in self._db.execute("SELECT round, arm, runs FROM share ORDER BY 1"):
            if number == len(found):
                found.append({})
            if number != len(found) - 1 or runs <= 0:
                raise self._damaged("rounds are missing")
            found[number][arm] = runs
        return found

    def shrunk(self) -> list[Shrunk]:
        """What has become of runs that failed."""
        found = [Shrunk(*row) for row in self._db.execute("SELECT * FROM shrunk ORDER BY 1, 2")]
        if found and not 0 <= found[0].arm <= found[-1].arm < len(self.plan.arms):
            raise self._damaged("a failure of no arm")
        return found

    def findings(self) -> list[Kept]:
        """All findings, by name."""
        rows = self._db.execute("SELECT finding, token, file, found FROM finding ORDER BY 1")
        found = []
        for name, token, file, text in rows:
            read = self._as(text, lambda text: reading.json(text, Finding))
            found.append(Kept(name, token, file, read))
        return found

    # Writing

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is added is there afterwards, or none of it."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def add_batch(self, settled: Settled, kind: int) -> None:
        """Add a batch of an arm, with what it met and took; `kind` says of which machine."""
        arm, chunk, tally = settled
        self._db.execute(
            "INSERT INTO batch VALUES (?, ?, ?, ?)", (arm, *chunk, counts.written(tally))
        )
        for sample in tally.samples:
            met = ((kind, state - (1 << 63), arm, n) for state, n in sorted(sample.met.items()))
            self._db.executemany(_ADD.format(table="met"), met)
            taken = ((kind, label, arm, n) for label, n in sorted(sample.taken.items()))
            self._db.executemany(_ADD.format(table="taken"), taken)

    def note(self, arm: int, *, doubt: str | None = None, error: str | None = None) -> None:
        """Say why an arm's runs may mean nothing, or could not be made."""
        self._db.execute("UPDATE arm SET doubt = ?, error = ? WHERE arm = ?", (doubt, error, arm))

    def add_shares(self, number: int, shares: Iterable[tuple[int, int]]) -> None:
        """Add a round."""
        rows = ((number, arm, runs) for arm, runs in shares)
        self._db.executemany("INSERT INTO share VALUES (?, ?, ?)", rows)

    def add_shrunk(self, shrunk: Shrunk, kept: Kept | None) -> None:
        """Add what has become of a run that failed."""
        self._db.execute("INSERT OR REPLACE INTO shrunk VALUES (?, ?, ?, ?)", shrunk)
        if kept:
            text = msgspec.json.encode(kept.found)
            row = (kept.name, kept.token, kept.file, text)
            self._db.execute("INSERT OR IGNORE INTO finding VALUES (?, ?, ?, ?)", row)

    def add_seconds(self, seconds: float) -> None:
        """Add time that was spent."""
        self._db.execute("UPDATE campaign SET seconds = seconds + ?", (seconds,))

    def _one(self, statement: str) -> Any:
        row = self._db.execute(statement).fetchone()
        return row[0] if row else None

    def _as(self, text: bytes, read: Callable[[bytes], A]) -> A:
        """Read what a column has; UsageError if that is not what it should have."""
        try:
            return read(text)
        except UsageError as error:
            raise self._damaged(error.message) from None

    def _damaged(self, why: str) -> UsageError:
        hint = "begin anew, or restore a copy"
        return UsageError(f"{quoted(self.path)}: damaged: {why}", hint)
