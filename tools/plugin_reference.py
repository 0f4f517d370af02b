"""Writes the generated parts of plugins/README.md: every hook from its specification, every plugin that ships."""

from __future__ import annotations

import inspect
from pathlib import Path

from plugins import hookspecs
from plugins.loading import shipped_names
from plugins.manager import load_plugins
from plugins.verify import hook_arguments


def hooks() -> str:
    """A section per hook, in the order of hookspecs.py: signature, promise, who uses it."""
    shipped = load_plugins({name: {} for name in shipped_names()}, None)
    in_order = sorted(hook_arguments(), key=lambda hook: inspect.getsourcelines(getattr(hookspecs, hook))[1])
    sections = []
    for hook in in_order:
        function = getattr(hookspecs, hook)
        arguments = ", ".join(
            f"{name}: {parameter.annotation}" for name, parameter in inspect.signature(function).parameters.items()
        )
        answer = inspect.signature(function).return_annotation
        users = ", ".join(f"`{name}`" for name in shipped.names(hook))
        sections.append(
            f"### `{hook}({arguments}) → {answer}`\n\n{_paragraphs(inspect.getdoc(function) or '')}\n\nUsed by {users}."
        )
    return "\n\n".join(sections)


def shipped() -> str:
    """A table of the plugins that ship: what each does, its options, its hooks."""
    rows = ["| plugin | what it does | options and their defaults | hooks |", "|---|---|---|---|"]
    for plugin in load_plugins({name: {} for name in shipped_names()}, None).describe():
        options = ", ".join(f"`{name} = {_toml(value)}`" for name, value in plugin.options.items()) or "–"
        hooks_used = ", ".join(plugin.hooks)
        rows.append(f"| `{plugin.name}` | {plugin.summary} | {options} | {hooks_used} |")
    return "\n".join(rows)


def example() -> str:
    """The drop-in the tests load, as it stands in its file."""
    text = Path("tests/drop_in/prefer_cheap.py").read_text()
    return f"```python\n{text}```"


def _paragraphs(doc: str) -> str:
    """The docstring with "Combine:" and "On failure:" as a list."""
    lines = []
    for line in doc.splitlines():
        for start in ("Combine:", "On failure:"):
            line = line.replace(start, f"* *{start[:-1]}*:") if line.startswith(start) else line
        lines.append(line)
    return "\n".join(lines)


def _toml(value: object) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(entry) for entry in value) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
