"""Reading tests of herd7: what is understood, and where what is not understood stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from simbbm.litmus.files import read_file, read_herd
from simbbm.litmus.herd import tree
from simbbm.litmus.herd.lexer import without_comments
from simbbm.litmus.herd.parser import parse
from simbbm.litmus.notation.conditions import And, Not, Or

TEST = """AArch64 sample
Variant=vmsa,handled
(* a comment (* in a comment *) here *)
{
 int x=1; int64_t y; int a[2]={3,4};
 int *p=&x;
 [PTE(x)]=(oa:PA(y), valid:0, attrs:(Normal, NSH));
 pteval_t 0:X1=(db:0); 0:X2=pte_x; uint64_t 0:X3=0x10;
}
 P0             | P0.F ;
 L0: L1:        | ERET ;
 LDR W4,[X2,#8] |      ;
 B.EQ L0        |      ;
locations [0:X4; x;]
~exists (0:X1=-1 /\\ ~(x=2 \\/ fault(P0:L0,x,MMU:Permission)) /\\ not [PTE(x)]=(af:0))
"""


def test_everything_is_read() -> None:
    test = parse("f", TEST)

    assert (test.name, test.quantifier) == ("sample", "~exists")
    assert [(key, value) for key, value, _ in test.header] == [("Variant", "vmsa,handled")]
    values = {item.where: item.value for item in test.items}
    assert values[tree.Variable("p")] == tree.Variable("x")
    assert values[tree.Variable("a")] == tree.Array((3, 4))
    fields = tree.Fields("y", (("valid", 0),), ("NSH", "Normal"))
    assert values[tree.Descriptor("x")] == fields
    assert values[tree.ThreadRegister(0, 2)] == tree.Descriptor("x")
    assert values[tree.ThreadRegister(0, 3)] == 16
    load, branch = test.code[0].lines[-2:]
    assert load.operands[1] == tree.Memory(tree.Register(2, wide=True), tree.Immediate(8))
    assert (branch.mnemonic, branch.operands) == ("B.EQ", (tree.Name("L0"),))
    assert test.code[1].handler
    assert test.shown == (tree.ThreadRegister(0, 4), tree.Variable("x"))
    assert test.condition == And(
        (
            tree.RegisterIs(tree.ThreadRegister(0, 1), -1),
            Not(Or((tree.WordIs(tree.Variable("x"), 2), tree.Faulted(0, "L0", "x", "permission")))),  # type: ignore[arg-type]
            Not(tree.WordIs(tree.Descriptor("x"), tree.Fields(values=(("af", 0),)))),  # type: ignore[arg-type]
        )
    )


def test_comments_leave_lines_and_columns() -> None:
    bare = without_comments("a (* b (* c *)\n d *) e")

    assert bare == f"a{' ' * 13}\n{' ' * 6}e"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("int x=1;", "int x=;", "f:5:8: `;`, where a value should be"),
        ("valid:0", "walid:0", "f:7:22: a descriptor has no field walid"),
        ("valid:0", "valid:2", "f:7:28: valid:2: it is 0 or 1"),
        ("LDR W4,[X2,#8]", "LDR W4,[X2,#8]]", "f:12:16: `]`, where"),
        ("LDR W4,[X2,#8]", "LDRB W4,[X2] ", "f:12:2: LDRB: accesses of other sizes"),
        ("LDR W4,[X2,#8]", "FOO W4", "f:12:2: FOO: is not known here"),
        ("LDR W4,[X2,#8]", "HVC #0", "f:12:2: HVC: is not known here"),
        ("LDR W4,[X2,#8]", "LDR W4,L0", "f:12:2: operand 2 of LDR is no address"),
        ("LDR W4,[X2,#8]", "TLBI RVAE1,X2", "f:12:2: TLBI RVAE1 is not modelled"),
        ("LDR W4,[X2,#8]", "DSB FOO", "f:12:2: DSB has no option foo"),
        ("B.EQ L0", "B.EQ L7", "f:13:2: there is no label L7 in P0"),
        ("B.EQ L0", "B.XX L0", "f:13:2: there is no condition XX"),
        ("handled", "mixed", "f:2:1: variant mixed is not modelled"),
        ("~exists", "often", "where"),
        ("MMU:Permission", "MMU:Odd", "f:15:"),
        ("x,MMU:Permission", "SupervisorCall", "faults SupervisorCall are not modelled"),
        ("AArch64", "PPC", "f:1:1: tests of PPC are not run"),
        ("P0.F", "P1.F", "f: there is no thread P1"),
        ("0:X1=-1", "4:X1=-1", "f: there is no thread P4"),
    ],
)
def test_what_is_not_understood_has_a_place(old: str, new: str, told: str) -> None:
    line = read_herd("f", TEST.replace(old, new, 1))

    assert line.test is None
    assert told in str(line.error)


def test_a_file_that_is_none_is_told(tmp_path: Path) -> None:
    path = tmp_path / "none.litmus"
    path.write_text("nothing of the kind")

    (line,) = read_file(path)

    assert line.error
    assert "there is no `{`" in line.error.message
    assert not line.unsupported
