"""Bad input gets one clear line, saying how to mend it, and exit code 2."""

import json
from pathlib import Path

import pytest

from tests.cli.commandline import Cli

GOOD = "linear_map_split::good"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("chek", "no command chek (did you mean check?)"),
        ("nothing-like-it", "no command nothing-like-it (commands are list, new, check, run, "),
        ("run", "Missing argument 'ID...'. (see simbbm run --help)"),
        (f"run {GOOD} --seeed 3", "No such option '--seeed'. Did you mean '--seed'?"),
        ("run bbm_minimal::god", "unknown scenario bbm_minimal::god (did you mean bbm_minimal::go"),
        (
            "run bbm_minimal::good -p cpus=3",
            "bbm_minimal::good has no parameter cpus (it has noabort=boot|all|none|LIST, hardware=",
        ),
        (f"check {GOOD} -p cpu=3", f"{GOOD} has no parameter cpu (did you mean cpus? it has cpus="),
        ("check -p", "Option '-p' requires an argument. (see simbbm check --help)"),
        (f"run {GOOD} -p cpus=0", "cpus=0: not allowed (cpus is 2..16)"),
        (f"run {GOOD} -p cpus=1", "cpus=1: not allowed (cpus is 2..16)"),
        (f"run {GOOD} -p cpus=three", "cpus=three: not allowed (cpus is 2..16)"),
        (f"stress {GOOD} -p layout=foo", "layout=foo: not allowed (layout is mixed|pmd|contpmd|"),
        (f"check {GOOD} -p noabort=7", "noabort=7: there is no cpu7 (with cpus=3 the last is cpu2"),
        (f"run {GOOD} -p noabort=me", "noabort=me: not allowed (noabort is boot|all|none|LIST)"),
        (f"run {GOOD} -p cpus=2 -p cpus=3", "-p cpus is given twice: 2 and 3 (leave one out)"),
        ("run linear_map_spilt::good", "unknown scenario linear_map_spilt::good (did you mean li"),
        ("run linear_map_spilt::m07", "unknown scenario linear_map_spilt::m07 (did you mean linea"),
        (f"run {GOOD} -p cpus", "Invalid value for '-p' / '--param': cpus is not name=value: wri"),
        (f"run {GOOD} --seed x", "Invalid value for '--seed': x is not a seed: write 42 or 0x2a"),
        (f"stress {GOOD} --runs 0", "Invalid value for '--runs': 0 is not a count: write 500, 10k"),
        (f"stress {GOOD} --runs 1x", "Invalid value for '--runs': 1x is not a count"),
        (f"stress {GOOD} --time 1y", "Invalid value for '--time': 1y is not a duration: write 30s"),
        (f"stress {GOOD} --stop soon", "Invalid value for '--stop': 'soon' is not one of 'first'"),
        (
            f"stress {GOOD} -j 0",
            "Invalid value for '-j' / '--jobs': 0 is not in the range 1<=x<=",
        ),
        (f"run {GOOD} --strategy foo", "no strategy foo (there are default, portfolio, random, "),
        ("run bbm_minimal -o x.json", "-o takes one run, and 4 scenarios are named"),
        ("run bbm_minimal::good -o no/x.json", "cannot write no/x.json: No such file or directory"),
        (f"check --all {GOOD}", "check --all names every scenario already (leave out the ids)"),
        ("check --all -p nonsense=1", "linear_map_split::good has no parameter nonsense"),
        (
            "new mine.txt",
            "mine.txt does not end in .py, .litmus or .jsonl (write simbbm new mine.py)",
        ),
        ("new no/mine.py", "cannot write no/mine.py: No such file or directory"),
        ("list no/where", "there is no file or folder no/where"),
        (
            "replay no.json",
            (
                "no.json: cannot be read: No such file or directory "
                "(simbbm witness lists what is kept)"
            ),
        ),
        ("replay sb1aaaaaaa", "damaged token: its checksum is wrong (was all of it copied?)"),
        ("show no.json --as svg", "Invalid value for '--as': 'svg' is not one of"),
        ("list --log-format xml", "Invalid value for '--log-format': 'xml' is not one of"),
    ],
)
def test_bad_input_is_refused_in_one_line(simbbm: Cli, line: str, message: str) -> None:
    assert simbbm.refused(*line.split()).startswith(message)


def test_nothing_runs_before_all_of_the_input_is_read(simbbm: Cli) -> None:
    simbbm.refused("stress", "bbm_minimal::live_change", "bbm_minimal::god")

    assert not Path(".simbbm").exists()


def test_json_has_the_error_beside_stderr(simbbm: Cli) -> None:
    result = simbbm("run", "bbm_minimal::god", "--json")

    assert json.loads(result.stdout) == {
        "schema": "simbbm/1",
        "type": "error",
        "message": "unknown scenario bbm_minimal::god",
        "hint": "did you mean bbm_minimal::good?",
    }
    assert result.stderr.startswith("simbbm: unknown scenario")


@pytest.mark.parametrize(
    ("reader", "message"),
    [
        ("    cpu.ldr(X)\n    await cpu.ldr(X)\n", "2: ldr was created but not awaited (write"),
        ("    await asyncio.sleep(0)\n", "2: reader looks at asyncio.sleep, which is not known to"),
        ("    await cpu.str(X, time_ns())\n", "2: reader looks at time_ns, which is not known to"),
        (
            "    N.append(0)\n    await cpu.str(X, len(N))\n",
            "2: reader looks at N, a list, which is",
        ),
        ("    while True:\n        abs(1)\n", "3: reader ran 200000 lines without a step (an"),
        ("    await cpu.ldr(X)\n    {}[1]\n", "3: KeyError: 1"),
    ],
)
@pytest.mark.parametrize("command", ["run", "stress"])
def test_an_authors_mistake_names_file_and_line(
    simbbm: Cli, mine: Path, reader: str, message: str, command: str
) -> None:
    text = mine.read_text().replace("    await cpu.ldr(X)\n    await cpu.ldr(X)\n", reader)
    text = f"import asyncio\nfrom time import time_ns\n\nN = []\n{text}"
    mine.write_text(text)
    start = text.splitlines().index("async def reader(cpu: Cpu) -> None:") + 1
    offset, _, what = message.partition(":")

    runs = ["--runs", "20", "-j", "1"] if command == "stress" else []

    refused = simbbm.refused(command, f"{mine}::good", *runs)

    assert refused.startswith(f"{mine}:{start + int(offset)}:{what}")


def test_a_scenario_file_that_raises_shows_the_last_frame(simbbm: Cli) -> None:
    Path("bad.py").write_text("def f():\n    return 1 / 0\n\nf()\n")

    assert simbbm.refused("run", "bad.py") == "bad.py:2: ZeroDivisionError: division by zero"


def test_an_error_of_several_lines_is_told_in_one(simbbm: Cli) -> None:
    Path("bad.py").write_text("raise ValueError('one\\ntwo')\n")

    assert simbbm.refused("list", "bad.py") == "bad.py:1: ValueError: one two"


def test_a_defect_of_ours_is_told_in_one_line(simbbm: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> None:
        raise KeyError("k")

    monkeypatch.setattr("simbbm.cli.commands.scenarios.listing._named", broken)

    refused = simbbm.refused("list", "bbm_minimal", code=5)

    assert refused.startswith("internal error: KeyError: 'k' at test_usage.py:")
    assert "SIMBBM_TRACEBACK=1" in refused
    with pytest.raises(KeyError):
        simbbm("list", "bbm_minimal", SIMBBM_TRACEBACK="1")
