"""Where a herd7 test's variables, pages and descriptors are, and what its values are then.

Every variable has a page of its own in a part of the address space of its own, with a leaf table of
its own, and a physical page. Descriptors can be read and written at EL1, at their addresses; at EL0
they are behind a page that EL0 may not access. As in herd7
a word that is named in the end, `[x]`, is a word of x's own physical page.
"""

from __future__ import annotations

from simbbm.arm64.descriptor import INVALID, LEAF, Attributes, Descriptor, leaf, table
from simbbm.arm64.execution.listing import CodeAddress
from simbbm.arm64.geometry import Geometry
from simbbm.arm64.ops import Physical
from simbbm.arm64.registers import Regime, Tcr, Ttbr
from simbbm.litmus.herd import tree
from simbbm.litmus.herd.arithmetic import FIRST_TABLE
from simbbm.litmus.notation.conditions import And, Not, Or
from simbbm.litmus.notation.syntax import ENTRY_BITS, PAGE_WORDS, Malformed

_OUTPUTS = 1 << 20
"""First physical page."""
Machine = int | Physical | Descriptor | CodeAddress
"""What a register holds."""


class Layout:
    """Addresses of everything that a test names."""

    def __init__(self, test: tree.HerdTest) -> None:
        self.variables = [*names_in(test)]
        self.sizes = {
            item.where.name: item.size
            for item in test.items
            if isinstance(item.where, tree.Variable)
        }
        bits = max(ENTRY_BITS, len(self.variables).bit_length())
        self.geometry = Geometry("litmus", bits, PAGE_WORDS, (4, 4), level1_blocks=True)
        self.span = self.geometry.entries
        self.labels: dict[tuple[int, str], int] = {}
        """Number of the instruction at each label, by thread; filled when code is lowered."""

    def page(self, name: str) -> int:
        """Virtual page of a variable; the first part of the address space is nobody's."""
        return (1 + self.variables.index(name)) * self.span

    def output(self, name: str) -> int:
        """Its physical page."""
        return _OUTPUTS + self.variables.index(name)

    def entry(self, name: str) -> int:
        """Address of its descriptor."""
        return self._table(name)

    def _table(self, name: str) -> int:
        return (FIRST_TABLE + 1 + self.variables.index(name)) * PAGE_WORDS

    def _offset(self, variable: tree.Variable) -> int:
        return variable.element * self.sizes.get(variable.name, 4)

    def word(self, where: tree.Word) -> int:
        """The physical word that is meant by a place in memory."""
        match where:
            case tree.Variable(name=name):
                return self.output(name) * PAGE_WORDS + self._offset(where)
            case tree.Page(name=name):
                return self.output(name) * PAGE_WORDS
            case tree.Descriptor(name=name):
                return self.entry(name)

    def at_el0(self, value: Machine) -> Machine:
        """A value of a thread at EL0: the address of a descriptor is a virtual one."""
        if isinstance(value, Physical) and value.address >= FIRST_TABLE * PAGE_WORDS:
            table_of = value.address // PAGE_WORDS - FIRST_TABLE - 1
            return (self.page(self.variables[table_of]) + 1) * PAGE_WORDS
        return value

    def value(self, value: tree.Value, default: str = "") -> Machine:
        """What a register holds; `default` is the variable whose page an `oa` leaves out."""
        match value:
            case tree.Variable(name=name):
                return self.page(name) * PAGE_WORDS + self._offset(value)
            case tree.Descriptor(name=name):
                return Physical(self.entry(name))
            case tree.Page(name=name):
                return Physical(self.output(name) * PAGE_WORDS)
            case tree.Label(thread=thread, name=name):
                if (thread, name) not in self.labels:
                    raise Malformed(f"there is no label {name} in P{thread}")
                return CodeAddress(self.labels[thread, name])
            case tree.Fields():
                return self.descriptor(value, default)
            case int():
                return value & ((1 << 64) - 1)

    def descriptor(self, fields: tree.Fields, default: str) -> Descriptor:
        """A leaf descriptor: valid, accessed, writable, for all, unless fields say otherwise."""
        given = dict(fields.values)
        user = bool(given.get("el0", 1))
        name = fields.output or default
        normal = [a for a in fields.attributes if a not in ("Normal", "ISH", "iWB", "oWB")]
        return Descriptor(
            LEAF if given.get("valid", 1) else INVALID,
            self.output(name) if name else 0,
            Attributes(
                memory=",".join(normal) or "normal",
                write=bool(given.get("db", 1)),
                user=user,
                user_write=user,
                execute=bool(given.get("x", 1)),
                dirty_modifier=bool(given.get("dbm", 0)),
            ),
            access_flag=bool(given.get("af", 1)),
        )

    def tables(self, first: dict[str, Descriptor]) -> dict[int, tuple[Descriptor, ...]]:
        """Every table as it is at the start, with the descriptors that a test gives."""
        entries = self.geometry.entries
        empty = [Descriptor()] * entries
        root = list(empty)
        found: dict[int, tuple[Descriptor, ...]] = {}
        for i, name in enumerate(self.variables, 1):
            root[i] = table(self._table(name))
            leaves = list(empty)
            leaves[0] = first.get(name) or self.descriptor(tree.Fields(), name)
            leaves[1] = leaf(self._table(name) // PAGE_WORDS)
            found[self._table(name)] = tuple(leaves)
        found[FIRST_TABLE * PAGE_WORDS] = tuple(root)
        return found

    @property
    def regime(self) -> Regime:
        """Every thread translates by the same root."""
        tcr = Tcr(2 * self.geometry.entry_bits, 0, a1=False, epd1=True)
        return Regime((Ttbr(FIRST_TABLE * PAGE_WORDS, 0),), (Ttbr(0),), (tcr,))

    def symbols(self) -> dict[int, str]:
        """Names of words, for people."""
        found = {FIRST_TABLE * PAGE_WORDS: "root"}
        for name in self.variables:
            found[self.page(name) * PAGE_WORDS] = name
            found[self.output(name) * PAGE_WORDS] = f"PA({name})"
            found[self.entry(name)] = f"PTE({name})"
        return found

    # Text

    def text(self, value: object) -> str:
        """A value as herd7 writes it."""
        if isinstance(value, Descriptor):
            return self._fields(value)
        if isinstance(value, CodeAddress):
            found = (f'label:"P{t}:{n}"' for (t, n), at in self.labels.items() if at == value[0])
            return next(found, f"instruction {value.number}")
        address = value.address if isinstance(value, Physical) else value
        assert isinstance(address, int)
        if isinstance(value, Physical) or address >= self.span * PAGE_WORDS:
            return self.symbols().get(address, hex(address))
        return str(address)

    def _fields(self, value: Descriptor) -> str:
        a = value.attributes
        page = next((n for n in self.variables if self.output(n) == value.output), None)
        fields = {
            "oa": f"PA({page})" if page else hex(value.output),
            "af": "" if value.access_flag else "0",
            "db": "" if a.write else "0",
            "dbm": "1" if a.dirty_modifier else "",
            "valid": "" if value.kind != INVALID else "0",
            "el0": "" if a.user else "0",
            "attrs": "" if a.memory == "normal" else f"({a.memory})",
        }
        return f"({', '.join(f'{k}:{v}' for k, v in fields.items() if v)})"


def names_in(test: tree.HerdTest) -> dict[str, None]:
    """Every variable that a test names anywhere, in order."""
    found: dict[str, None] = {}

    def add(value: object) -> None:
        if isinstance(value, tree.Variable | tree.Descriptor | tree.Page):
            found.setdefault(value.name)
        elif isinstance(value, tree.Fields) and value.output:
            found.setdefault(value.output)

    for item in test.items:
        add(item.where)
        for value in item.value.values if isinstance(item.value, tree.Array) else (item.value,):
            add(value)
    for condition in (test.condition, test.filtered):
        for atom in atoms_of(condition) if condition else ():
            if isinstance(atom, tree.WordIs):
                add(atom.where)
            if isinstance(atom, tree.WordIs | tree.RegisterIs):
                add(atom.value)
            if isinstance(atom, tree.Faulted) and atom.variable:
                add(tree.Variable(atom.variable))
    for where in test.shown:
        add(where)
    return found


def atoms_of(condition: tree.Condition) -> list[tree.Atom]:
    """Everything that a condition asks, from left to right."""
    match condition:
        case Not(part=part):
            return atoms_of(part)  # type: ignore[arg-type]
        case And(parts=parts) | Or(parts=parts):
            return [atom for part in parts for atom in atoms_of(part)]  # type: ignore[arg-type]
        case _:
            return [condition]
