"""Rows of the answer: the records that `--json` prints, and from which every text is made.

Field names are part of the interface: more may be added, none renamed. What does not
apply is null.
"""

from __future__ import annotations

from typing import Any

import msgspec

from simbbm.host.amounts import amount

SCHEMA = "simbbm/1"
PAIR = " + "
"""Between the two steps of a pair, in rows of `ablate`."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """What every row begins with."""

    schema: str = SCHEMA


class ScenarioRow(Row, tag="scenario", tag_field="type", frozen=True, kw_only=True):
    """A scenario, as `list` shows it."""

    id: str
    room: str | None
    """Which of the shipped ones it belongs with; None for somebody else's."""
    expect: str
    twin_of: str | None
    evidence: str
    params: dict[str, dict[str, Any]]
    story: str
    origin: str | None
    """Where a mistake comes from: a version, a question, a fix, a comment, or by inference."""
    smallest: dict[str, Any] | None
    """CPUs and layout of the smallest machine on which it shows."""


class PropertyRow(Row, tag="property", tag_field="type", frozen=True, kw_only=True):
    """A property, as `list --properties` shows it."""

    name: str
    meaning: str


class RoutineRow(Row, tag="routine", tag_field="type", frozen=True, kw_only=True):
    """A routine of the kernel's model, as `list --routines` shows it."""

    routine: str
    file: str
    kernel: str
    read_from: str
    today: str | None


class VerdictRow(Row, tag="verdict", tag_field="type", frozen=True, kw_only=True):
    """What may be said of a scenario, and how it is known."""

    scenario: str
    params: dict[str, Any]
    mode: str
    """How it was looked at: `run` (one schedule) or `sample` (many)."""
    verdict: str
    property: str | None = None
    expect: str
    expected: bool | None = None
    message: str | None = None
    seconds: float | None = None
    runs: int | None = None
    runs_requested: int | None = None
    failures: int | None = None
    first_failure: int | None = None
    states: int | None = None
    transitions: int | None = None
    layers: list[int] | None = None
    """Of a search of every state: how many are first reached at each distance from the start."""
    steps: int | None = None
    """Steps of the run, or of all runs."""
    length: int | None = None
    """Steps of the counterexample."""
    loop: int | None = None
    """Of a livelock: the step whose state the last step returns to."""
    certified: bool | None = None
    termination: dict[str, Any] | None = None
    """Of PROVED: `cycles` (components of states), and up to how many `cpus` none can be stayed in,
    whatever hardware chooses; null: that is not known."""
    cpus: str | int | None = None
    """Of `prove`: `all`, or the smallest number of CPUs that has a counterexample."""
    views: int | None = None
    """Of a proof for every number of CPUs: its views, the states of what all share, those of one
    CPU, and the configurations that they were glued to."""
    shared_states: int | None = None
    local_states: int | None = None
    glued: int | None = None
    counters: list[str] | None = None
    certificate: str | None = None
    """Absolute path."""
    not_proved: list[str] | None = None
    """What is promised and stays open."""
    reductions: list[str] | None = None
    coverage: dict[str, Any] | None = None
    seed: int | None = None
    strategy: str | None = None
    geometry: str | None = None
    witness: str | None = None
    """Absolute path."""
    token: str | None = None
    allowances: list[str] | None = None
    """Freedoms of the hardware without which no schedule fails like this."""
    no_return: int | None = None
    """Step of the counterexample from which on nothing can prevent it."""
    surprises: int | None = None
    """Surprises of a failing run's hardware; of a search, the fewest with which it fails so."""
    estimate: dict[str, Any] | None = None
    """Of SAMPLED: what its runs say of unseen states, and its PCT runs of unseen bugs."""
    digest: str | None = None
    version: str

    def answer(self) -> str:
        """Verdict and property, as expectations are written."""
        return f"{self.verdict}:{self.property}" if self.property else self.verdict

    def seen(self) -> str:
        """How much was looked at, of whatever there is, or the length of the counterexample."""
        if self.mode == "prove" and self.length is None:
            left = f"; not proved: {', '.join(self.not_proved)}" if self.not_proved else ""
            return f"{amount(self.views or 0, 'view')}{left}"
        if self.length is not None:
            return f"{amount(self.length, 'step')}{'' if self.certified else ' or less'}"
        if self.states is None and self.runs is None:
            return "nothing"
        if self.mode == "explore":
            return amount(self.states or 0, "state")
        return amount(self.runs or 0, "run")


