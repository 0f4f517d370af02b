"""Shows a list before | after: the same visitor, the same moment, the same chance, under two sets of rules."""

from __future__ import annotations

from collections.abc import Sequence

from app.merchandising.personas import PersonaOnWire, page_of, unknown_ids, visitor_of
from app.merchandising.wire import PreviewAnswer, PreviewItem, PreviewList, PreviewOnWire
from app.rules.engine import RuleSet
from app.search.search import PLACEMENT, Search, Searcher
from app.serving.recommend import Ask, Recommender, Shelf
from plugins.contract import Ints

SEED = 1


class Previewer:
    """Answers as the recommender and the searcher would, and leaves no trace in either."""

    def __init__(self, recommender: Recommender, searcher: Searcher) -> None:
        self._recommender = recommender
        self._searcher = searcher

    def preview(
        self, told: PreviewOnWire, persona: PersonaOnWire, before: RuleSet, after: RuleSet, now: float
    ) -> PreviewAnswer:
        """Raises UnknownPlacement."""
        first, second = (self._shelf(told, persona, rules, now) for rules in (before, after))
        was, becomes = _places(first.items), _places(second.items)
        warnings = [
            f"the catalogue does not know '{item}'" for item in unknown_ids(persona, self._recommender.catalogue)
        ]
        warnings += _warnings(second, told.limit)
        gone = [self._recommender.catalogue.ids[item] for item in first.items.tolist() if item not in becomes]
        return PreviewAnswer(self._list(first, was, becomes), self._list(second, was, becomes), gone, warnings)

    def _shelf(self, told: PreviewOnWire, persona: PersonaOnWire, rules: RuleSet, now: float) -> Shelf:
        catalogue = self._recommender.catalogue
        page, visitor = page_of(persona, catalogue), visitor_of(persona, catalogue)
        if told.placement == PLACEMENT:
            asked = Search(told.query, told.limit)
            return self._searcher.search(asked, page, visitor, now, dry_run=True, seed=SEED, rules=rules).shelf
        ask = Ask(told.placement, told.limit)
        return self._recommender.shelves([ask], page, visitor, now, dry_run=True, seed=SEED, rules=rules)[0]

    def _list(self, shelf: Shelf, was: dict[int, int], becomes: dict[int, int]) -> PreviewList:
        known, ranking = shelf.made.context, shelf.made.ranking
        assert known is not None
        catalogue, items = self._recommender.catalogue, []
        for index, number in enumerate(shelf.items.tolist()):
            item = catalogue.item(number)
            both = number in was and number in becomes
            price = item.price if item.sale_price is None else item.sale_price
            items.append(
                PreviewItem(
                    item.id,
                    item.title,
                    item.image,
                    item.url,
                    price,
                    index,
                    was[number] - becomes[number] if both else None,
                    known.made.of_item(number),
                )
            )
        fired, pins = known.made.fired(ranking), known.made.pins(ranking, catalogue)
        return PreviewList(shelf.rules, shelf.strategy, items, fired, pins, ranking.filled)


def _warnings(shelf: Shelf, limit: int) -> list[str]:
    """What a marketer should hear before publishing."""
    known, ranking = shelf.made.context, shelf.made.ranking
    assert known is not None
    found = []
    filtered = [fired.id for fired in known.made.fired(ranking) if fired.do == "filter"]
    if filtered and len(shelf.items) < limit:
        found.append(f"filters leave {len(shelf.items)} of {limit} items: {_named(filtered)}")
    elif filtered and ranking.filled:
        found.append(f"filters leave little: {ranking.filled} items only fill the list up: {_named(filtered)}")
    for pin in known.made.pins(ranking, known.made.rules.catalogue):
        if not pin.placed:
            what = f"'{pin.item}'" if pin.item else f"nothing for position {pin.position}"
            found.append(f"'{pin.rule}' does not pin {what}: {pin.because}")
    return found


def _places(items: Ints) -> dict[int, int]:
    return {number: place for place, number in enumerate(items.tolist())}


def _named(rules: Sequence[str]) -> str:
    return ", ".join(f"'{rule}'" for rule in rules)
