"""Consent strings that come with a request: read by plugins, the most restrictive wins."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from plugins.manager import Plugins
from store.records import Purpose

Encoded = Annotated[str, Meta(max_length=8192)]
Word = Annotated[str, Meta(max_length=64)]


class SignalsOnWire(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`signals` of a batch, a visitor or a decision. One by another name may say no: it is refused, not left out."""

    tcf: Encoded = ""
    """IAB Transparency & Consent string."""
    gpp: Encoded = ""
    """IAB Global Privacy Platform string."""
    gcm: Annotated[dict[str, Any], Meta(max_length=16)] = {}
    """Google Consent Mode: type -> `granted` or `denied`; its other settings (`wait_for_update` …) say nothing."""


def permitted(plugins: Plugins, signals: SignalsOnWire | None) -> tuple[Purpose | None, bool]:
    """(what they permit at most, None where none came; whether one of them says what Sec-GPC says).

    A string that came and that no plugin reads permits nothing.
    """
    if signals is None or not (signals.tcf or signals.gpp or signals.gcm):
        return None, False
    told = {f"gcm.{name}": value for name, value in signals.gcm.items() if isinstance(value, str)}
    told |= {name: text for name, text in (("tcf", signals.tcf), ("gpp", signals.gpp)) if text}
    if not plugins.names("consent_signal"):
        return Purpose.NONE, False
    return plugins.consent_signal(told)
