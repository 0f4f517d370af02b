"""Listen to the IAB's Transparency & Consent string (TCF 2.3, Europe): what it does not agree to is not done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from plugins.consent_strings import NOTHING, Bits, Permits, Unreadable
from plugins.contract import hookimpl
from store.records import PURPOSE_NAMES, Purpose

CORE, DISCLOSED, PUBLISHER = 0, 1, 3
DISCLOSED_FROM = 17_721_504_000
"""1 March 2026 in tenths of a second: strings made since then have to carry the disclosed vendors (TCF 2.3)."""


class TcString(NamedTuple):
    """What of a TC string is asked for here."""

    created: int
    """Tenths of a second since 1970."""
    purposes: frozenset[int]
    """Purposes consented to; the publisher's own where the string has a publisher segment."""
    special_features: frozenset[int]
    vendors: frozenset[int]
    disclosed: frozenset[int] | None
    """Vendors that were shown; None where the string does not say."""


@dataclass(frozen=True)
class Plugin:
    """A purpose of ours is permitted where all of TCF's that are listed for it are consented to. Legitimate interest
    counts for nothing. The vault's categories have to be named by the visitor all the same."""

    purposes: dict[str, list[int]] = field(
        default_factory=lambda: {
            "session": [1, 11],
            "profile": [1, 5, 6],
            "training": [1, 9, 10],
            "experiments": [1, 8],
            "vault.purchases": [1, 5, 6],
            "vault.searches": [1, 5, 6],
            "vault.location": [1, 5, 6],
        }
    )
    special_features: dict[str, list[int]] = field(default_factory=lambda: {"vault.location": [1]})
    vendor: int = 0
    """Global vendor list id to be consented to as well; 0: none, the shop is the publisher."""

    def __post_init__(self) -> None:
        unknown = [name for name in (*self.purposes, *self.special_features) if name not in PURPOSE_NAMES]
        if unknown:
            raise ValueError(f"no such purpose: {', '.join(unknown)}; there are {', '.join(PURPOSE_NAMES)}")

    @hookimpl
    def consent_signal(self, told: Mapping[str, str]) -> Permits | None:
        text = told.get("tcf")
        return self.permits(text) if text else None

    def permits(self, text: str) -> Permits:
        """What a TC string permits; nothing where it cannot be read."""
        try:
            said = read_tc_string(text)
        except Unreadable:
            return NOTHING
        vendors = said.vendors if said.disclosed is None else said.vendors & said.disclosed
        if self.vendor and self.vendor not in vendors:
            return NOTHING
        permitted = Purpose.NONE
        for name, wanted in self.purposes.items():
            features = self.special_features.get(name, ())
            if said.purposes.issuperset(wanted) and said.special_features.issuperset(features):
                permitted |= PURPOSE_NAMES[name]
        return Permits(permitted)


def read_tc_string(text: str) -> TcString:
    """A TC string of version 2. Raises Unreadable.

    Source: IAB Tech Lab, "Transparency and Consent String with Global Vendor & CMP List Formats", version 2.3.
    """
    core, *others = text.split(".")
    said = _read_core(Bits(core))
    disclosed: frozenset[int] | None = None
    publisher: frozenset[int] | None = None
    for part in others:
        bits = Bits(part)
        kind = bits.number(3)
        if kind == DISCLOSED:
            disclosed = _vendors(bits)
        elif kind == PUBLISHER:
            publisher = bits.flags(24)
    if disclosed is None and said.created >= DISCLOSED_FROM:
        raise Unreadable("lacks the vendors that were disclosed")
    return said._replace(disclosed=disclosed, purposes=said.purposes if publisher is None else publisher)


def _read_core(bits: Bits) -> TcString:
    version = bits.number(6)
    if version != 2:
        raise Unreadable(f"version {version}")
    created = bits.number(36)
    bits.number(36 + 12 + 12 + 6 + 12 + 12 + 6)  # updated, CMP, its version, screen, language, vendor list, policy
    bits.number(2)  # service-specific, non-standard texts
    features = bits.flags(12)
    purposes = bits.flags(24)
    bits.number(24 + 1 + 12)  # legitimate interests, treatment of purpose 1, publisher's country
    return TcString(created, purposes, features, _vendors(bits), None)


def _vendors(bits: Bits) -> frozenset[int]:
    highest = bits.number(16)
    if not bits.flag():
        return bits.flags(highest)
    found: set[int] = set()
    last = 0
    for _ in range(bits.number(12)):
        group, first = bits.flag(), bits.number(16)
        if first <= last:
            raise Unreadable("ranges of vendors that overlap")
        last = bits.number(16) if group else first
        if not first <= last <= highest:
            raise Unreadable("a range of vendors that is none")
        found.update(range(first, last + 1))
    return frozenset(found)