class CertificateRow(Row, tag="certificate", tag_field="type", frozen=True, kw_only=True):
    """Whether a certificate holds."""

    file: str
    """Absolute path."""
    ok: bool
    scenario: str
    views: int | None = None
    steps: int | None = None
    """Steps of the machine that were looked at."""
    message: str


class ReplayRow(Row, tag="replay", tag_field="type", frozen=True, kw_only=True):
    """Whether a witness still shows what it showed."""

    witness: str
    result: str
    how: str | None = None
    step: int | None = None
    expected: str | None = None
    got: list[str] | None = None
    verdict: str | None = None
    property: str | None = None
    digest: str | None = None
    token: str | None = None
    """Of a witness that replays exactly, if it took another way to reproduce this one."""


class ShrinkRow(Row, tag="shrink", tag_field="type", frozen=True, kw_only=True):
    """A counterexample that was made small."""

    scenario: str
    params_before: dict[str, Any]
    params: dict[str, Any]
    verdict: str
    property: str | None
    length_before: int
    length: int
    certified: bool
    """No shorter run fails alike with these parameters."""
    interrupted: bool = False
    """Simpler parameters were not tried."""
    allowances: list[str] | None = None
    surprises: int | None = None
    """The fewest of the hardware with which it fails like this."""
    no_return: int | None = None
    witness: str | None
    """Absolute path of the small one."""
    token: str
    digest: str


class WitnessRow(Row, tag="witness", tag_field="type", frozen=True, kw_only=True):
    """A file of the folder where witnesses are kept: `witness` is its absolute path."""

    witness: str
    scenario: str | None = None
    """Null, as all below that is not known: the file is no witness, and `error` says why."""
    params: dict[str, Any] | None = None
    verdict: str | None = None
    property: str | None = None
    steps: int | None = None
    image: str | None = None
    age: int
    """Seconds since it was written."""
    result: str | None = None
    """REPRODUCED, STALE or DIVERGED; null: it was not checked."""
    removed: bool = False
    error: str | None = None


class StepNameRow(Row, tag="step-name", tag_field="type", frozen=True, kw_only=True):
    """A step of a scenario's programs, by the name that edits use."""

    scenario: str
    step: str
    weaker: list[str]
    """Operations that may stand in its place (`--weaken STEP=OP`)."""
    kernel: str | None
    """The kernel's file and function that its routine stands for, where the routine says so."""


class AblationRow(Row, tag="ablation", tag_field="type", frozen=True, kw_only=True):
    """The result of removing a step of a scenario, or making it weaker."""

    scenario: str
    params: dict[str, Any]
    step: str
    change: str
    result: str
    """`load-bearing`, `redundant` (proved) or `inconclusive`."""
    verdict: str | None = None
    """None if the program cannot continue without the step's value."""
    property: str | None = None
    length: int | None = None
    witness: str | None = None
    """Absolute path."""
    token: str | None = None
    why: str | None = None
    states: int | None = None

    def wrong(self) -> str:
        """What goes wrong: a property that is broken, or that the program cannot continue."""
        if self.property or self.verdict is not None:
            return self.property or ""
        return "its value is used" if "its value" in (self.why or "") else "needed to go on"


class LitmusRow(Row, tag="litmus", tag_field="type", frozen=True, kw_only=True):
    """One litmus test."""

    name: str
    verdict: str | None
    reached: bool | None
    ok: bool | None
    inconclusive: str | None = None
    unsupported: str | None = None
    states: int | None = None
    seconds: float | None = None
    feature: str | None = None
    window: int | None = None
    source: str | None = None
    """`program` if its threads were run as programs."""
    witness: str | None = None
    """Absolute path, of an execution that ends in the condition."""
    token: str | None = None


