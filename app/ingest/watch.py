"""Lets whoever sets a shop up watch the events of their own browser arrive, for some minutes, in memory alone.

A browser is told by its address and its User-Agent, both only as a hash under a secret of this process. Nothing of a
visitor is shown: names of events, ids of products, what became of each.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import deque
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import msgspec
from starlette.requests import Request

from app.dialects.reading import table, tables
from app.ingest.rate import client_address
from app.ingest.wire import BatchOnWire, EventResult

MINUTES = 15.0
_SHOWN = 200
_WATCHES = 20
_read = msgspec.json.Decoder(dict[str, Any]).decode


class Seen(msgspec.Struct, frozen=True):
    """One event of the watched browser."""

    at: float
    """Epoch seconds."""
    name: str
    consent: str
    items: list[str]
    value: bool
    """Whether it names a value and a currency."""
    status: str
    reason: str = ""


class Check(msgspec.Struct, frozen=True):
    """One line of the checklist; `state`: good, wrong, or waiting for something to happen."""

    name: str
    state: str
    found: str
    remedy: str = ""


class _Watch:
    def __init__(self, until: float) -> None:
        self.until = until
        self.events: deque[Seen] = deque(maxlen=_SHOWN)


class Watches:
    """Who watches now. Empty for everybody else, which costs an intake one comparison."""

    def __init__(self, proxies: int) -> None:
        self._proxies = proxies
        self._secret = secrets.token_bytes(32)
        self._watches: dict[bytes, _Watch] = {}

    def begin(self, request: Request, now: float) -> None:
        """Watch the browser that asks, from now on; asked again it begins anew."""
        self._forget(now)
        if len(self._watches) >= _WATCHES:
            del self._watches[next(iter(self._watches))]
        self._watches[self._browser(request)] = _Watch(now + MINUTES * 60)

    def seen(self, request: Request, now: float) -> list[Seen] | None:
        """What came from the browser that asks, newest first; None where nobody watches it."""
        self._forget(now)
        watch = self._watches.get(self._browser(request))
        return None if watch is None else list(reversed(watch.events))

    def note(self, request: Request, batch: BatchOnWire, results: Sequence[EventResult], now: float) -> None:
        """A batch was answered."""
        if not self._watches:
            return
        watch = self._watches.get(self._browser(request))
        if watch is None or watch.until < now:
            return
        for raw, result in zip(batch.events, results, strict=True):
            watch.events.append(_seen(raw, result, batch.consent or "", now))

    def _forget(self, now: float) -> None:
        for browser in [browser for browser, watch in self._watches.items() if watch.until < now]:
            del self._watches[browser]

    def _browser(self, request: Request) -> bytes:
        peer = request.client.host if request.client else ""
        address = client_address(peer, request.headers.get("x-forwarded-for", ""), self._proxies)
        told = f"{address}\n{request.headers.get('user-agent', '')}".encode()
        return hashlib.blake2b(told, key=self._secret, digest_size=16).digest()


def _seen(raw: msgspec.Raw, result: EventResult, consent: str, now: float) -> Seen:
    try:
        event = _read(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        event = {}
    params = table(event.get("params"))
    lines = tables(params.get("items"))
    named = [str(line.get("item_id", ""))[:128] for line in lines[:20]]
    if not named and event.get("item"):
        named = [str(event["item"])[:128]]
    has_value = isinstance(params.get("value"), int | float) and bool(params.get("currency"))
    return Seen(now, str(event.get("name", "?"))[:64], consent, named, has_value, result.status, result.reason)


def checklist(seen: Sequence[Seen]) -> list[Check]:
    """What is right and what is not, from the events of a browser, newest first."""
    return [_script(seen), _consent(seen), _items(seen), _orders(seen), _twice(seen), _lists(seen)]


def _script(seen: Sequence[Seen]) -> Check:
    if seen:
        return Check(
            "The script reaches us", "good", f"{len(seen)} events so far; your page's policy lets them through"
        )
    return Check(
        "The script reaches us", "waiting", "nothing has come from this browser",
        "open a page of your shop here; if nothing comes, its Content-Security-Policy may lack the line of step 3,"
        " the script's address may be wrong, or consent is still pending",
    )  # fmt: skip


def _consent(seen: Sequence[Seen]) -> Check:
    states = list(dict.fromkeys(each.consent or "none told" for each in seen))
    if not states:
        return Check(
            "Consent is told", "waiting", "decide in your banner", "pz('consent', 'granted') after the decision"
        )
    if states == ["none told"]:
        return Check("Consent is told", "wrong", "no batch says what was decided",
                     "call pz('consent', …) on every page, or data-consent on the script")  # fmt: skip
    return Check("Consent is told", "good", ", ".join(states))


def _items(seen: Sequence[Seen]) -> Check:
    unknown = list(dict.fromkeys(item for each in seen if each.reason == "unknown_item" for item in each.items))
    if unknown:
        return Check("Product ids match the catalogue", "wrong", f"not in the catalogue: {', '.join(unknown[:5])}",
                     "send the ids that the catalogue has, or import the feed that has these")  # fmt: skip
    if any(each.items for each in seen):
        return Check("Product ids match the catalogue", "good", "every product named is one of the catalogue")
    return Check("Product ids match the catalogue", "waiting", "no product was named yet", "open a product page")


def _orders(seen: Sequence[Seen]) -> Check:
    orders = [each for each in seen if each.name in ("purchase", "Order Completed", "checkout_completed")]
    if not orders:
        return Check("Purchases have value and currency", "waiting", "no purchase yet", "place a test order")
    if all(each.value for each in orders):
        return Check("Purchases have value and currency", "good", f"{len(orders)} seen")
    return Check("Purchases have value and currency", "wrong", "a purchase came without",
                 "pz('purchase', {value: 19.9, currency: 'EUR', transaction_id: …, items: […]})")  # fmt: skip


def _twice(seen: Sequence[Seen]) -> Check:
    views = [each for each in seen if each.name == "view_item"]
    twice = [
        later for later, earlier in pairwise(views)
        if later.items == earlier.items and later.at - earlier.at < 2
    ]  # fmt: skip
    if twice:
        return Check("No view counts twice", "wrong", f"{', '.join(twice[0].items)} was viewed twice at once",
                     "tell it in one way only: dataLayer, markup or a call")  # fmt: skip
    return Check(
        "No view counts twice", "good" if views else "waiting", f"{len(views)} product view{'s' * (len(views) != 1)}"
    )


def _lists(seen: Sequence[Seen]) -> Check:
    if any(each.name == "view_item_list" for each in seen):
        return Check("Shelves are seen", "good", "impressions arrive")
    return Check("Shelves are seen", "waiting", "no shelf was in sight for a second yet", "put one in, as in step 2")
