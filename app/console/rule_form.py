"""A rule as a form, and back: every field of the editor by name, and where each of the book's complaints belongs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from app.console.forms import Form
from app.problem import FieldError, field_error
from app.rules.model import Rule

LISTS = ("placements", "regions", "segments", "devices", "categories", "brands", "queries")
TICKED = ("placements", "devices")
TEXTS = ("page", "cart")
_AROUND = 40


@dataclass(frozen=True)
class Filled:
    """The editor's fields as they stand."""

    values: dict[str, Any]
    errors: dict[str, str] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  a template asks for fields by name
        try:
            return self.values[name]
        except KeyError:
            raise AttributeError(name) from None

    def error(self, name: str) -> str:
        return self.errors.get(name, "")


def filled_from(rule: Rule | None) -> Filled:
    """The fields of a rule; of none, those of a new one."""
    when: dict[str, Any] = msgspec.to_builtins(rule.when) if rule else {}
    then: dict[str, Any] = msgspec.to_builtins(rule.then) if rule else {}
    schedule = when.get("schedule", {})
    values: dict[str, Any] = {
        "name": rule.name if rule else "", "note": rule.note if rule else "",
        "priority": str(rule.priority) if rule else "0", "enabled": rule.enabled if rule else True,
        **{name: when.get(name, []) for name in TICKED},
        **{name: _lines(when.get(name, []), name) for name in LISTS if name not in TICKED},
        **{name: when.get(name, "") for name in TEXTS},
        "exact": when.get("exact", False), "cart_items": str(when.get("cart_items", "") or ""),
        "arms": "\n".join(f"{experiment}={arm}" for experiment, arm in when.get("arms", {}).items()),
        "starts": schedule.get("starts", ""), "ends": schedule.get("ends", ""), "days": schedule.get("days", []),
        "hours": schedule.get("hours", ""),
        "do": then.get("do", "boost"), "by": "items" if then.get("items") else "match",
        "match": then.get("match", ""), "items": "\n".join(then.get("items", [])),
        "strength": f"{then.get('strength', 0.5):g}", "position": str(then.get("position", 1)),
        "count": str(then.get("count", 1)), "hard": then.get("hard", True),
    }  # fmt: skip
    return Filled(values)


def filled_as(form: Form) -> Filled:
    """The fields as somebody filled them in."""
    names = (
        "name", "note", "priority", "regions", "segments", "categories", "brands", "queries", "page", "cart",
        "cart_items", "arms", "starts", "ends", "hours", "do", "by", "match", "items", "strength", "position", "count",
    )  # fmt: skip
    values: dict[str, Any] = {name: form.get(name) for name in names}
    values |= {name: [each for each in form.all(name) if each] for name in (*TICKED, "days")}
    values |= {name: form.get(name) == "yes" for name in ("enabled", "exact", "hard")}
    return Filled({**values, "do": values["do"] or "boost", "by": values["by"] or "match"})


def rule_from(filled: Filled, rule_id: str, before: Rule | None = None) -> tuple[Rule | None, dict[str, str]]:
    """The rule, or what is wrong with which field. What the form has no field for stays as it was `before`."""
    values, errors = filled.values, dict[str, str]()
    when: dict[str, Any] = msgspec.to_builtins(before.when) if before else {}
    when |= {name: values[name] for name in TICKED}
    when |= {name: _listed(values[name]) for name in LISTS if name not in TICKED}
    when |= {name: values[name] for name in TEXTS}
    when["exact"] = values["exact"] and bool(when["queries"])
    when["cart_items"] = _number(values["cart_items"] or "0", "cart_items", errors)
    when["arms"] = {}
    for line in _listed(values["arms"]):
        experiment, sign, arm = line.partition("=")
        if not (sign and experiment.strip() and arm.strip()):
            errors["arms"] = f"'{line}': write experiment=arm, one a line"
        when["arms"][experiment.strip()] = arm.strip()
    when["schedule"] = when.get("schedule", {}) | {name: values[name] for name in ("starts", "ends", "days", "hours")}
    do = values["do"]
    then: dict[str, Any] = {"do": do, values["by"]: values["match"] if values["by"] == "match" else
                            _listed(values["items"])}  # fmt: skip
    if do in ("boost", "bury"):
        then["strength"] = _number(values["strength"] or "0.5", "strength", errors, float)
    if do == "pin":
        then |= {"position": _number(values["position"] or "1", "position", errors), "hard": values["hard"]}
        if values["by"] == "match":
            then["count"] = _number(values["count"] or "1", "count", errors)
    told = {
        "id": rule_id or "new", "name": values["name"], "note": values["note"], "enabled": values["enabled"],
        "priority": _number(values["priority"] or "0", "priority", errors), "when": when, "then": then,
    }  # fmt: skip
    if errors:
        return None, errors
    try:
        rule = msgspec.convert(told, Rule)
    except msgspec.ValidationError as error:
        return None, errors_of([field_error(error)], filled)
    return rule, {}


def errors_of(problems: list[FieldError], filled: Filled) -> dict[str, str]:
    """Field -> what is wrong with it; an expression shows the place."""
    errors: dict[str, str] = {}
    for problem in problems:
        parts = [part for part in problem.pointer.split("/") if part and not part.isdigit()]
        name = next((part for part in reversed(parts) if part in filled.values), "name")
        if name == "match" and filled.values["by"] == "items":
            name = "items"
        if parts[-1:] == ["schedule"]:
            name = "starts"
        told = problem.detail
        if problem.at is not None and name in filled.values:
            told += "\n" + pointed(str(filled.values[name]), problem.at)
        errors.setdefault(name, told)
    return errors


def pointed(text: str, at: int) -> str:
    """The place in a text, with a mark under the character."""
    start, flat = max(0, at - _AROUND), text.replace("\n", " ").replace("\t", " ")
    piece = flat[start : at + _AROUND]
    lead = "…" if start else ""
    return f"{lead}{piece}{'…' if len(flat) > at + _AROUND else ''}\n{' ' * (len(lead) + at - start)}^"


def _lines(values: list[str], name: str) -> str:
    return "\n".join(values) if name == "queries" else ", ".join(values)


def _listed(text: str) -> list[str]:
    parts = text.replace("\n", ",").split(",")
    return [part.strip() for part in parts if part.strip()]


def _number(text: str, name: str, errors: dict[str, str], kind: type[int] | type[float] = int) -> float:
    try:
        return kind(text)
    except ValueError:
        errors[name] = f"'{text[:20]}' is not a number"
        return 0
