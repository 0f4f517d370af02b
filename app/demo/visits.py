"""Plays one visit to the demo shop: looking, searching, comparing, putting into the cart, perhaps buying."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from app.demo.choice import Need, utility
from app.demo.item import Item
from app.demo.lifestyles import Floats
from app.demo.needs import RENEW_DAYS, Life, bought, draw_needs, runs_short
from app.demo.queries import query_for
from app.demo.shelf import Ints, Shelf, read_shelf
from app.demo.shoppers import FAMILIES, Shopper
from app.demo.taxonomy import SUBCATEGORIES
from app.demo.trail import Trail, Value

BASKET_MEDIAN: Final = 2.9
BASKET_SPREAD: Final = 0.72
TASTE: Final = 1.8  # how strictly choices follow utility; 0 = by chance
LIST_LENGTH: Final = 6
URGENCY: Final = 0.22  # how much likelier an order is when something at home has run out
REFUNDS: Final = 0.04
KINDRED: Final = (FAMILIES @ FAMILIES.T > 0).astype(np.float64)  # colours that share a family


@dataclass(frozen=True)
class World:
    """The shop as visits see it: products by subcategory, and how often each was looked at (grows as visits go by)."""

    items: Sequence[Item]
    shelf: Shelf
    kinds: tuple[Shelf, ...]
    looked: Floats

    def price(self, number: int) -> float:
        """What the product costs now, EUR."""
        item = self.items[number]
        return item["sale_price"] or item["price"]


def open_world(catalogue: Sequence[Item], seed: int, now: int) -> World:
    """Put the catalogue on shelves."""
    shelf = read_shelf(catalogue, seed, now)
    kinds = tuple(shelf.take(np.flatnonzero(shelf.sub == sub)) for sub in range(len(SUBCATEGORIES)))
    return World(catalogue, shelf, kinds, np.ones(len(catalogue)))


def play(shopper: Shopper, life: Life, world: World, trail: Trail, rng: np.random.Generator) -> None:
    """Let the visitor walk through the shop from `trail.now` on, writing to `trail` and changing `life` and `world`."""
    _return_goods(life, world, trail)
    resolve = shopper.resolve + (URGENCY if runs_short(life, trail.now) else 0.0)
    lines = _basket_size(shopper, rng) if rng.random() < resolve else 0
    count = 1 + int(rng.random() < 0.35) if not lines else max(1, round(lines / float(rng.uniform(1.1, 2.2))))
    needs = draw_needs(shopper, life, trail.now, count, rng)
    trail.open_page()
    if rng.random() < 0.25:
        needs = _tempted(world, trail, rng) + needs[: max(1, count - 1)]
    cart: list[int] = []
    for place, need in enumerate(needs):
        share = -(-(lines - len(cart)) // (len(needs) - place))
        cart += _pursue(shopper, life, world, trail, need, max(0, share), cart, rng)
        if lines and len(cart) >= lines:
            break
    if lines and cart:
        _check_out(life, world, trail, cart, rng)


def _basket_size(shopper: Shopper, rng: np.random.Generator) -> int:
    return max(1, min(40, round(BASKET_MEDIAN * shopper.haul * float(np.exp(rng.normal(0.0, BASKET_SPREAD))))))


def _tempted(world: World, trail: Trail, rng: np.random.Generator) -> list[Need]:
    """The home page shows what many look at; sometimes one of these is what the visit turns to."""
    top = np.argpartition(-world.looked, 40)[:40]
    shown = rng.permutation(top)[:LIST_LENGTH]
    trail.add("view_item_list", params=_list(world, "home-popular", shown), seconds=float(rng.exponential(6.0)))
    if rng.random() < 0.5:
        return []
    number = int(shown[0])
    return [Need(int(world.shelf.sub[number]), "shown", wanted=number)]


def _pursue(
    shopper: Shopper, life: Life, world: World, trail: Trail, need: Need, lines: int, cart: list[int],
    rng: np.random.Generator,
) -> list[int]:  # fmt: skip
    """Look for what is needed, view some products, put up to `lines` of them into the cart; return those."""
    ranked = _favourites(shopper, life, world, need, trail.now, rng)
    if not len(ranked):
        return []
    kind = world.kinds[need.sub]
    _find(world, trail, need, kind.number[ranked], rng)
    more = int(rng.geometric(0.62)) - (1 if lines else 0) + int(not lines)
    viewed = [int(number) for number in kind.number[ranked[: lines + min(more, 6)]]]
    liked = {number: place for place, number in enumerate(viewed)}
    if lines and rng.random() < 0.5:
        viewed.reverse()
    chosen = []
    for place, number in enumerate(viewed):
        take = liked[number] < lines and number not in cart
        _view(world, trail, number, place, take, rng)
        if take:
            chosen.append(number)
    return chosen


def _favourites(shopper: Shopper, life: Life, world: World, need: Need, now: float, rng: np.random.Generator) -> Ints:
    """Rows of the kind's shelf in the order in which this visit looks at them; the best liked come early."""
    kind = world.kinds[need.sub]
    liking = utility(shopper, kind, need, now)
    owned = life.owned.get(need.sub)
    if owned:
        mine = np.searchsorted(kind.number, list(owned))
        liking[mine] *= 8.0 if RENEW_DAYS[need.sub] else 0.05
    rows = np.flatnonzero(liking > 1e-9)
    if not len(rows):
        return rows
    keys = TASTE * np.log(liking[rows]) + rng.gumbel(size=len(rows))
    if need.wanted >= 0:
        keys[kind.number[rows] == need.wanted] += 50.0
    first = rows[int(np.argmax(keys))]
    keys += 0.5 * KINDRED[kind.hue[first]][kind.hue[rows]] + 0.5 * (kind.feel[rows] == kind.feel[first])
    keys -= 0.8 * np.abs(kind.dearness[rows] - kind.dearness[first])
    return np.asarray(rows[np.argsort(-keys, kind="stable")], dtype=np.int64)


