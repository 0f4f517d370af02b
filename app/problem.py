"""An answer that says what was wrong, where, and what would be right (RFC 9457)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar, get_args

import msgspec
from msgspec.structs import fields

from app.suggestion import suggest

T = TypeVar("T")


class FieldError(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing wrong: a JSON pointer into the request and a sentence."""

    pointer: str
    detail: str
    at: int | None = None
    """In a text with a grammar of its own: the character, from 0, at which it cannot be understood."""


class ProblemDetails(msgspec.Struct, frozen=True, omit_defaults=True):
    """application/problem+json."""

    title: str
    status: int
    detail: str = ""
    type: str = "about:blank"
    errors: tuple[FieldError, ...] = ()


class Problem(Exception):
    """Raise it anywhere below a route: the client gets it as problem+json."""

    def __init__(
        self,
        status: int,
        title: str,
        detail: str = "",
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        kind: str = "about:blank",
    ) -> None:
        super().__init__(f"{status} {title}: {detail}")
        self.details = ProblemDetails(title=title, status=status, detail=detail, type=kind, errors=tuple(errors))
        self.headers = dict(headers or {})


def read_json(decode: Callable[[bytes], T], body: bytes, title: str = "Not a valid request") -> T:
    """A body as `decode` types it. Raises Problem 400 saying what is wrong and where."""
    try:
        return decode(body)
    except msgspec.ValidationError as error:
        raise misfit(error, title, getattr(getattr(decode, "__self__", None), "type", None)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Problem(400, "Not valid JSON", not_json(error) if body else "the body is empty") from None


def misfit(error: msgspec.ValidationError, title: str = "Not a valid request", kind: object = None) -> Problem:
    """The answer to JSON of another shape than asked for, `kind`."""
    found = field_error(error, kind)
    return Problem(400, title, found.detail, errors=[found])


_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`")


def field_error(error: msgspec.ValidationError, kind: object = None) -> FieldError:
    """msgspec's "… - at `$.requests[0].limit`" as a JSON pointer and a sentence; an unknown field where a `kind` was
    asked for gets the known one that it looks like."""
    text, _, path = str(error).partition(" - at `$")
    pointer = path.rstrip("`").replace("[...]", "").replace("[", "/").replace("]", "").replace(".", "/")
    unknown = _UNKNOWN.fullmatch(text)
    if unknown and kind is not None:
        name = unknown.group(1)
        return FieldError(f"{pointer}/{name}", f"unknown field '{name}'{suggest(name, _fields_at(kind, pointer))}")
    return FieldError(pointer, text.replace("`", "'"))


def _fields_at(kind: object, pointer: str) -> list[str]:
    """The fields of the struct that a JSON pointer leads to; none where it leads to no struct."""
    for name in pointer.split("/")[1:]:
        struct = _struct_in(kind)
        kind = struct and {field.encode_name: field.type for field in fields(struct)}.get(name, struct)
    struct = _struct_in(kind)
    return [field.encode_name for field in fields(struct)] if struct else []


def _struct_in(kind: object) -> type[msgspec.Struct] | None:
    """The struct in a type such as `Annotated[list[Struct] | None, …]`."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return kind
    return next((found for part in get_args(kind) if (found := _struct_in(part))), None)


def not_json(error: msgspec.DecodeError | UnicodeDecodeError) -> str:
    """Why bytes are no JSON; msgspec tells wrong UTF-8 by an exception of its own."""
    return "its text is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
