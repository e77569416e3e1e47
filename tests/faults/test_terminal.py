"""A terminal obeys nothing that somebody else wrote, and streams that fail are said or survived."""

from __future__ import annotations

import json
import os
import pty
import re
import resource
import select
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from simbbm.cli import logs
from simbbm.host.folding import breaks, reflowed
from simbbm.host.terminal import CannotWrite, echo, style, visible
from simbbm.report.rows import NewRow, encode
from tests.cli.commandline import Cli

ROOT = Path(__file__).parent.parent.parent
SIMBBM = [sys.executable, "-m", "simbbm"]
OBEYED = [
    *map(chr, range(0x09)),
    *map(chr, range(0x0B, 0x20)),
    *map(chr, range(0x7F, 0xA0)),
    *"\u200e\u200f\u061c\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069",
    *"\ufeff\u200b\u2060\udc80\udcff\ud800\U000e0041",
]
HOSTILE = "a\x1b[31mb\x1b]8;;http://x\x07c\u202ed"
SHOWN = r"a\u001b[31mb\u001b]8;;http://x\u0007c\u202ed"


@pytest.mark.parametrize("character", OBEYED, ids=ascii)
def test_what_is_obeyed_is_shown(character: str) -> None:
    shown = visible(f"a{character}b")

    assert shown.isascii()
    assert shown.startswith(r"a\u")
    assert f"a{character}b" == json.loads(f'"{shown}"')


def test_what_is_text_stays_as_it_is() -> None:
    text = "tab\tline\nÄ é 漢字 🦔 — “x” ~ \\u001b"
    assert text == visible(text)


def test_colours_are_ours_alone(capsys: pytest.CaptureFixture[str]) -> None:
    class Terminal:
        isatty = staticmethod(lambda: True)

    red = style("r\x1b[0m", fg="red")
    echo(f"\x1b[31mx {red}")
    forged = red.replace("31", "32").replace(red[2:19], "<0000000000000000")
    echo(forged)

    out = capsys.readouterr().out.splitlines()
    assert r"\u001b[31mx r\u001b[0m" == out[0]
    assert r"\u001b<" in out[1]


def test_a_terminal_gets_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    said = []
    monkeypatch.setattr("click.echo", lambda text, **_: said.append(text))
    echo(f"{style('r', fg='red')}\x1b[32m")
    assert ["\x1b[31mr\x1b[0m\\u001b[32m"] == said


# Narrow terminals


LINE = "  uses speculative walk;  without it other  schedules fail like this"
COMMAND = "  replay with: simbbm replay .simbbm/witness/6bc4e1341858.json --allow-file mine.py"


def folded(text: str, width: int) -> str:
    """The text as a terminal of this width gets it."""
    pieces, done = [], 0
    for start, end, by in breaks(text, width):
        assert not text[start:end].strip()
        pieces += [text[done:start], by]
        done = end
    return "".join((*pieces, text[done:]))


@pytest.mark.parametrize("width", range(1, 80))
def test_lines_fit_and_no_word_is_lost(width: int) -> None:
    text = f"{LINE}\n\n{COMMAND}\n{LINE}x\n"
    lines = folded(text, width).split("\n")

    assert text.split() == [word for line in lines for word in line.split() if word != "\\"]
    for line in lines:
        assert len(line) <= width or len(line.removesuffix(" \\").split()) == 1
    assert (text == "\n".join(lines)) == (width >= len(COMMAND))


def test_a_command_that_is_broken_is_still_one() -> None:
    broken = folded(COMMAND, 40).partition("with: ")[2]

    assert broken.count("\\\n") == 2
    said = subprocess.check_output(["sh", "-c", f"printf '%s ' {broken}"], text=True)
    assert COMMAND.partition("with: ")[2].split() == said.split()
    table = "  simbbm list      what there is, and what is expected of each"
    assert "\\" not in folded(table, 40)


def test_a_command_behind_a_sentence_is_still_one() -> None:
    broken = folded("or, on any machine, as a page: simbbm show sb3nvxydwaomxzbq --as html", 30)

    assert 2 == broken.count(" \\\n")


def test_json_is_left_whole() -> None:
    assert [] == list(breaks('{"schema": "simbbm/1", "type": "verdict"}', 20))


