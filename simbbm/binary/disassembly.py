"""Instructions as text, by capstone where it is installed: for people, never for execution."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from simbbm.core.errors import UsageError


def disassembler() -> Callable[[int, int], str]:
    """What makes text of a word at an address."""
    try:
        capstone: Any = import_module("capstone")
    except ImportError:
        raise UsageError(
            "--disassemble needs capstone, which is not installed",
            "pip install 'simbbm[disassembly]'",
        ) from None
    engine = capstone.Cs(capstone.CS_ARCH_ARM64, capstone.CS_MODE_ARM)

    def text(word: int, address: int) -> str:
        for _, _, mnemonic, operands in engine.disasm_lite(word.to_bytes(4, "little"), address):
            return f"{mnemonic} {operands}".rstrip()
        return f".inst {word:#010x}"

    return text
