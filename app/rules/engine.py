"""The published rules in memory: swapped as one, asked by every request. The loop's thread only."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Sequence
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from app.rules.columns import Columns
from app.rules.compiled import NotARule, Ready, ready
from app.rules.index import Facts, Index
from app.rules.model import Rule, read_rules
from app.rules.options import RulesOptions
from app.rules.selection import Selection, selection_of
from plugins.contract import Ints
from plugins.ruling import Ruling
from store.catalogue import Catalogue
from store.records import Mask

SELECTIONS = 512
SEEN_AT_MOST = 256
WAITING = 10_000


class RuleSet:
    """One version of the rules, ready to be asked."""

    def __init__(
        self, version: str, rules: Sequence[Rule], zone: ZoneInfo, catalogue: Catalogue, columns: Columns
    ) -> None:
        """Raises NotARule."""
        self.version = version
        self.written = tuple(rules)
        """As they were written, those that are switched off included."""
        self.rules: tuple[Ready, ...] = ready(rules, zone)
        self._token = object()
        self.catalogue = catalogue
        self._columns = columns
        self._index = Index(self.rules, catalogue, columns)
        self._selections: OrderedDict[tuple[int, bool], Selection] = OrderedDict()

    def ruling(self, facts: Facts) -> Ruling:
        """The rules that hold for a request."""
        bits = self._index.select(facts) if self.rules else 0
        if not bits:
            return Ruling(self.version)
        key = (bits, facts.is_open)
        found = self._selections.get(key)
        if found is None:
            found = selection_of(self.version, self._token, self.rules, bits, is_open=facts.is_open)
            self._selections[key] = found
            if len(self._selections) > SELECTIONS:
                self._selections.popitem(last=False)
        else:
            self._selections.move_to_end(key)
        return found.ruling(self.catalogue, self._columns)

    def names(self, rule: Ready, items: Ints) -> Mask:
        """Which of these items a rule names, [len(items)]."""
        if rule.named is not None:
            return self._columns.mask(rule.named).take(items)
        numbers = [self.catalogue.number(item) for item in rule.rule.then.items]
        return np.isin(items, [number for number in numbers if number is not None])


class Rules:
    """Holds the published version, or why it cannot be read: then nothing is shown that a rule might forbid."""

    def __init__(self, catalogue: Catalogue, zone: ZoneInfo, options: RulesOptions) -> None:
        self.zone = zone
        self.options = options
        self.catalogue = catalogue
        self.columns = Columns(catalogue, options.cache_mb << 20)
        self.published = self.set_of("", [])
        self.problem = ""
        self.waiting: deque[tuple[RuleSet, int, Ints]] = deque(maxlen=WAITING)
        """Lists that were answered under rules, to be counted (app/merchandising/impact.py)."""
        self.seen: dict[str, set[str]] = {"region": set(), "device": set()}
        """What requests said of themselves since the start, so that a misspelled region can be told."""

    def set_of(self, version: str, rules: Sequence[Rule]) -> RuleSet:
        """Rules made ready. Raises NotARule."""
        return RuleSet(version, rules, self.zone, self.catalogue, self.columns)

    def take_over(self, version: str, body: bytes) -> None:
        """From now on this version holds, or, where it cannot be read, nothing is shown."""
        self.swap_or_close(version, self.read(version, body))

    def read(self, version: str, body: bytes) -> RuleSet | str:
        """A version made ready, or why it cannot be; may be run in a thread."""
        try:
            return self.set_of(version, read_rules(body))
        except (msgspec.DecodeError, UnicodeDecodeError, NotARule) as error:
            return str(error)

    def swap_or_close(self, version: str, read: RuleSet | str) -> None:
        """The very next request obeys; where there is nothing to obey but a mistake, no list shows anything."""
        if isinstance(read, RuleSet):
            self.swap(read)
        else:
            self.problem = f"the rules of {version} cannot be read ({read}): no lists until others are published"

    def swap(self, published: RuleSet) -> None:
        """The very next request obeys."""
        self.published, self.problem = published, ""

    def ruling(self, facts: Facts, instead: RuleSet | None = None) -> Ruling:
        """The rules that hold for a request; those of `instead` for a preview."""
        if instead is not None:
            return instead.ruling(facts)
        if self.problem:
            return Ruling(problem=self.problem)
        for kind, value in (("region", facts.region), ("device", facts.device)):
            if value and len(self.seen[kind]) < SEEN_AT_MOST:
                self.seen[kind].add(value)
        return self.published.ruling(facts)

    def answered(self, ruling: Ruling, items: Ints) -> None:
        """Hear what was shown under which rules."""
        if ruling.selected:
            self.waiting.append((self.published, ruling.selected, items))