def test_paragraphs_are_as_wide_as_the_terminal() -> None:
    page = "# T\n\na b c d\ne f\n\n* g h i j\n  k\n* l\n\n    code code code\n| a | b | c |\n"
    wanted = "# T\n\na b c\nd e f\n\n* g h\n  i j\n  k\n* l\n\n    code code code\n| a | b | c |\n"
    assert wanted == reflowed(page, 5)


def on_a_terminal(columns: int, *args: str, colours: bool = True) -> list[str]:
    """The lines that a terminal of this width shows of stdout."""
    ours, theirs = pty.openpty()
    os.set_blocking(ours, False)
    environment = os.environ | {"COLUMNS": str(columns), "NO_COLOR": "" if colours else "1"}
    with subprocess.Popen(
        [*SIMBBM, *args], stdout=theirs, stderr=subprocess.DEVNULL, env=environment, cwd=ROOT
    ) as process:
        os.close(theirs)
        said = b""
        while select.select([ours], [], [], 60)[0]:
            try:
                said += os.read(ours, 1 << 16)
            except OSError:
                break
    os.close(ours)
    assert process.returncode in (0, 1)
    return re.sub(r"\x1b\[[0-9;]*m", "", said.decode().replace("\r\n", "\n")).split("\n")


NARROW = [
    ("explore", "bbm_minimal::live_change"),
    ("check", "bbm_minimal::live_change"),
    ("run", "bbm_minimal::live_change", "--trace"),
    ("guide", "trust"),
    ("list", "catalogue"),
]


@pytest.mark.parametrize("args", NARROW, ids=lambda args: args[0])
def test_a_narrow_terminal_gets_narrow_lines_and_a_pipe_whole_ones(
    tmp_path: Path, args: tuple[str, ...]
) -> None:
    folder = () if args[0] in ("guide", "list") else ("--witness-dir", str(tmp_path))
    # In colours a page is set, without the marks of Markdown.
    narrow = on_a_terminal(40, *args, *folder, colours=args[0] != "guide")
    piped = subprocess.run(
        [*SIMBBM, *args, *folder],
        capture_output=True,
        text=True,
        env=os.environ | {"COLUMNS": "40"},
        cwd=ROOT,
        check=False,
    )

    for line in narrow:
        assert len(line) <= 40 or len(line.removesuffix(" \\").split()) == 1, line
    words = [word for line in narrow for word in line.split() if word != "\\"]
    assert untimed(words) == untimed(piped.stdout.split())
    assert args[0] == "list" or any(len(line) > 40 for line in piped.stdout.split("\n"))


def untimed(words: list[str]) -> list[str]:
    """Without what the clock says."""
    return [word for word in words if not re.fullmatch(r"\d+\.\d", word)]


@pytest.mark.parametrize(
    ("command", "changes"),
    [
        ("replay", {"property": HOSTILE}),
        (
            "replay",
            {"decisions": [{"step": 0, "label": HOSTILE, "occurrence": 1}], "property": "p"},
        ),
        ("replay", {"scenario": f"bbm_minimal::{HOSTILE}"}),
        ("show", {"scenario": f"{HOSTILE}.py::x"}),
        ("show", {"property": HOSTILE}),
        ("shrink", {"params": {HOSTILE: "x"}}),
    ],
)
def test_a_witness_cannot_speak_to_the_terminal(
    simbbm: Cli, spoil: Any, command: str, changes: dict[str, Any]
) -> None:
    result = simbbm(command, spoil(**changes))

    assert result.exit_code in (2, 4)
    assert SHOWN in result.output
    assert not {*"\x1b\x07\u202e"} & {*result.output}


def test_a_litmus_test_cannot_either(simbbm: Cli) -> None:
    row = {"name": HOSTILE, "threads": [["r1 = ld x"]], "init": {"map": {"x": "leaf(pa)"}}}
    row |= {"condition": "0:r1=0", "verdict": "forbidden", "note": HOSTILE}
    Path("x.jsonl").write_text(json.dumps(row))
    for line, code in (("litmus x.jsonl --outcomes", 1), ("list x.jsonl", 0), ("run x.jsonl", 1)):
        shown = simbbm(*line.split())
        assert SHOWN in shown.stdout
        assert not {*"\x1b\x07\u202e"} & {*shown.output}
        assert code == shown.exit_code
    (told,) = simbbm.rows("list", "x.jsonl")
    assert HOSTILE == told["story"]


