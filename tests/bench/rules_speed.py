"""What rules cost a request: finding those that hold, and applying them to 500 candidates of a catalogue of 100,000.

Run: python tests/bench/rules_speed.py [--rules 1000] [--items 100000]

Three shops: `typical`, where a thousand active rules are spread over placements, regions, categories, segments and
queries, so that some hold for each request; `many`, where all boosts and buries among them hold for every request; and
`all`, where every one of them does, pins included. Each request is another page (item, region, segment). The floor is
300 µs a request. Times are of the processor, as the machine may be busy with other things.
"""

from __future__ import annotations

import argparse
import random
from time import thread_time
from zoneinfo import ZoneInfo

import numpy as np

from app.rules.engine import Rules
from app.rules.index import Facts
from app.rules.model import Rule
from app.rules.options import RulesOptions
from plugins import rule_boosts, rule_filters, rule_pins
from plugins.contract import Allowed, Board, Candidates, Context, Ints, Visitor
from store.catalogue import Catalogue
from store.records import Item
from tests.ruled_shop import rule
from tests.small_shop import SmallModel

NOW = 1_764_000_000.0
PLACEMENTS = ("home", "similar", "cart", "trending", "new")
REGIONS = ("FR", "DE", "UK", "IT", "ES")
FLOOR = 300.0


def catalogue_of(items: int) -> Catalogue:
    draw, catalogue = random.Random(1), Catalogue()
    for number in range(items):
        catalogue.put(
            number,
            Item(
                id=f"I{number}", title=f"Item {number}", price=draw.randint(100, 20_000) / 100,
                category=(f"c{draw.randrange(20)}", f"d{draw.randrange(10)}"), brand=f"b{draw.randrange(200)}",
                attributes={"color": f"k{draw.randrange(12)}"}, published=NOW - draw.randrange(10**7),
            ),
        )  # fmt: skip
    return catalogue


def typical(count: int) -> list[Rule]:
    """A tenth filters, two thirds boosts and buries, the rest pins; each for some place, region, page or group."""
    draw, written = random.Random(2), []
    for number in range(count):
        when: dict[str, object] = {"placements": [draw.choice(PLACEMENTS)]}
        when |= draw.choice([
            {"regions": [draw.choice(REGIONS)]}, {"categories": [f"c{draw.randrange(20)}"]},
            {"segments": [f"s{draw.randrange(30)}"]}, {"brands": [f"b{draw.randrange(200)}"]},
            {"devices": ["phone"], "regions": [draw.choice(REGIONS)]}, {"page": f"price < {draw.randrange(200)}"},
            {"queries": [f"word{number}"], "placements": ["search"]},
            {"schedule": {"starts": "2020-01-01", "ends": "2099-01-01"}, "regions": [draw.choice(REGIONS)]},
        ])  # fmt: skip
        do = draw.choice(["filter", *["boost", "bury"] * 3, "pin", "pin", "pin"])
        what: str | list[str] = draw.choice([
            f'category == "c{draw.randrange(20)}"', f'brand == "b{draw.randrange(200)}" and price < 100',
            f'color == "k{draw.randrange(12)}"',
        ])  # fmt: skip
        if do == "filter":
            what = f'brand != "b{draw.randrange(200)}"'
        if do == "pin":
            what = [f"I{draw.randrange(1000)}"]
        more: dict[str, object] = {"position": draw.randint(1, 12)} if do == "pin" else {}
        written.append(rule(f"r{number}", do, what, when, **more))
    return written


def everywhere(rules: list[Rule], kinds: tuple[str, ...]) -> list[Rule]:
    """The same rules, these kinds of them without a condition."""

    def bare(each: Rule) -> Rule:
        then = each.then
        what = then.match or then.items
        if then.do == "pin":
            return rule(each.id, then.do, what, position=then.position)
        return rule(each.id, then.do, what)

    return [bare(each) if each.then.do in kinds else each for each in rules]


def measure(name: str, catalogue: Catalogue, written: list[Rule], requests: int) -> float:
    rules = Rules(catalogue, ZoneInfo("Europe/Berlin"), RulesOptions(cache_mb=256))
    rules.swap(rules.set_of("r1", written))
    draw, board, model = random.Random(3), Board(), SmallModel(60)
    filters, boosts, pins = rule_filters.Plugin(), rule_boosts.Plugin(), rule_pins.Plugin()
    everything = Allowed(np.ones(catalogue.size, np.bool_))
    pages = [
        Facts(NOW + n, draw.choice(PLACEMENTS), draw.choice(REGIONS), draw.choice(["phone", "desktop"]),
              frozenset({f"s{draw.randrange(30)}"}), item=draw.randrange(catalogue.size))
        for n in range(200)
    ]  # fmt: skip
    found: list[Ints] = [np.array(draw.sample(range(catalogue.size), 500), np.int32) for _ in range(50)]

    def ask(facts: Facts, items: Ints) -> tuple[float, float, int]:
        start = thread_time()
        ruling = rules.ruling(facts)
        chosen = thread_time()
        context = Context(
            now=NOW, placement=facts.placement, limit=10, catalogue=catalogue, model=model, visitor=Visitor(),
            region=facts.region, rules=ruling, allowed=everything, board=board,
        )  # fmt: skip
        candidates = Candidates(items, catalogue, board)
        begun = thread_time()
        boosts.retrieve(context, 100)
        pins.retrieve(context, 100)
        kept = filters.keep(candidates, context)
        boosts.score(candidates if kept is None else candidates.select(kept), context)
        pins.arrange(Candidates(items[:80], catalogue, board), context)
        return chosen - start, thread_time() - begun, ruling.selected.bit_count()

    for facts in pages:
        ask(facts, found[0])
    taken = [ask(pages[n % len(pages)], found[n % len(found)]) for n in range(requests)]
    choosing, applying, held = (np.array(column) for column in zip(*taken, strict=True))
    both = 1e6 * (choosing + applying)
    print(
        f"{name:<8} {len(rules.published.rules):>5} active rules, {np.mean(held):6.1f} hold   "
        f"find {1e6 * np.median(choosing):6.1f} µs   apply {1e6 * np.median(applying):6.1f} µs   "
        f"both p50 {np.median(both):6.1f}, p90 {np.percentile(both, 90):6.1f}, p99 {np.percentile(both, 99):6.1f} µs"
        f"   {'ok' if np.median(both) <= FLOOR else 'ABOVE THE FLOOR'}"
    )
    catalogue.put(5, catalogue.item(5))
    start = thread_time()
    ask(pages[0], found[0])
    print(f"{'':<8} the first request after a product changed: {1e6 * (thread_time() - start):.0f} µs")
    return float(np.median(both))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rules", type=int, default=1000)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--requests", type=int, default=3000)
    told = parser.parse_args()
    catalogue, written = catalogue_of(told.items), typical(told.rules)
    measure("typical", catalogue, written, told.requests)
    measure("many", catalogue, everywhere(written, ("boost", "bury")), told.requests)
    measure("all", catalogue, everywhere(written, ("filter", "boost", "bury", "pin")), told.requests)


if __name__ == "__main__":
    main()
