"""The nouns everything else speaks: purposes, items, events as they are kept, and what is known of a visitor.

Units: times are epoch milliseconds where a name ends in `_ms`, else epoch seconds; money is in the shop's currency.
An item is known by its *number*: a small dense integer given by the catalogue, never reused, the row of every column
and of every learned array.
"""

from __future__ import annotations

from enum import IntFlag

import msgspec
import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int32]
Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]


class Purpose(IntFlag):
    """What personal data may be used for; `contextual` needs none and is therefore the empty set."""

    NONE = 0
    SESSION = 1
    PROFILE = 2
    PURCHASES = 4
    SEARCHES = 8
    LOCATION = 16
    TRAINING = 32
    EXPERIMENTS = 64


PURPOSE_NAMES: dict[str, Purpose] = {
    "contextual": Purpose.NONE,
    "session": Purpose.SESSION,
    "profile": Purpose.PROFILE,
    "vault.purchases": Purpose.PURCHASES,
    "vault.searches": Purpose.SEARCHES,
    "vault.location": Purpose.LOCATION,
    "training": Purpose.TRAINING,
    "experiments": Purpose.EXPERIMENTS,
}
VAULT = Purpose.PURCHASES | Purpose.SEARCHES | Purpose.LOCATION


RESTRICTED = 128
"""In `PersonRow.restricted`: use is suspended."""


class Item(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One product as the shop describes it (`PUT /v1/items/{id}`, imports, the generated shop)."""

    id: str
    title: str
    description: str = ""
    url: str = ""
    image: str = ""
    price: float | None = None
    sale_price: float | None = None
    currency: str = ""
    category: tuple[str, ...] = ()
    """Path from the top: ("shoes", "running")."""
    brand: str = ""
    availability: str = "in_stock"
    """`in_stock`, `out_of_stock`, `preorder` or `backorder`; only `out_of_stock` is never shown."""
    hidden: bool = False
    published: float = 0.0
    regions: tuple[str, ...] = ()
    """Regions it may be shown in; empty = everywhere."""
    attributes: dict[str, str | float | bool] = {}


class Line(msgspec.Struct, frozen=True, array_like=True):
    """One item inside an event."""

    item: int
    quantity: float = 1.0
    price: float | None = None


class ShownList(msgspec.Struct, frozen=True, array_like=True):
    """The list a click came from, as blend weights are learned from it: what scorers said of each place, not what stood
    there. Kept under `training` only.
    """

    clicked: int
    """The place that was clicked, from 0."""
    scores: dict[str, bytes]
    """Scorer plugin -> a signed byte per place, 127 for 1: what it said of the item there, before any weight."""


class LoggedEvent(msgspec.Struct, frozen=True, array_like=True):
    """An event as the log keeps it: pseudonymous and minimized to the purposes in force when it came.

    A search's text is not here: it became `affinities` before append. What belongs in the vault is `sealed` under the
    person's own key, category -> ciphertext, until the vault's consumer has taken it over.
    """

    person: int
    session: int
    """Keyed hash of the visit, 63 bits."""
    at_ms: int
    name: str
    purposes: int
    lines: tuple[Line, ...] = ()
    affinities: dict[str, float] = {}
    """What a search text meant: "category:shoes" -> weight."""
    value: float = 0.0
    """name-specific number: engaged milliseconds, order value."""
    region: str = ""
    placement: str = ""
    request: str = ""
    """The request a click is attributed to, from the verified token."""
    trust: int = 1
    """0 none, 1 consented session, 2 signed-in, 3 server-signed."""
    sealed: dict[str, bytes] = {}
    counted: int = 0
    """Its hash among the counted ids, so that erasing the event forgets that too; 0 where it was not counted."""
    shown: ShownList | None = None
    """Of a click that a list of ours led to; None without `training`, and where the list is not remembered any more."""


class SessionState(msgspec.Struct, array_like=True):
    """The visit going on: kept under `session`, gone 30 idle minutes later."""

    session: int = 0
    seen_ms: int = 0
    items: list[tuple[int, float, int]] = []
    """(item, weight, at seconds), oldest first, distinct, bounded."""
    affinities: dict[str, float] = {}
    dismissed: dict[int, int] = {}


class ProfileFeatures(msgspec.Struct, array_like=True):
    """What outlives the visit: kept under `profile`, decayed at every write."""

    updated: int = 0
    affinities: dict[str, float] = {}
    """"category:shoes" | "brand:Alder" | "band:3" | "category_band:shoes|3" -> decayed weight (at `updated`)."""
    items: dict[int, tuple[float, int]] = {}
    """item -> (decayed weight, last seen seconds)."""
    dismissed: dict[int, int] = {}
    """item -> when, seconds."""
    extra: dict[str, float] = {}
    """Features of `update_features` plugins, "plugin.name" -> value."""


class Purchase(msgspec.Struct, frozen=True, array_like=True):
    """One bought line in the vault; refunds have a negative quantity."""

    item: int
    quantity: float
    price: float | None
    at: int
    trust: int = 1
    """Who said so, as in `LoggedEvent.trust`: a browser may claim to have bought anything."""


class PersonRow(msgspec.Struct):
    """One person as the database holds it; `session` and `profile` are None where not allowed or absent."""

    surrogate: int
    consent: int = 0
    """Purposes granted by the person's last decision (a `Purpose` set)."""
    consent_version: str = ""
    consent_at: int = 0
    seen: int = 0
    session: bytes | None = None
    profile: bytes | None = None
    trace: bytes | None = None
    """Where the person's rows lie in the log (store/trace.py); read in the writer's turn only."""
    objected: int = 0
    """Purposes the person objected to: never granted again but by name."""
    restricted: int = 0
    """0, else `RESTRICTED` plus the purposes that hold again when the restriction ends; `consent` is 0 meanwhile."""
    ledger: bytes | None = None
    """The person's link to the consent ledger (store/consent_ledger.py); read in the writer's turn only."""
    experiments: bytes | None = None
    """The arms the person is in and what they did there (store/parts.py); None where not allowed or absent."""
    earlier: bool = False
    """Found under the previous epoch's pseudonym; no column."""

    @property
    def decided(self) -> bool:
        """Whether the person ever said anything about what may be done, and so speaks for requests that say nothing."""
        return bool(self.consent_at or self.objected or self.restricted)
