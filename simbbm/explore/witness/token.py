"""Tokens: a witness as one line to paste into a mail or a bug report.

`sb3` and a packed text, then a checksum. The text keeps what a replay needs and what it is held
against: scenario, parameters, decisions, verdict, and the beginning of the trace's digest. What a
replay finds out anyway is left out: message, states, who found it. What a decision was instead of
is kept as two letters, by which a replay of an edited program finds the place. Of a run that goes
round it says to which step it comes back.

The format is versioned by its first characters. The dictionary belongs to the version: a change of
it is a new version, and old tokens are read for ever. Version 1 had no such letters.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from urllib.parse import quote, unquote

from simbbm.check.verdict import Verdict
from simbbm.core.errors import UsageError
from simbbm.explore.runs.marks import letters_of, mark_from
from simbbm.explore.runs.schedule import Decision
from simbbm.explore.witness.dictionary import DICTIONARIES
from simbbm.explore.witness.pack import pack, unpack
from simbbm.explore.witness.record import Witness
from simbbm.host.reading import decimal

_VERSION = 3
_SHAPE = re.compile(r"sb([0-9])([a-z2-7]+)", re.IGNORECASE)
_MOVED = re.compile(r"([A-Za-z]{2}|-)?(\d+)(?:\*(\d+))?")
"""Before each label: a mark's letters unless they are as before, `-` for no mark; steps since the
decision before; the occurrence unless it is the first."""
TOKEN_MAX = 4 << 20
"""Characters of a token: more than a witness of the largest number of steps has."""
_CHECK_CHARACTERS = 5
_DIGEST_CHARACTERS = 10
_SAFE = " !\"#$&'()*+,-./:<=>?@[\\]^_`{|}~"
"""Everything but the separators (newline, tab, semicolon) and the percent sign, which escapes."""


def token(witness: Witness) -> str:
    """The witness as one short line of text, without what a replay finds out anyway."""
    lines = [_header(witness)]
    step, before = -1, ""
    for decision in witness.decisions:
        letters = letters_of(decision.instead_of)
        anchor = (letters or "-") if letters != before else ""
        again = f"*{decision.occurrence}" if decision.occurrence > 1 else ""
        lines.append(f"{anchor}{decision.step - step}{again}\t{_escaped(decision.label)}")
        step, before = decision.step, letters
    packed = pack("\t".join(lines), DICTIONARIES[_VERSION])
    return f"sb{_VERSION}{packed}{_checksum(packed)}"


def is_token(text: str) -> bool:
    """Whether a text looks like a token, of whatever version."""
    return _SHAPE.fullmatch(text.strip()) is not None


def from_token(text: str) -> Witness:
    """Read a token; raise UsageError with one line if it is none."""
    shape = _SHAPE.fullmatch(text.strip())
    if shape is None or len(text) > TOKEN_MAX:
        raise UsageError("not a token", "a token is sb3 followed by letters a-z and digits 2-7")
    version = int(shape[1])
    if version > _VERSION:
        raise UsageError(f"token of a newer version (sb{shape[1]})", "update simbbm")
    packed, check = shape[2][:-_CHECK_CHARACTERS].lower(), shape[2][-_CHECK_CHARACTERS:].lower()
    if version not in DICTIONARIES or check != _checksum(packed):
        raise UsageError("damaged token: its checksum is wrong", "was all of it copied?")
    try:
        return _read(unpack(packed, DICTIONARIES[version]))
    except (ValueError, IndexError, OverflowError):
        raise UsageError("damaged token: it cannot be unpacked") from None


def _header(witness: Witness) -> str:
    params = (
        f"{quote(name, safe='')}{'=' if isinstance(value, int) else ':'}{_escaped(str(value))}"
        for name, value in witness.params.items()
    )
    outcome = f"{witness.verdict}:{witness.property or ''}"
    ending = f"{witness.steps} {witness.digest[:_DIGEST_CHARACTERS]}"
    if witness.loop is not None:
        ending += f" {witness.loop}"
    return ";".join((_escaped(witness.scenario), *params, outcome, ending))


def _read(text: str) -> Witness:
    header, *fields = text.split("\t")
    scenario, *params, outcome, ending = header.split(";")
    verdict, _, name = outcome.partition(":")
    steps, digest, *loop = ending.split(" ")
    if not re.fullmatch(f"[0-9a-f]{{{_DIGEST_CHARACTERS}}}", digest):
        raise ValueError(digest)
    decisions = []
    step, letters = -1, ""
    for moved, label in zip(fields[::2], fields[1::2], strict=True):
        shape = _MOVED.fullmatch(moved)
        if shape is None:
            raise ValueError(moved)
        anchor, by, again = shape.groups()
        step += _number(by)
        letters = letters if anchor is None else anchor.removeprefix("-")
        decisions.append(Decision(step, unquote(label), _number(again or "1"), mark_from(letters)))
    return Witness(
        scenario=unquote(scenario),
        params=dict(map(_parameter, params)),
        decisions=tuple(decisions),
        verdict=Verdict(verdict),
        property=name or None,
        steps=_number(steps),
        loop=_number(loop[0]) if loop else None,
        digest=digest,
    )


def _parameter(text: str) -> tuple[str, int | str]:
    name, kind, value = re.split("([=:])", text, maxsplit=1)
    return unquote(name), _number(value) if kind == "=" else unquote(value)


def _number(text: str) -> int:
    found = decimal(text.removeprefix("-"))
    if found is None:
        raise ValueError(text)
    return -found if text.startswith("-") else found


def _escaped(text: str) -> str:
    return quote(text, safe=_SAFE)


def _checksum(packed: str) -> str:
    value = int.from_bytes(blake2b(packed.encode(), digest_size=4).digest(), "big")
    alphabet = "abcdefghijklmnopqrstuvwxyz234567"
    return "".join(alphabet[value >> 5 * i & 31] for i in range(_CHECK_CHARACTERS))
