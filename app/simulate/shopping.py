"""Visits of simulated shoppers: a list is asked for, looked at, clicked in, put into the cart, bought, and told to the
server as the beacon would; beside it the chances are added up, which the server never hears of."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from app.demo.climate import REGIONS
from app.demo.shoppers import Shopper
from app.simulate.client import Client
from app.simulate.truth import Truth

LISTS: Final = ("home", "trending")
INTO_CART, BUYS = 0.3, 0.6


@dataclass
class Expected:
    """Clicks to be expected of the same visits, on the lists they saw and on the static ones; added up."""

    seen: float = 0.0
    static: float = 0.0

    @property
    def uplift(self) -> float:
        return self.seen / self.static - 1


class Shopping:
    """Lets shoppers visit. What each click is decided by is the truth and `rng` alone."""

    def __init__(self, client: Client, truth: Truth, rng: np.random.Generator, experiment: str) -> None:
        """`experiment`: key of the one on the first of LISTS, whose arms are `static` and `personal`."""
        self._client = client
        self._truth = truth
        self._rng = rng
        self._experiment = experiment
        self._static: dict[str, list[str]] = {}
        self.expected = Expected()
        """Over the visits in the arm `personal`."""
        self.visits = 0
        self.events = 0

    def all(self, people: Sequence[Shopper], visits: int, said: Callable[[str], None]) -> None:
        """Everyone comes `visits` times, in a random order each time."""
        for turn in range(visits):
            for place in self._rng.permutation(len(people)).tolist():
                self.visit(people[place])
            said(f"round {turn + 1} of {visits}: {self.visits} visits, {self.events} events")

    def visit(self, shopper: Shopper) -> None:
        """One visit to the front page."""
        region = REGIONS[shopper.region]
        session = secrets.token_hex(8)
        visitor = {"anon": shopper.anon, "session": session, "consent": "granted", "purposes": list(shopper.purposes)}
        body = {
            "visitor": visitor, "context": {"region": region},
            "requests": [{"placement": name, "limit": 10, "fields": ["price"]} for name in LISTS],
        }  # fmt: skip
        events: list[dict[str, Any]] = []
        for shelf in self._client.ask("POST", "/v1/recommendations", body)["results"]:
            events += self._looks_at(shopper, region, shelf)
        for number, event in enumerate(events):
            event["id"] = f"{session}-{number}"
            event["ts"] = int(time.time() * 1000)  # noqa: TID251  a browser's clock is the wall's
        batch = {**visitor, "v": 1, "region": region, "events": events}
        self._client.ask("POST", "/v1/events", batch, expect=202)
        self.visits += 1
        self.events += len(events)

    def _looks_at(self, shopper: Shopper, region: str, shelf: dict[str, Any]) -> list[dict[str, Any]]:
        ids = [item["id"] for item in shelf["items"]]
        if not ids:
            return []
        chances = self._truth.chances(shopper, ids)
        if shelf.get("experiment") == {"key": self._experiment, "arm": "personal"}:
            self.expected.seen += float(chances.sum())
            self.expected.static += float(self._truth.chances(shopper, self._static_list(region)).sum())
        lines = [{"item_id": item_id, "index": place, "token": shelf["token"]} for place, item_id in enumerate(ids)]
        events = [_event("view_item_list", lines)]
        cart = []
        for line, clicked in zip(lines, self._rng.random(len(ids)) < chances, strict=True):
            if clicked:
                events += [_event("select_item", [line]), _event("view_item", [{"item_id": line["item_id"]}])]
                if self._rng.random() < INTO_CART:
                    cart.append(line)
                    events.append(_event("add_to_cart", [line]))
        if cart and self._rng.random() < BUYS:
            events.append(_event("purchase", [{**line, "quantity": 1} for line in cart]))
        return events

    def _static_list(self, region: str) -> list[str]:
        """What the static arm shows in a region: the same for everyone, so anybody may ask for it."""
        if region not in self._static:
            path = f"/v1/recommendations?placement={LISTS[0]}&limit=10&region={region}"
            told = self._client.ask("GET", f"{path}&experiment={self._experiment}/static")
            self._static[region] = [item["id"] for item in told["results"][0]["items"]]
        return self._static[region]


def _event(name: str, items: list[dict[str, Any]]) -> dict[str, Any]:
    return {"name": name, "item": items[0]["item_id"], "params": {"items": items}}
