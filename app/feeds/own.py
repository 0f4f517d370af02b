"""Our own fields as NDJSON, CSV or YAML, and any file whose columns the operator maps to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from app.feeds.options import FeedOptions
from app.feeds.raw import MAPPED, FeedBroken, Raw, path_of
from app.feeds.table import encoding_of, read_table

LONGEST_LINE = 1_000_000
_TEXTS = tuple(name for name in MAPPED if name != "category")
_FIELDS = frozenset((*_TEXTS, "category", "hidden", "regions", "attributes"))
_YES = ("1", "true", "yes")


def read_ndjson(path: Path, options: FeedOptions) -> Iterator[Raw]:
    """A JSON object a line, as PUT /v1/items/{id} takes it. Raises FeedBroken for a line that is none."""
    with path.open("rb") as file:
        for number, line in enumerate(iter(lambda: file.readline(LONGEST_LINE + 1), b""), 1):
            if len(line) > LONGEST_LINE:
                raise FeedBroken(f"line {number}: longer than {LONGEST_LINE} bytes")
            if line.strip():
                yield _json(line, number, options)


def _json(line: bytes, number: int, options: FeedOptions) -> Raw:
    try:
        return raw_of(msgspec.json.decode(line, type=dict[str, Any]), f"line {number}", options)
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FeedBroken(f"line {number}: not a JSON object: {error}") from None


def read_csv(path: Path, options: FeedOptions) -> Iterator[Raw]:
    """A row a product; columns that are no field of ours become attributes."""
    for line, row in read_table(path, options):
        yield raw_of(row, f"line {line}", options)


def read_yaml(path: Path, options: FeedOptions) -> Iterator[Raw]:
    """A list of mappings. Aliases are refused: a few lines of them can mean gigabytes."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C one where it was built
    try:
        text = path.read_text(encoding_of(path, options))
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, loader)):
            raise FeedBroken("YAML aliases are not read; write the values out")
        told = yaml.load(text, loader)  # noqa: S506  safe either way
    except (yaml.YAMLError, UnicodeDecodeError, LookupError, RecursionError) as error:
        raise FeedBroken(f"not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(told, list):
        raise FeedBroken("a YAML catalogue is a list with a mapping per product")
    for number, each in enumerate(told, 1):
        if not isinstance(each, dict):
            raise FeedBroken(f"item {number}: not a mapping")
        yield raw_of(each, f"item {number}", options)


def raw_of(told: Mapping[str, Any], place: str, options: FeedOptions) -> Raw:
    """Fields by name; what is none becomes an attribute, unless the operator took it for one."""
    taken = set(options.fields.values())
    raw = Raw(place=place, hidden=_word(told.get("hidden")) in _YES)
    for name in _TEXTS:
        setattr(raw, name, _text(told.get(name)))
    raw.category = _parts(told.get("category"), path_of)
    raw.regions = _parts(
        told.get("regions"), lambda text: tuple(part.strip() for part in text.split(",") if part.strip())
    )
    given = told.get("attributes")
    raw.attributes = (
        {name: value for name, value in given.items() if _plain(value)} if isinstance(given, Mapping) else {}
    )
    raw.attributes |= {
        name: value
        for name, value in told.items()
        if name and name not in _FIELDS and name not in taken and _plain(value)
    }
    raw.take(options.fields, lambda name: _text(told.get(name)))
    return raw


def _plain(value: Any) -> bool:  # noqa: ANN401  any JSON
    return isinstance(value, str | int | float | bool)


def _text(value: Any) -> str:  # noqa: ANN401  any JSON
    return "" if value is None else str(value)


def _word(value: Any) -> str:  # noqa: ANN401  any JSON
    return _text(value).strip().lower()


def _parts(value: Any, split: Any) -> tuple[str, ...]:  # noqa: ANN401  any JSON
    return tuple(map(str, value)) if isinstance(value, list | tuple) else split(_text(value))
