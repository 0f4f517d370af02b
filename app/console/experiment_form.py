"""An experiment as a form, and back: a row per arm, each saying in one choice what it changes."""

from __future__ import annotations

from typing import Any

import msgspec

from app.console.forms import Form
from app.problem import field_error
from store.experiments import Arm, Design

ROWS = 4
KINDS = {
    "same": "As it is now",
    "static": "Personalization off: the best sellers for everyone",
    "rules_off": "Without the marketers' rules",
    "weights": "Other weights",
}
NEW: dict[str, Any] = {
    "key": "", "name": "", "hypothesis": "", "placements": [], "traffic": "100", "layer": "", "metric": "clicks",
    "guardrails": ["orders"],
    "arms": [
        {"key": "control", "weight": "50", "kind": "static", "weights": ""},
        {"key": "personal", "weight": "50", "kind": "same", "weights": ""},
        {"key": "", "weight": "", "kind": "same", "weights": ""},
        {"key": "", "weight": "", "kind": "same", "weights": ""},
    ],
}  # fmt: skip


def fields_of(form: Form) -> dict[str, Any]:
    """The fields as they were filled in; of a form that was not sent, those of a new experiment."""
    if "name" not in form:
        return NEW
    fields: dict[str, Any] = {name: form.get(name) for name in ("key", "name", "hypothesis", "traffic", "layer",
                                                                "metric")}  # fmt: skip
    fields |= {name: form.all(name) for name in ("placements", "guardrails")}
    fields["arms"] = [
        {name: form.get(f"arm{row}_{name}") for name in ("key", "weight", "kind", "weights")} for row in range(ROWS)
    ]
    return fields


def from_design(design: Design) -> dict[str, Any]:
    """The fields of a design."""
    arms = [
        {
            "key": arm.key, "weight": f"{arm.weight:g}", "kind": _kind(arm),
            "weights": "\n".join(f"{name}={weight:g}" for name, weight in arm.weights.items()),
        }
        for arm in design.arms
    ]  # fmt: skip
    arms += [{"key": "", "weight": "", "kind": "same", "weights": ""} for _ in range(ROWS - len(arms))]
    return {
        "key": design.key, "name": design.name, "hypothesis": design.hypothesis, "placements": design.placements,
        "traffic": f"{design.traffic:g}", "layer": design.layer, "metric": design.metric,
        "guardrails": list(design.guardrails), "arms": arms,
    }  # fmt: skip


def design_from(fields: dict[str, Any]) -> tuple[Design | None, dict[str, str]]:
    """The design, or what is wrong with which field; `arm0` is the first row."""
    errors: dict[str, str] = {}
    arms = [_arm(row, told, errors) for row, told in enumerate(fields["arms"]) if told["key"] or told["weight"]]
    try:
        traffic = float(fields["traffic"] or 100)
    except ValueError:
        errors["traffic"], traffic = "a share in percent", 100.0
    if errors:
        return None, errors
    told = {**fields, "traffic": traffic, "arms": arms}
    try:
        return msgspec.convert(told, Design), {}
    except msgspec.ValidationError as error:
        found = field_error(error)
        parts = found.pointer.strip("/").split("/")
        name = f"arm{parts[1]}" if parts[0] == "arms" and len(parts) > 1 and parts[1].isdigit() else parts[0]
        return None, {name or "name": found.detail}


def with_what_has_no_field(design: Design, before: Design) -> Design:
    """What the API can say and the form cannot stays as it was: pages, and of arms of the same key the rest."""
    old = {arm.key: arm for arm in before.arms}
    arms = [
        msgspec.structs.replace(
            arm, off=old[arm.key].off, retrieve=old[arm.key].retrieve, arrange=old[arm.key].arrange,
            sections=old[arm.key].sections,
        )
        if arm.key in old
        else arm
        for arm in design.arms
    ]  # fmt: skip
    return msgspec.structs.replace(design, arms=arms, pages=before.pages)


def arms_of(design: Design) -> list[tuple[Arm, str]]:
    """Each arm with what it changes, in words."""
    return [(arm, "; ".join(_words(arm)) or "as it is for everyone else") for arm in design.arms]


def _arm(row: int, told: dict[str, str], errors: dict[str, str]) -> dict[str, Any]:
    arm: dict[str, Any] = {"key": told["key"]}
    try:
        arm["weight"] = float(told["weight"])
    except ValueError:
        errors[f"arm{row}"] = "its share in percent is missing"
    if told["kind"] in ("static", "rules_off"):
        arm[told["kind"]] = True
    if told["kind"] == "weights":
        arm["weights"] = {}
        for line in told["weights"].replace(",", "\n").split("\n"):
            name, sign, weight = line.strip().partition("=")
            if not name:
                continue
            try:
                arm["weights"][name.strip()] = float(weight)
            except ValueError:
                errors[f"arm{row}"] = f"'{line.strip()}': write scorer=weight, one a line" if sign else (
                    f"'{line.strip()}' has no weight: write scorer=weight"
                )  # fmt: skip
    return arm


def _kind(arm: Arm) -> str:
    return "static" if arm.static else "rules_off" if arm.rules_off else "weights" if arm.weights else "same"


def _words(arm: Arm) -> list[str]:
    told = []
    if arm.static:
        told.append("personalization off")
    if arm.rules_off:
        told.append("rules off")
    told += [f"{name} weighs {weight:g}" for name, weight in arm.weights.items()]
    told += [f"without {name}" for name in arm.off]
    if arm.retrieve is not None:
        told.append(f"proposed by {', '.join(arm.retrieve)}")
    if arm.arrange is not None:
        told.append(f"arranged by {', '.join(arm.arrange) or 'nobody'}")
    if arm.sections is not None:
        told.append(f"sections {', '.join(arm.sections)}")
    return told
