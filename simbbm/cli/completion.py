"""Completion in bash of words with colons or equals signs in them.

Bash takes `stem::name` and `STEP=OP` for three words (COMP_WORDBREAKS has both), passes them on as
such and replaces only the last of them. So the words are joined again, and an answer leaves out
what is already on the line. Other shells need nothing of the kind.
"""

from __future__ import annotations

import os
from typing import Any

from click.shell_completion import (
    BashComplete,
    CompletionItem,
    add_completion_class,
    split_arg_string,
)

BREAKS = ":="


class WholeWordComplete(BashComplete):
    """Bash completion that knows about colons and equals signs."""

    _typed = ""

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words before the cursor and the word that is being completed."""
        words = split_arg_string(os.environ["COMP_WORDS"])
        cursor = int(os.environ["COMP_CWORD"])
        joined: list[str] = []
        glue = False
        for word in [*words[1:cursor], *(words[cursor : cursor + 1] or [""])]:
            breaks = bool(word) and not word.strip(BREAKS)
            if joined and (glue or breaks):
                joined[-1] += word
            else:
                joined.append(word)
            glue = breaks
        incomplete = joined.pop()
        self._typed = incomplete[: max(map(incomplete.rfind, BREAKS)) + 1]
        return joined, incomplete

    def format_completion(self, item: CompletionItem[Any]) -> str:
        """Leave out what bash takes for earlier words."""
        return f"{item.type},{item.value.removeprefix(self._typed)}"


def register() -> None:
    """Put it in the place of click's own."""
    add_completion_class(WholeWordComplete)
