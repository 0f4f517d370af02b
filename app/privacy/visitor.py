"""The wire's word on who is asking, the same in every request: ids, and what they agreed to."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from app.privacy.signals import SignalsOnWire

Short = Annotated[str, Meta(max_length=128)]


class VisitorOnWire(msgspec.Struct, frozen=True):
    """Who is asking, and what they agreed to; as in a batch of events. Of a person nothing is read but this: what
    else is said is dropped, and without consent nobody is known."""

    anon: Short | None = None
    user: Short | None = None
    user_sig: Short | None = None
    session: Short | None = None
    consent: Annotated[str, Meta(max_length=16)] | None = None
    consent_version: Annotated[str, Meta(max_length=64)] | None = None
    purposes: Annotated[list[Short], Meta(max_length=32)] = []
    signals: SignalsOnWire | None = None
    """Consent strings of other formats."""
