"""The API describes itself: OpenAPI 3.1 from the very types that validate requests and make answers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from app.problem import ProblemDetails
from app.routes.admin import COOKIE

REF = "#/components/schemas/{name}"


@dataclass(frozen=True)
class Operation:
    """One method of one path; route modules export a list of them beside their routes."""

    method: str
    path: str
    summary: str
    body: Any = None
    """Type that validates the request body."""
    answer: Any = None
    """Type of the successful answer's body."""
    status: int = 200
    media: str = "application/json"
    """Media type of the successful answer."""
    query: dict[str, str] = field(default_factory=dict)
    """Query parameter -> what it means."""
    headers: dict[str, str] = field(default_factory=dict)
    """Request header -> what it means."""
    key: str = ""
    """Who may: `public` or `server` with that key, `admin` anyone signed in, else roles as in `privacy or operator`."""
    problems: Sequence[int] = (400,)


def document(operations: Sequence[Operation], *, title: str, version: str) -> dict[str, Any]:
    """The OpenAPI document of these operations."""
    bodies = [kind for operation in operations for kind in (operation.body, operation.answer) if kind is not None]
    kinds = [*bodies, ProblemDetails]
    # All at once: types of one name in two modules then get names of their own, in references too.
    found, components = msgspec.json.schema_components(kinds, ref_template=REF)
    schemas = dict(zip(kinds, found, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _describe(operation, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "server": {"type": "http", "scheme": "bearer"},
                "admin": {"type": "apiKey", "in": "cookie", "name": COOKIE},
            },
        },
    }


def _describe(operation: Operation, schemas: Mapping[Any, dict[str, Any]]) -> dict[str, Any]:
    content = {operation.media: {"schema": schemas[operation.answer]} if operation.answer is not None else {}}
    described: dict[str, Any] = {
        "operationId": f"{operation.method.lower()} {operation.path}",
        "summary": operation.summary,
        "parameters": _parameters(operation),
        "responses": {
            str(operation.status): {"description": "done", **({} if operation.status == 204 else {"content": content})},
            **{
                str(status): {
                    "description": "problem",
                    "content": {"application/problem+json": {"schema": schemas[ProblemDetails]}},
                }
                for status in operation.problems
            },
        },
    }
    if operation.body is not None:
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schemas[operation.body]}},
        }
    if operation.key == "server":
        described["security"] = [{"server": []}]
    elif operation.key not in ("", "public"):
        described["security"] = [{"admin": []}]
        described["description"] = f"For {'anyone signed in' if operation.key == 'admin' else operation.key}."
    return described


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    in_path = re.findall(r"{(\w+)", operation.path)
    return [
        *({"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in in_path),
        *(
            {"name": name, "in": "query", "description": meaning, "schema": {"type": "string"}}
            for name, meaning in operation.query.items()
        ),
        *(
            {"name": name, "in": "header", "description": meaning, "schema": {"type": "string"}}
            for name, meaning in operation.headers.items()
        ),
    ]
