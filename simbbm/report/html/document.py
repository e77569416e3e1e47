"""One HTML file: what every page of ours is made of.

A page fetches nothing and refers to nothing but its neighbours. Everything that comes from a
scenario is text in it: the template escapes what it puts in, and characters that would turn or hide
what is beside them are shown.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

import simbbm
from simbbm.host.terminal import visible


def document(template: str, styles: Iterable[str], scripts: Iterable[str], **content: Any) -> str:
    """Return a page: a template with its styles, its scripts in order, and its content."""
    script = "(() => {\n" + "\n".join(map(_asset, scripts)) + "})();\n"
    return (
        _environment()
        .get_template(template)
        .render(
            version=simbbm.__version__,
            style=Markup("\n".join(map(_asset, styles))),  # noqa: S704 - ours
            script=Markup(script),  # noqa: S704 - ours
            script_hash=base64.b64encode(sha256(script.encode()).digest()).decode(),
            **content,
        )
    )


def shown(value: Any) -> Any:
    """A value with those characters of its texts shown that turn or hide what is beside them."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, dict):
        return {shown(name): shown(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [shown(part) for part in value]
    return value


@cache
def _environment() -> Environment:
    return Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FunctionLoader(_asset),
    )


def _asset(name: str) -> str:
    return (files(__package__) / "assets" / name).read_text(encoding="utf-8")
