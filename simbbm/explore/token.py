"""Tokens: a witness as one line to paste into a mail or a bug report.

`sb1` and a packed text, then a checksum. The text keeps what a replay needs and what it is held
against: scenario, parameters, decisions, verdict, and the beginning of the trace's digest. What a
replay finds out anyway is left out: message, states, what a decision was instead of, who found it.

The format is versioned by its first characters. The dictionary belongs to the version: a change of
it is a new version, and old tokens are read for ever.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from urllib.parse import quote, unquote

from simbbm.check.verdict import Verdict
from simbbm.core.errors import UsageError
from simbbm.explore.pack import pack, unpack
from simbbm.explore.record import Decision, Witness

_VERSION = 1
_SHAPE = re.compile(r"sb([0-9]+)([a-z2-7]+)", re.IGNORECASE)
_CHECK_CHARACTERS = 5
_DIGEST_CHARACTERS = 10
_SAFE = " !\"#$&'()*+,-./:<=>?@[\\]^_`{|}~"
"""Everything but the separators (newline, tab, semicolon) and the percent sign, which escapes."""

_DICTIONARY = (
    "bbm_minimal::live_change;hardware:eager;tlb:concrete;noabort:all;noabort:none;STUCK:terminates"
    ";VIOLATED:no_panic;VIOLATED:tables_linked_once;VIOLATED:context_restored;VIOLATED:"
    "no_sleep_in_atomic;VIOLATED:all_ptes_at_end;VIOLATED:translations_preserved;VIOLATED:"
    "no_stale_translation;VIOLATED:no_fault_on_live_map;VIOLATED:no_tlb_conflict;VIOLATED:"
    "no_size_change_seen;\t1\tcpu0:\t1\tcpu1:\t1\tcpu2:\t1\tcpu3:\t1\tcpu4:\t2\tcpu0.drain[\t2\t"
    "dvm.cpu0.tlbi.vmalle1is\tdvm.cpu1.tlbi.vaae1is\tdvm.cpu2.tlbi.vaale1is.tlbi.vale1is.dsb.ishst#"
    "1.dsb.ish#1.dsb.nsh#1.dmb.ish#1.isb#1.ldr#1.str#1.ldxr#1.stxr#1.stlr#1.ldar#1.wfe#1.sev#1.eret"
    "#1.wait#1.fill#1.branch#1.msr.ttbr0_el1#1.msr.ttbr1_el1#1.msr.tcr_el1#1.tlbi.vmalle1#1/"
    "cpu_replace_ttbr1/cpu_install_idmap/cpu_uninstall_idmap/flush_tlb_kernel_range/"
    "local_flush_tlb_all/split_kernel_leaf_mapping/split_contpmd/split_contpte/split_pmd/split_pud/"
    "stop_machine/multi_cpu_stop/linear_map_split_to_ptes/wait_linear_map_split_to_ptes/"
    "init_idmap_kpti_bbml2_flag;ets2:no;ets2:yes;linear_map_split::m01_linear_map_split::good;"
    "cpus=3;layout:mixed;geometry:scaled;noabort:boot;ets2:no;hardware:delayed;"
)


def token(witness: Witness) -> str:
    """The witness as one short line of text, without what a replay finds out anyway."""
    lines = [_header(witness)]
    step = -1
    for decision in witness.decisions:
        again = f"*{decision.occurrence}" if decision.occurrence > 1 else ""
        lines.append(f"{decision.step - step}{again}\t{_escaped(decision.label)}")
        step = decision.step
    packed = pack("\t".join(lines), _DICTIONARY)
    return f"sb{_VERSION}{packed}{_checksum(packed)}"


def is_token(text: str) -> bool:
    """Whether a text looks like a token, of whatever version."""
    return _SHAPE.fullmatch(text.strip()) is not None


def from_token(text: str) -> Witness:
    """Read a token; raise UsageError with one line if it is none."""
    shape = _SHAPE.fullmatch(text.strip())
    if shape is None:
        raise UsageError("not a token", "a token is sb1 followed by letters a-z and digits 2-7")
    if int(shape[1]) > _VERSION:
        raise UsageError(f"token of a newer version (sb{shape[1]})", "update simbbm")
    packed, check = shape[2][:-_CHECK_CHARACTERS].lower(), shape[2][-_CHECK_CHARACTERS:].lower()
    if int(shape[1]) < 1 or check != _checksum(packed):
        raise UsageError("damaged token: its checksum is wrong", "was all of it copied?")
    try:
        return _read(unpack(packed, _DICTIONARY))
    except (ValueError, IndexError):
        raise UsageError("damaged token: it cannot be unpacked") from None


def _header(witness: Witness) -> str:
    params = (
        f"{quote(name, safe='')}{'=' if isinstance(value, int) else ':'}{_escaped(str(value))}"
        for name, value in witness.params.items()
    )
    outcome = f"{witness.verdict}:{witness.property or ''}"
    ending = f"{witness.steps} {witness.digest[:_DIGEST_CHARACTERS]}"
    return ";".join((_escaped(witness.scenario), *params, outcome, ending))


def _read(text: str) -> Witness:
    header, *fields = text.split("\t")
    scenario, *params, outcome, ending = header.split(";")
    verdict, _, name = outcome.partition(":")
    steps, digest = ending.split(" ")
    decisions = []
    step = -1
    for moved, label in zip(fields[::2], fields[1::2], strict=True):
        by, _, again = moved.partition("*")
        step += int(by)
        decisions.append(Decision(step, unquote(label), int(again or 1)))
    return Witness(
        scenario=unquote(scenario),
        params=dict(map(_parameter, params)),
        decisions=tuple(decisions),
        verdict=Verdict(verdict),
        property=name or None,
        steps=int(steps),
        digest=digest,
    )


def _parameter(text: str) -> tuple[str, int | str]:
    name, kind, value = re.split("([=:])", text, maxsplit=1)
    return unquote(name), int(value) if kind == "=" else unquote(value)


def _escaped(text: str) -> str:
    return quote(text, safe=_SAFE)


def _checksum(packed: str) -> str:
    value = int.from_bytes(blake2b(packed.encode(), digest_size=4).digest(), "big")
    alphabet = "abcdefghijklmnopqrstuvwxyz234567"
    return "".join(alphabet[value >> 5 * i & 31] for i in range(_CHECK_CHARACTERS))
