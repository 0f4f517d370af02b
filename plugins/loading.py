"""Finds the plugins a configuration switches on, in the program and in the drop-in folder, and types their options.

Everything wrong is collected and told at once, each with its TOML path and what would be right.
"""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import importlib
import importlib.util
import inspect
import pkgutil
import sys
import traceback
from collections.abc import Iterable, Mapping
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, ClassVar, get_origin, get_type_hints

import msgspec

import plugins

# The modules of this package that are not plugins.
MACHINERY = frozenset(
    {
        "answers", "best_first", "board", "calls", "consent_strings", "contract", "engine", "frames", "hookspecs",
        "judgement", "ladder", "links", "loading", "manager", "model", "ruling", "verify",
    }
)  # fmt: skip


class PluginProblems(Exception):
    """All that is wrong with the plugins of a configuration, one line each, with their TOML paths."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


@dataclasses.dataclass(frozen=True)
class Found:
    """A plugin that is switched on, ready to be registered."""

    name: str
    plugin: Any
    module: ModuleType
    dropped_in: bool


def shipped_names() -> list[str]:
    """The plugins that come with the program."""
    return sorted(module.name for module in pkgutil.iter_modules(plugins.__path__) if module.name not in MACHINERY)


def dropped_in_names(folder: Path | None) -> list[str]:
    """The modules of the drop-in folder; none where there is no folder."""
    if folder is None or not folder.is_dir():
        return []
    names = (file.stem for file in folder.glob("*.py"))
    return sorted(name for name in names if name.isidentifier() and not name.startswith("_"))


def find_plugin(name: str, table: object, folder: Path | None, problems: list[str]) -> Found | None:
    """The plugin that `[plugins.NAME]` switches on, with its options; None after adding to `problems`."""
    path = f"plugins.{name}"
    if not isinstance(table, Mapping):
        problems.append(f"{path}: expected a table [{path}], got {table!r}")
        return None
    shipped, dropped = shipped_names(), dropped_in_names(folder)
    if name in shipped and name in dropped:
        problems.append(f"{path}: {folder}/{name}.py has the name of a plugin that ships; give the file another name")
        return None
    if name not in shipped and name not in dropped:
        problems.append(f"{path}: no such plugin{did_you_mean(name, [*shipped, *dropped])}")
        return None
    module = _load(name, folder if name in dropped else None, problems)
    plugin = None if module is None else make_plugin(path, module, table, problems)
    return None if module is None or plugin is None else Found(name, plugin, module, name in dropped)


def make_plugin(path: str, module: ModuleType, table: Mapping[str, object], problems: list[str]) -> object | None:
    """`module.Plugin` with the options of its TOML table, or None after adding to `problems`."""
    kind = getattr(module, "Plugin", None)
    if not isinstance(kind, type):
        problems.append(f"{path}: {module.__file__} defines no class `Plugin`{did_you_mean('Plugin', vars(module))}")
        return None
    if not dataclasses.is_dataclass(kind) or not kind.__dataclass_params__.frozen:  # type: ignore[attr-defined]
        problems.append(f"{path}: `Plugin` in {module.__file__} must be a @dataclass(frozen=True)")
        return None
    before = len(problems)
    values = _options(path, kind, table, problems)
    if len(problems) > before:
        return None
    try:
        return kind(**values)
    except Exception as error:
        problems.append(f"{path}: {error}")
        return None


def options_of(kind: type) -> list[dataclasses.Field[Any]]:
    """The fields of a `Plugin` that a configuration may set."""
    return [option for option in dataclasses.fields(kind) if option.init and not option.name.startswith("_")]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'bind'?`, or the known names where nothing is near."""
    names = sorted(word for word in known if not word.startswith("__"))
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if near:
        return f"; did you mean '{near[0]}'?"
    return f"; known here: {', '.join(names)}" if names else ""


def _options(path: str, kind: type, table: Mapping[str, object], problems: list[str]) -> dict[str, Any]:
    options = {option.name: option for option in options_of(kind)}
    try:
        hints = get_type_hints(kind, include_extras=True)
    except Exception as error:
        problems.append(f"{path}: the types of its options cannot be read: {error}")
        return {}
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in options:
            problems.append(f"{path}.{key}: unknown option{did_you_mean(key, options)}")
            continue
        try:
            values[key] = msgspec.convert(value, hints[key])
        except msgspec.ValidationError as error:
            problems.append(f"{path}.{key}: {_sentence(error)} (it is {value!r})")
    for key, option in options.items():
        missing = option.default is dataclasses.MISSING and option.default_factory is dataclasses.MISSING
        if missing and key not in table and get_origin(hints[key]) is not ClassVar:
            problems.append(f"{path}.{key}: missing, and it has no default")
    return values


def _sentence(error: msgspec.ValidationError) -> str:
    text = str(error).replace("`", "").split(" - at ")[0]
    return f"{text[0].lower()}{text[1:]}"


def _load(name: str, folder: Path | None, problems: list[str]) -> ModuleType | None:
    try:
        return importlib.import_module(f"plugins.{name}") if folder is None else _load_file(folder / f"{name}.py")
    except Exception as error:
        problems.append(f"plugins.{name}: {_where(error, folder, name)}{type(error).__name__}: {error}")
        return None


def _where(error: Exception, folder: Path | None, name: str) -> str:
    """File and line of the drop-in at which its import failed."""
    if folder is None:
        return ""
    file = str(folder / f"{name}.py")
    if isinstance(error, SyntaxError):
        return f"{file}: "
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return f"{file}:{lines[-1]}: " if lines else f"{file}: "


class _SourceOnly(SourceFileLoader):
    """Compiles what is in the file now, and writes no cache beside it: the server writes to its data directory only."""

    def get_code(self, fullname: str) -> CodeType:
        code: CodeType = self.source_to_code(self.get_data(self.path), self.path)
        return code


def _load_file(file: Path) -> ModuleType:
    """The drop-in module in `file`, under a name that no other folder's module has."""
    digest = hashlib.sha256(str(file.resolve()).encode()).hexdigest()[:12]
    name = f"personalize_dropped_in_{digest}_{file.stem}"
    spec = importlib.util.spec_from_loader(name, _SourceOnly(name, str(file)), origin=str(file))
    assert spec is not None
    assert spec.loader is not None
    spec.has_location = True
    module = importlib.util.module_from_spec(spec)
    # dataclasses look the module of their class up by its name.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def first_line(module: ModuleType) -> str:
    """What a plugin says of itself."""
    return (inspect.getdoc(module) or "").split("\n", 1)[0]
