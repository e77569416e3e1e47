"""Tokens and the packing below them: whatever goes in comes out, and nothing else does."""

from __future__ import annotations

import re
from contextlib import suppress
from hashlib import blake2b

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simbbm import discovery
from simbbm.check.verdict import Verdict
from simbbm.core.errors import UsageError
from simbbm.explore.runs.marks import mark
from simbbm.explore.witness.dictionary import DICTIONARIES
from simbbm.explore.witness.pack import pack, unpack
from simbbm.explore.witness.recording import (
    Decision,
    Witness,
    from_token,
    is_token,
    token,
    witness_of,
)
from simbbm.model import Model

ASCII = st.text(st.characters(min_codepoint=1, max_codepoint=127))
REPETITIVE = st.lists(st.sampled_from(["cpu0", "cpu1", ".", "ldr", "#", "a", "aa"])).map("".join)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
MARKS = st.sampled_from(["", "~aZ", "~aZ", "~Bb"])
NUMBERS = st.integers(-(10**18) + 1, 10**18 - 1)
STEPS = st.lists(st.integers(0, 5000), unique=True).map(sorted)


@st.composite
def witnesses(draw: st.DrawFn) -> Witness:
    """Witnesses as a token keeps them."""
    steps = draw(STEPS)
    return Witness(
        scenario=draw(TEXT),
        params=draw(st.dictionaries(TEXT, NUMBERS | TEXT)),
        decisions=tuple(
            Decision(s, draw(TEXT), draw(st.integers(1, 3) | st.integers(1, 300)), draw(MARKS))
            for s in steps
        ),
        verdict=draw(st.sampled_from(Verdict)),
        property=draw(st.none() | st.from_regex(r"[a-z_]+", fullmatch=True)),
        steps=draw(st.integers(0, 100_000)),
        digest=draw(st.text("0123456789abcdef", min_size=10, max_size=10)),
    )


@given(text=ASCII | REPETITIVE, dictionary=REPETITIVE)
def test_what_is_packed_can_be_unpacked(text: str, dictionary: str) -> None:
    packed = pack(text, dictionary)
    assert re.fullmatch("[a-z2-7]+", packed)
    assert unpack(packed, dictionary) == text


@given(text=REPETITIVE)
def test_what_was_seen_before_costs_little(text: str) -> None:
    assert len(pack(text, text)) <= 2 + 3.8 * (1 + len(text) / 66) + 3 * 1.6


def test_repetitions_reach_beyond_the_longest_match_and_the_window() -> None:
    text = "ab" * 200 + "".join(chr(33 + i * 7 % 90) for i in range(6000)) + "ab" * 200
    assert unpack(pack(text, "ab"), "ab") == text


@given(packed=st.text("abcdefghijklmnopqrstuvwxyz234567"))
def test_what_was_not_packed_is_a_value_error_or_text(packed: str) -> None:
    with suppress(ValueError):
        assert unpack(packed, "cpu0").isascii()


@given(witness=witnesses())
def test_a_token_gives_the_witness_back(witness: Witness) -> None:
    text = token(witness)
    assert text.isascii()
    assert is_token(text)
    assert from_token(text) == witness
    assert from_token(f"  {text.upper()}\n") == witness


@given(witness=witnesses(), data=st.data())
def test_a_damaged_token_is_a_usage_error(witness: Witness, data: st.DataObject) -> None:
    text = token(witness)
    at = data.draw(st.integers(3, len(text) - 1))
    other = data.draw(st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
    damaged = text[:at] + other + text[at + 1 :]
    if damaged != text:
        with pytest.raises(UsageError):
            from_token(damaged)
    with pytest.raises(UsageError):
        from_token(text[:at])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not a token"),
        ("sb1", "not a token"),
        ("hello", "not a token"),
        ("sb1abc!", "not a token"),
        ("sb4abcdefgh", "newer version"),
        ("sb0abcdefgh", "damaged"),
        ("sb1abcdefgh", "damaged"),
        ("sb2abcdefgh", "damaged"),
        ("sb3abcdefgh", "damaged"),
    ],
)
def test_what_is_no_token_is_said_in_one_line(text: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        from_token(text)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_a_replay_finds_out_anyway_is_left_out() -> None:
    witness = witness_of(Model(discovery.find("bbm_minimal::no_invalidation")), "random", 1)
    kept = from_token(token(witness))
    assert (kept.message, kept.states, kept.found, kept.version) == ("", (), None, "")
    assert witness.digest.startswith(kept.digest)
    assert [(d.step, d.label, d.occurrence, d.instead_of) for d in kept.decisions] == [
        (d.step, d.label, d.occurrence, mark(d.instead_of)) for d in witness.decisions
    ]
    assert all(len(d.instead_of) == 3 for d in kept.decisions)


def test_a_token_is_short_enough_for_a_mail() -> None:
    """As long as it takes few decisions, as one that was shrunk does."""
    scenario = discovery.find("linear_map_split::m03_waits_for_one_less")
    lengths = []
    for n in range(8):
        witness = witness_of(Model(scenario), "default", 1, n)
        short = msgspec.structs.replace(witness, decisions=witness.decisions[:8])
        lengths.append(len(token(short)))
    assert max(lengths) <= 220


def test_a_token_of_version_1_is_read_for_ever() -> None:
    """Written when the format was made; if this fails, add a version instead."""
    assert from_token(VERSION_1) == example("", "", "")


def test_a_token_of_version_2_is_read_for_ever() -> None:
    """Likewise; it keeps a mark of what a decision was instead of."""
    witness = example("~aZ", "~aZ", "")
    assert from_token(VERSION_2) == witness


def test_a_token_of_version_3_is_read_for_ever() -> None:
    """Likewise; it says the same with another dictionary."""
    witness = example("~aZ", "~aZ", "")
    assert from_token(VERSION_3) == witness
    assert token(witness) == VERSION_3


def example(*instead_of: str) -> Witness:
    """What the tokens below say, but for the marks."""
    first, second, third = instead_of
    return Witness(
        scenario="bbm_minimal::good",
        params={"cpus": 3, "layout": "mixed; 50%", "noabort": "0,2"},
        decisions=(
            Decision(4, "cpu1:reader.ldr#1", 1, first),
            Decision(5, "cpu0.drain[pmd]", 12, second),
            Decision(400, "dvm.cpu2 vmalle1is from cpu0: acts", 1, third),
        ),
        verdict=Verdict.VIOLATED,
        property="no_size_change_seen",
        steps=401,
        digest="0123456789",
    )


@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_dictionary_never_changes(version: int) -> None:
    digest = blake2b(DICTIONARIES[version].encode(), digest_size=8).hexdigest()
    assert digest == DIGESTS[version]


DIGESTS = {1: "a49f0e0a49fc2656", 2: "1f5cb740c79c89eb", 3: "fb2691b83423e406"}
VERSION_1 = (
    "sb125qva4kustgqraguyckmrvqnimmbmglhlgzugaysambrgiztinjwg44dscjvrbmhm3yfsxfe6iertccjrf"
    "iyywynluetgojvrybzdzieaajh3n2"
)
VERSION_2 = (
    "sb23puvcasustgqraguyckmrvqtimmbmgkblwzugaysambrgiztinjwg44dsclbli2yz4dxaiczlstbq"
    "cizrbeysummp7gv2cjngm4tlevdsj4qiaqz3vd"
)
VERSION_3 = (
    "sb33muvcasustgqraguyckmrvqtimmbmgkblwzugaysambrgiztinjwg44dsclbli2yz4d2giczlstdee"
    "mijgevddd7zvoqsljthe2zfi4specaabpod7"
)