def test_a_story_cannot_either(simbbm: Cli, mine: Path) -> None:
    mine.write_text(mine.read_text().replace("Nobody is told", "\\x1b[2JNobody\\u202e"))
    assert r"\u001b[2JNobody\u202e" in simbbm.ok("list", mine)


def test_logs_cannot_either(capsys: pytest.CaptureFixture[str]) -> None:
    for form in ("console", "json"):
        logs.configure(form).warning("met", scenario=HOSTILE)
    assert not {*"\x1b\x07\u202e"} & {*capsys.readouterr().err}


def test_json_of_what_is_no_text_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    for file in ("b\udcff", "\x85\x9b\xad", HOSTILE):
        echo(encode(NewRow(file=file)))
    lines = capsys.readouterr().out.splitlines()
    assert [r"b\udcff", "\x85\x9b\xad", HOSTILE] == [json.loads(line)["file"] for line in lines]


def test_everything_is_printed_in_one_place() -> None:
    said = re.compile(r"click\.(echo|secho|style)\(|(?<!\w)print\(|std(out|err)\.write")
    # guide and cost_text set a page, in a text; the collector runs alone, where simbbm is not.
    allowed = {"terminal.py", "template.py", "guide.py", "cost_text.py", "collector.py"}
    files = [p for p in (ROOT / "simbbm").rglob("*.py") if p.name not in allowed]
    assert not [p.name for p in files if said.search(p.read_text())]
    assert said.search(" print(")


# Streams that fail


def test_an_answer_that_nobody_takes_is_no_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(CannotWrite):
        echo("x")


def run(script: str, folder: Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a line of shell in which $S is simbbm."""
    return subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        text=True,
        cwd=folder,
        env=os.environ | {"S": " ".join(SIMBBM)},
        check=False,
        **options,
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_streams_that_fail(tmp_path: Path) -> None:
    for script, code, error in (
        ("$S run nosuch 2>/dev/full", 2, ""),
        ("$S run nosuch 2>&1 | true; exit ${PIPESTATUS[0]}", 2, ""),
        ("$S list bbm_minimal >&-", 5, "simbbm: stdout: Bad file descriptor\n"),
        ("$S --help >/dev/full", 5, "simbbm: stdout: No space left on device\n"),
        ("$S --help | true; exit ${PIPESTATUS[0]}", 141, ""),
    ):
        done = run(script, tmp_path)
        assert (script, code, error) == (script, done.returncode, done.stderr)


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    gone = "mkdir d; cd d; rmdir ../d;"
    done = run(f"{gone} $S check bbm_minimal", tmp_path)
    one = run(f"{gone} $S run bbm_minimal::live_change", tmp_path)

    assert (2, "simbbm: the current directory is gone (change to another one)\n") == (
        done.returncode,
        done.stderr,
    )
    assert (0, 1) == (one.returncode, one.stderr.count("\n"))
    assert "warning: no witness written to .simbbm/witness: No such file" in one.stderr
    assert "replay with: simbbm replay sb3" in one.stdout


def test_no_more_files(tmp_path: Path) -> None:
    for most in (9, 12):

        def few(most: int = most) -> None:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

        done = run("$S check bbm_minimal", tmp_path, preexec_fn=few)

        assert (5, "simbbm: Too many open files (raise ulimit -n, or lower -j)\n") == (
            done.returncode,
            done.stderr,
        )


def test_names_that_are_no_text(tmp_path: Path, mine: Path) -> None:
    """A folder's is shown; a file's would be part of ids, and is refused."""
    folder = os.fsencode(tmp_path) + b"/\xff"
    Path(os.fsdecode(folder)).mkdir()
    done = subprocess.run(
        [*SIMBBM, "run", "bbm_minimal::live_change", "--json"],
        capture_output=True,
        cwd=folder,
        check=True,
    )
    assert json.loads(done.stdout)["witness"].startswith(rf"{tmp_path}/\udcff/.simbbm/")

    mine.rename(Path(os.fsdecode(folder), "\udcfe.py"))
    done = subprocess.run(
        [*SIMBBM, "run", b"\xfe.py::good", "--json"], capture_output=True, cwd=folder, check=False
    )
    assert (2, rb"\udcfe.py: its name is not UTF-8") == (
        done.returncode,
        done.stderr.removeprefix(b"simbbm: ").partition(b" (")[0],
    )
    assert r"\udcfe.py: its name is not UTF-8" == json.loads(done.stdout)["message"]