class OutcomeRow(Row, tag="litmus-outcome", tag_field="type", frozen=True, kw_only=True):
    """One final state of a litmus test."""

    name: str
    outcome: str
    reached: bool
    witness: str | None
    token: str | None


class ObservationRow(Row, tag="litmus-observation", tag_field="type", frozen=True, kw_only=True):
    """How often the condition holds in the final states of a litmus test."""

    name: str
    observation: str
    positive: int
    negative: int
    complete: bool


class AgreementRow(Row, tag="litmus-agreement", tag_field="type", frozen=True, kw_only=True):
    """How often verdicts are agreed with, over tests that have something in common."""

    about: str
    tests: int
    agree: int
    disagree: int
    unsupported: int
    inconclusive: int


class SummaryRow(Row, tag="litmus-summary", tag_field="type", frozen=True, kw_only=True):
    """All litmus tests of one way to run them."""

    total: int
    forbidden_ok: int
    forbidden: int
    allowed_ok: int
    allowed: int
    unsupported: int
    inconclusive: int
    malformed: int
    """Lines that are no test; `total` does not count them."""
    states: int
    seconds: float | None
    feature: str | None = None
    source: str | None = None


class KillRow(Row, tag="kill", tag_field="type", frozen=True, kw_only=True):
    """How many runs a strategy takes to find a bad twin, over campaigns of different seeds."""

    strategy: str
    """Or `hardware=eager`, the control: the default strategy on that hardware."""
    scenario: str
    params: dict[str, Any]
    median: float | None
    """Null: more than `runs`."""
    low: int | None
    """Of the median's 95 % interval; null as above."""
    high: int | None
    trials: int
    """Campaigns."""
    found: int
    """Those that found the twin."""
    runs: int
    """How many a campaign makes at most."""
    seed: int
    """Of the first campaign; each other has the next."""

    def middle(self) -> str:
        """The median; `-` if no campaign found the twin, `> 1,000` if fewer than half did."""
        if not self.found:
            return "-"
        return self._beyond() if self.median is None else f"{self.median:,.1f}".removesuffix(".0")

    def interval(self) -> str:
        """The 95 % interval of the median; `5+`: from 5 to beyond the cap."""
        if self.low is None:
            return self._beyond() if self.found else "-"
        return f"{self.low:,}+" if self.high is None else f"{self.low:,}-{self.high:,}"

    def _beyond(self) -> str:
        return f"> {self.runs:,}"


class StepRow(Row, tag="step", tag_field="type", frozen=True, kw_only=True):
    """One step of a run, as `run --trace` shows it."""

    scenario: str
    step: int
    cpu: int
    agent: str
    function: str
    text: str
    label: str
    notes: list[str] = []


class NewRow(Row, tag="new", tag_field="type", frozen=True, kw_only=True):
    """A file that `new` wrote."""

    file: str
    """Absolute path."""


class ErrorRow(Row, tag="error", tag_field="type", frozen=True, kw_only=True):
    """What went wrong, beside the line on stderr."""

    message: str
    hint: str | None = None


def encode(row: Row) -> str:
    """Return a row as one line of JSON. What is no text in a file's name is escaped."""
    try:
        return msgspec.json.encode(row).decode()
    except UnicodeEncodeError:
        return msgspec.json.encode(_as_text(msgspec.to_builtins(row))).decode()


def _as_text(value: Any) -> Any:
    """The same without lone surrogates, which JSON in UTF-8 cannot hold."""
    match value:
        case str():
            return value.encode("utf-8", "backslashreplace").decode()
        case dict():
            return {_as_text(name): _as_text(item) for name, item in value.items()}
        case list() | tuple():
            return [*map(_as_text, value)]
    return value
