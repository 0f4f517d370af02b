"""What the benchmark asks and tells a server, as bytes ready to be sent."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import msgspec
import numpy as np

from app.bench.goods import REGIONS, RULES, item_id
from app.bench.world import World, anon_of
from store.catalogue import Catalogue

_encode = msgspec.json.encode
EVENTS_PER_BATCH = 10
NAMES = ("view_item", "select_item", "user_engagement", "add_to_cart", "search")
SHARES = (0.6, 0.14, 0.15, 0.09, 0.02)


def post(path: str, body: bytes, key: str = "", media: str = "application/json") -> bytes:
    """An HTTP/1.1 request."""
    bearer = f"authorization: Bearer {key}\r\n" if key else ""
    head = (
        f"POST {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: {media}\r\n{bearer}content-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nhost: bench\r\n\r\n".encode()


def visitor(person: int) -> dict[str, str]:
    return {"anon": anon_of(person), "consent": "granted", "session": f"visit-{person}"}


def recommendations(
    world: World, count: int, random: np.random.Generator, *, placement: str = "home", path: str = "/v1/recommendations"
) -> Iterator[bytes]:
    """Lists for visitors drawn uniformly, in the middle of a visit of three pages, under one of RULES filters."""
    for person in random.integers(world.people, size=count).tolist():
        body = {
            "visitor": visitor(person),
            "context": {
                "region": REGIONS[int(random.integers(len(REGIONS)))],
                "viewed": [item_id(number) for number in random.integers(world.items, size=3).tolist()],
            },
            "requests": [
                {
                    "placement": placement,
                    "limit": 10,
                    "filter": f"rule_{int(random.integers(RULES)):02d} == true",
                }
            ],
        }
        yield post(path, _encode(body))


def searches(world: World, catalogue: Catalogue, count: int, random: np.random.Generator) -> Iterator[bytes]:
    """One to three words of some item's title; one in ten with a letter lost."""
    for person in random.integers(world.people, size=count).tolist():
        words = catalogue.item(int(random.integers(world.items))).title.lower().split()
        chosen = [words[place] for place in sorted(random.permutation(len(words))[: random.integers(1, 4)].tolist())]
        if random.random() < 0.1:
            word = chosen[-1]
            lost = int(random.integers(1, len(word)))
            chosen[-1] = word[:lost] + word[lost + 1 :]
        body = {"query": " ".join(chosen), "visitor": visitor(person), "context": {"region": "DE"}, "limit": 24}
        yield post("/v1/search", _encode(body))


def batch(person: int, world: World, now_ms: int, random: np.random.Generator, words: list[str]) -> bytes:
    """Ten events of one visitor, as JSON; never counted before."""
    events: list[dict[str, object]] = []
    items = random.integers(world.items, size=EVENTS_PER_BATCH).tolist()
    names = random.choice(len(NAMES), EVENTS_PER_BATCH, p=SHARES).tolist()
    run = secrets.token_hex(8)
    for place, (item, name) in enumerate(zip(items, names, strict=True)):
        event: dict[str, object] = {"id": f"{run}-{place}", "name": NAMES[name], "ts": now_ms - 60_000 + place * 1000}
        if NAMES[name] == "search":
            event["params"] = {"search_term": words[item % len(words)]}
        else:
            event["item"] = item_id(item)
            if NAMES[name] == "user_engagement":
                event["params"] = {"engagement_time_msec": 20_000}
        events.append(event)
    return _encode({"v": 1, **visitor(person), "region": "DE", "events": events})


def batches(world: World, count: int, now_ms: int, random: np.random.Generator, words: list[str]) -> Iterator[bytes]:
    for person in random.integers(world.people, size=count).tolist():
        yield batch(person, world, now_ms, random, words)


def viewing(person: int, item: int, now_ms: int) -> bytes:
    """One look at one item."""
    event = {"id": secrets.token_hex(8), "name": "view_item", "ts": now_ms, "item": item_id(item)}
    return _encode({"v": 1, **visitor(person), "region": "DE", "events": [event]})