def _find(world: World, trail: Trail, need: Need, ranked: Ints, rng: np.random.Generator) -> None:
    """Reach the products by search or through the category's page."""
    trail.open_page()
    shown = ranked[: LIST_LENGTH + 2]
    shown = shown[rng.permutation(len(shown))][:LIST_LENGTH]
    where = SUBCATEGORIES[need.sub]
    if rng.random() < 0.25:
        trail.add("search", params={"search_term": query_for(world.items[int(ranked[0])], rng)}, seconds=2.0)
        trail.add("view_item_list", params=_list(world, "search", shown), seconds=float(rng.exponential(9.0)))
    else:
        trail.add("view_item_list", params=_list(world, where.path, shown), seconds=float(rng.exponential(9.0)))


def _view(world: World, trail: Trail, number: int, place: int, take: bool, rng: np.random.Generator) -> None:
    """Open a product's page, stay as long as it interests, and perhaps put it into the cart."""
    ident = world.items[number]["id"]
    world.looked[number] += 1.0
    if rng.random() < 0.25:
        trail.add("select_item", ident, {"items": [{"item_id": ident, "index": place}]})
    trail.page += 1
    trail.add("view_item", ident, {"items": [_line(world, number)], "currency": "EUR"})
    stay = float(rng.lognormal(3.3 if take else 2.3, 0.8))
    trail.now += stay
    if stay > 10 and rng.random() < 0.6:
        depth = int(min(100, 20 + 60 * rng.random() + stay))
        trail.add("user_engagement", ident, {"engagement_time_msec": int(stay * 1000), "percent_scrolled": depth})
    if take or rng.random() < 0.035:
        trail.add("add_to_cart", ident, _money(world, [number]), seconds=2.0)


def _check_out(life: Life, world: World, trail: Trail, cart: list[int], rng: np.random.Generator) -> None:
    """Think twice about one product now and then, then pay."""
    if len(cart) > 1 and rng.random() < 0.12:
        dropped = cart.pop(int(rng.integers(len(cart))))
        trail.add("remove_from_cart", world.items[dropped]["id"], _money(world, [dropped]), seconds=5.0)
    trail.open_page()
    trail.add("begin_checkout", params=_money(world, cart), seconds=float(rng.uniform(25, 90)))
    order = f"o-{trail.session[:10]}"
    trail.add("purchase", params={"transaction_id": order, **_money(world, cart)})
    for number in cart:
        bought(life, number, int(world.shelf.sub[number]), trail.now, rng)
    if rng.random() < REFUNDS:
        life.returning = (order, cart[int(rng.integers(len(cart)))])


def _return_goods(life: Life, world: World, trail: Trail) -> None:
    """A product of an earlier order comes back."""
    if life.returning is not None:
        order, number = life.returning
        life.returning = None
        trail.add("refund", world.items[number]["id"], {"transaction_id": order, **_money(world, [number])}, 3.0)


def _line(world: World, number: int) -> dict[str, str | int | float]:
    return {"item_id": world.items[number]["id"], "price": world.price(number), "quantity": 1}


def _money(world: World, numbers: list[int]) -> dict[str, Value]:
    value = round(sum(world.price(number) for number in numbers), 2)
    return {"currency": "EUR", "value": value, "items": [_line(world, number) for number in numbers]}


def _list(world: World, name: str, shown: Ints) -> dict[str, Value]:
    items: list[dict[str, str | int | float]] = [
        {"item_id": world.items[number]["id"], "index": place} for place, number in enumerate(shown.tolist())
    ]
    return {"item_list_id": name, "items": items}
