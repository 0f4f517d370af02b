"""Says what each rule did to one list: spelled out only when somebody asks, from what was noted when it was made."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np

from app.rules.compiled import Ready
from app.rules.engine import RuleSet
from app.rules.index import places
from app.rules.model import Kind
from app.serving.rank import Ranking
from plugins.ruling import Pin, Ruling
from store.catalogue import Catalogue

REMOVED_SHOWN = 20


class RuleFired(msgspec.Struct, frozen=True, omit_defaults=True):
    """One rule that held for the list."""

    id: str
    name: str
    do: Kind
    priority: int = 0
    strength: float = 0.0
    """Of a boost, below 0 of a bury."""
    removed: int = 0
    """Of a filter: how many candidates it took out, and the first of them. Who proposes knows the filters already:
    most of what one hides is not proposed in the first place."""
    removed_items: list[str] = []
    hides: int = 0
    """Of a filter: how many items of the shop that could be shown."""
    items: list[str] = []
    """Items of the list that it promoted, buried or pinned."""


class PinTold(msgspec.Struct, frozen=True, omit_defaults=True):
    """One slot that a rule asked for, and what became of it. Positions count from 1."""

    rule: str
    position: int
    hard: bool
    item: str = ""
    """Of a pin by expression: the item that was put there, if one was."""
    placed: int = 0
    """Where it stands in the list; 0: nowhere."""
    because: str = ""
    """Why it does not stand where it was asked for."""


@dataclass(frozen=True)
class RulesMade:
    """The rules a list was made under."""

    rules: RuleSet
    ruling: Ruling

    def fired(self, ranking: Ranking) -> list[RuleFired]:
        """Every rule that held, in the order in which they have their way."""
        return [self._fired(self.rules.rules[place], ranking) for place in places(self.ruling.selected)]

    def pins(self, ranking: Ranking, catalogue: Catalogue) -> list[PinTold]:
        """Every slot that was asked for."""
        return [self._pin(pin, ranking, catalogue) for pin in self.ruling.pins]

    def of_item(self, item: int) -> list[str]:
        """Ids of the rules that promote, bury or pin an item."""
        found = []
        for place in places(self.ruling.selected):
            ready = self.rules.rules[place]
            placed = self.ruling.placed.get(item)
            pinned = placed is not None and placed.pin.rule == place
            moved = (
                ready.rule.then.do in ("boost", "bury") and self.rules.names(ready, np.array([item], np.int32)).any()
            )
            if pinned or moved:
                found.append(ready.rule.id)
        return found

    def _fired(self, ready: Ready, ranking: Ranking) -> RuleFired:
        rule, catalogue = ready.rule, self.rules.catalogue
        told = RuleFired(rule.id, rule.name, rule.then.do, rule.priority)
        if rule.then.do == "filter":
            out = ranking.candidates[~self.rules.names(ready, ranking.candidates)]
            ids = [catalogue.ids[number] for number in out[:REMOVED_SHOWN].tolist()]
            everything = np.flatnonzero(catalogue.servable).astype(np.int32)
            hides = int(np.count_nonzero(~self.rules.names(ready, everything)))
            return msgspec.structs.replace(told, removed=len(out), removed_items=ids, hides=hides)
        if rule.then.do == "pin":
            numbers = [item for item, placed in self.ruling.placed.items() if placed.pin.rule == ready.place]
            shown = [number for number in numbers if number in ranking.items]
            return msgspec.structs.replace(told, items=[catalogue.ids[number] for number in shown])
        named = ranking.items[self.rules.names(ready, ranking.items)]
        ids = [catalogue.ids[number] for number in named.tolist()]
        return msgspec.structs.replace(told, strength=ready.strength, items=ids)

    def _pin(self, pin: Pin, ranking: Ranking, catalogue: Catalogue) -> PinTold:
        rule = self.rules.rules[pin.rule].rule.id
        item = next((item for item, placed in self.ruling.placed.items() if placed.pin is pin), -1)
        if item < 0:
            told = pin.item_id or (catalogue.ids[pin.item] if pin.item >= 0 else "")
            return PinTold(rule, pin.slot + 1, pin.hard, told, 0, self._why_not(pin, ranking, catalogue))
        at = np.flatnonzero(ranking.items == item)
        placed = int(at[0]) + 1 if len(at) else 0
        because = ""
        if not placed:
            because = "behind the end of this list"
        elif placed != pin.slot + 1:
            taken = self.ruling.placed[item].slot != pin.slot
            because = "its position was taken" if taken else ("the list is shorter" if pin.hard else "moved afterwards")
        return PinTold(rule, pin.slot + 1, pin.hard, catalogue.ids[item], placed, because)

    def _why_not(self, pin: Pin, ranking: Ranking, catalogue: Catalogue) -> str:
        if pin.mask is not None:
            return "nothing it names is among what may be shown here"
        if pin.item < 0:
            return "the catalogue does not know it"
        if not catalogue.servable[pin.item]:
            return "sold out or hidden"
        if self.ruling.kept is not None and not self.ruling.kept[pin.item]:
            return "a filter hides it"
        if pin.item not in ranking.candidates:
            return "not proposed for this visitor" if not pin.hard else "this list takes nothing in"
        return "not to be shown in this list: excluded, on the page itself, or elsewhere on it"
