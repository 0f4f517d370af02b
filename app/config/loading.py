"""Reads personalize.toml: every problem at once, each with its TOML path and what would be right."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

import msgspec

from app.config.schema import Config
from app.suggestion import suggest

T = TypeVar("T", bound=msgspec.Struct)


class ConfigError(Exception):
    """All that is wrong with a configuration, one line each."""

    def __init__(self, source: str, problems: list[str]) -> None:
        self.source = source
        self.problems = problems
        super().__init__("\n".join([f"{source}: {len(problems)} problem{'s' * (len(problems) != 1)}", *problems]))


def load_config(path: Path) -> Config:
    """The configuration of a file.

    Raises ConfigError with every problem, or when the file is absent, unreadable or not TOML.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
        table = tomllib.loads(text)
    except FileNotFoundError:
        raise ConfigError(str(path), ["there is no such file; `personalize init` writes a commented one"]) from None
    except OSError as error:
        raise ConfigError(str(path), [f"cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError(str(path), [f"line {line} is not UTF-8; save the file as UTF-8"]) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(str(path), [f"not valid TOML: {error}"]) from None
    return parse_config(table, source=str(path))


def parse_config(table: Mapping[str, Any], source: str = "configuration") -> Config:
    """A Config from a TOML table; raises ConfigError with every problem at once."""
    config = parse_table(Config, table, source)
    if problems := config.contradictions():
        raise ConfigError(source, problems)
    return config


def parse_table(kind: type[T], table: Mapping[str, Any], source: str) -> T:
    """Any typed table, not only the configuration; raises ConfigError with every problem at once."""
    problems: list[str] = []
    parsed = _struct(kind, table, "", problems)
    if problems or not isinstance(parsed, kind):
        raise ConfigError(source, problems)
    return parsed


def _struct(kind: type[msgspec.Struct], table: object, path: str, problems: list[str]) -> object:
    """Convert one table field by field, so that one error does not hide the next."""
    if not isinstance(table, Mapping):
        problems.append(f"{path or 'configuration'}: expected a table [{path}], got {_name(table)}")
        return None
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    values: dict[str, Any] = {}
    for key, value in table.items():
        here = f"{path}.{key}" if path else key
        if key not in fields:
            problems.append(f"{here}: unknown setting{suggest(key, fields)}")
            continue
        values[fields[key].name] = _value(fields[key].type, value, here, problems)
    for name, field in fields.items():
        if field.required and name not in table:
            problems.append(f"{path}.{name}: missing" if path else f"{name}: missing")
    if problems:
        return None
    return kind(**values)


def _value(kind: object, value: object, path: str, problems: list[str]) -> object:
    if isinstance(kind, UnionType):  # `Column | None`: TOML has no null, so a value is of the other kind
        others = [of for of in get_args(kind) if of is not type(None)]
        kind = others[0] if len(others) == 1 else kind
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _struct(kind, value, path, problems)
    if isinstance(value, list) and (each := _told_one_by_one(kind)) is not None:
        before = len(problems)
        for place, entry in enumerate(value):
            _value(each, entry, f"{path}[{place}]", problems)
        if len(problems) > before:
            return None
    if get_origin(kind) is dict and isinstance(value, Mapping):
        of = get_args(kind)[1]
        return {key: _value(of, entry, f"{path}.{key}", problems) for key, entry in value.items()}
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        problems.append(f"{path}: {_sentence(str(error), value, kind)}")
        return None


def _told_one_by_one(kind: object) -> object:
    """Of a list of tables or of choices: the kind of its entries, each of which is told by its place; else None."""
    kind = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    if get_origin(kind) is not list:
        return None
    entry: object = get_args(kind)[0]
    table = isinstance(entry, type) and issubclass(entry, msgspec.Struct)
    return entry if table or get_origin(entry) is Literal else None


def _sentence(error: str, value: object, kind: object) -> str:
    """msgspec's sentence with the offending value; a wrong word of a choice gets a suggestion."""
    if get_origin(kind) is Literal:
        return f"{value!r} is no choice here{suggest(str(value), get_args(kind))}"
    text = error.replace("`", "").split(" - at ")[0]
    return f"{text[0].lower()}{text[1:]} (it is {value!r})"


def _name(value: object) -> str:
    return {list: "an array", str: "a string", bool: "a boolean"}.get(type(value), f"{value!r}")
