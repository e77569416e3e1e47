"""`simbbm list --routines`: which kernel each routine was read from."""

from __future__ import annotations

from simbbm.sources import cited, table
from tests.cli.commandline import Cli


def test_every_routine_was_read_from_some_kernel(simbbm: Cli) -> None:
    rows = {(row["file"], row["routine"]): row for row in simbbm.rows("list", "--routines")}
    flag = rows["linux/mmu.py", "init_idmap_kpti_bbml2_flag"]

    assert len(rows) > 120
    assert all(row["read_from"].startswith("v") for row in rows.values())
    assert flag["today"] == "init_idmap_kpti_bbml3_flag"
    assert flag["kernel"] == "mmu.c:init_idmap_kpti_bbml2_flag"
    assert rows["linux/mmu.py", "split_pmd"]["read_from"] == "v6.18 15bfba1ad77f"
    assert rows["linux/mmu.py", "split_pud"]["read_from"] == "v6.18"


def test_the_table_has_nothing_that_is_not_read() -> None:
    read = {(file, function) for _, _, file, function in cited()}
    known = table()

    assert {file for file, _ in read} == {*known["files"]}
    assert {tuple(name.split(":")) for name in known["functions"]} <= read
    assert {*known["files"].values()} & {*known["functions"].values()}


def test_text_has_the_names_of_today(simbbm: Cli) -> None:
    shown = simbbm.ok("list", "--routines")

    assert "linux/mmu.py\n    pgd_pgtable_alloc_init_mm_gfp: mmu.c:" in shown
    assert "    system_supports_bbml2_noabort: system_supports_bbml3\n" in shown
    assert "mmu.c:init_idmap_kpti_bbml2_flag (today init_idmap_kpti_bbml3_flag), v6.18" in shown
