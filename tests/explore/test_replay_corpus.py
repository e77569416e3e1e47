"""What earlier versions wrote is read for ever, and shows what it showed.

`corpus/` holds a counterexample of each bad twin as `stress` made it by default: a witness file
`STEM.NAME.json` and its token `STEM.NAME.sbN`, N being the version of tokens. To add some, for a
new twin or a new format: `simbbm stress STEM::NAME --json`, copy the file that `witness` names, and
put `token` into a file by itself. Nothing is ever removed or written anew, unless the scenario is
gone: if one is STALE here, then so are those that people keep in their mails and bug reports.

Three tokens of version 1, which say less, did not outlive that stop_machine()'s works and the boot
CPU's wait are modelled as the kernel has them: of m10, twice, and m14. Of m16 with m21 and of m21
alone, in `deep`, all were made anew, without a token of version 1, when `linux/` got the kernel's
functions: there something else is now done between the repaint and the flush, no more between the
flush and the release, and stores drain where the old schedules say nothing. All the others of that
time replay by label or as goals, with the names that steps had.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from simbbm import discovery
from simbbm.explore.runs.replay import Result, model_of, replay
from simbbm.explore.witness.recording import Witness, from_token, load
from simbbm.model import Model

CORPUS = Path(__file__).parent / "corpus"
FILES = sorted(path for path in CORPUS.iterdir() if path.is_file())


def read(path: Path) -> Witness:
    return load(path) if path.suffix == ".json" else from_token(path.read_text())


@cache
def known(name: str) -> Model:
    """A model, once for all that is recorded of it."""
    witness = load(CORPUS / f"{name}.json")
    return model_of(witness, discovery.find(witness.scenario))


@pytest.mark.parametrize("path", FILES, ids=[path.name for path in FILES])
def test_what_was_written_once_is_reproduced(path: Path) -> None:
    witness = read(path)
    result = replay(witness, known(path.stem))

    assert result.result is Result.REPRODUCED, (result.step, result.expected, result.got)
    assert (result.verdict, result.property) == (witness.verdict, witness.property)


def test_the_corpus_has_each_bad_twin_in_each_form() -> None:
    bad = {
        scenario.id.replace("::", ".")
        for scenario in discovery.shipped()
        if not scenario.expect.holds and scenario.twin_of in ORIGINS
    }
    kept = {path.stem for path in FILES}

    assert bad <= kept
    for name in kept:
        assert {".json", ".sb2"} <= {path.suffix for path in FILES if path.stem == name}


ORIGINS = ("bbm_minimal::good", "linear_map_split::good")
