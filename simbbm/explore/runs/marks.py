"""Labels by kind: how a step is recognised after indices and pages have moved.

Two labels are alike if they differ only in which entry, table, page or occurrence they name. A mark
is a label's kind in two letters: enough to recognise it by, and short enough for a token.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from string import ascii_letters

_SIGN = "~"
"""Begins a mark, and no label."""
_WHICH = re.compile(r"@\d+|\[\d+\]|#\d+|\+\d+|\(0x[0-9a-f]+\)| x\d+|(?<=\bnew)\d+")
"""`pmd@8`, `[1]`, `#2`, `lm.pmd+4`, `(0x1f)`, `x2`, `new3`; the number of a CPU stays."""


def kind(label: str) -> str:
    """Return the label without what says which one it is."""
    return _WHICH.sub("", label)


def mark(label: str) -> str:
    """Return the mark of a label's kind; of a mark, itself; of nothing, nothing."""
    if not label or label.startswith(_SIGN):
        return label
    first, second = blake2b(kind(label).encode(), digest_size=2).digest()
    letters = len(ascii_letters)
    return _SIGN + ascii_letters[first % letters] + ascii_letters[second % letters]


def letters_of(instead_of: str) -> str:
    """Return the two letters of a label's mark."""
    return mark(instead_of)[1:]


def mark_from(letters: str) -> str:
    """Return the mark with these two letters."""
    return _SIGN + letters if letters else ""


def is_like(label: str, wanted: str) -> bool:
    """Whether a label is of the same kind as another, of which a mark is enough."""
    return bool(wanted) and mark(label) == mark(wanted)
