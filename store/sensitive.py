"""Which products say something about a person that nobody may learn in passing: health, sex life, faith, politics.

Buying them is data of Article 9 GDPR (CJEU C-21/23, Lindenapotheke: already an order of medicines without prescription
is). Matched on the category path and the attribute `sensitive` a shop gives a product; titles are not read.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from store.records import Item

SENSITIVE_WORDS = (
    # health
    "health", "medical", "medicine", "medicines", "medication", "pharmacy", "prescription", "prescriptions",
    "supplements", "vitamins", "diabetes", "incontinence", "hearing aids", "wheelchairs", "disability", "special needs",
    "weight loss", "fertility", "pregnancy", "maternity", "menopause", "addiction", "hiv", "cancer",
    # sex life and orientation
    "sex", "sexual", "erotic", "erotica", "adult toys", "condoms", "contraception", "lgbt", "lgbtq", "gay", "lesbian",
    # religion
    "religion", "religious", "christian", "islamic", "jewish", "judaica", "bibles", "halal", "kosher",
    # politics and unions
    "politics", "political", "elections", "trade union", "trade unions", "labor union", "labour union",
    # what is about a child, not made for one
    "child custody", "adoption", "baby registry", "school records",
)  # fmt: skip
"""[privacy] sensitive, where the shop does not say: words of English category names."""

_BETWEEN_WORDS = re.compile(r"[\W_]+")
_NO = frozenset({False, "", "0", "false", "no"})
Step = tuple[str, ...]
"""The words of one step of a category path."""


class Sensitive:
    """The denylist. An entry with a slash is a path from the top and all below it; any other is a word, or words in a
    row, of any step. Case, accents' spelling and what stands between words do not matter; parts of words do not match.
    """

    def __init__(self, entries: Sequence[str] = SENSITIVE_WORDS) -> None:
        self.entries = tuple(entries)
        self._paths = [path_words(entry.split("/")) for entry in entries if "/" in entry]
        self._words = {words_of(entry) for entry in entries if "/" not in entry} - {()}
        self._longest = max(map(len, self._words), default=0)
        self._told: dict[tuple[str, ...], bool] = {}

    def path(self, category: Sequence[str]) -> bool:
        """Whether a category path from the top, ("beauty", "sexual wellness"), is on the list."""
        steps = path_words(category)
        return any(self._named(step) for step in steps) or any(
            path and steps[: len(path)] == path for path in self._paths
        )

    def item(self, item: Item) -> bool:
        """Whether nothing may be learned from this product; any `sensitive` attribute that is not a no counts."""
        on_list = self._told.get(item.category)  # a catalogue has a million items and few categories
        if on_list is None:
            on_list = self._told[item.category] = self.path(item.category)
        told = item.attributes.get("sensitive", False)
        said = told.strip().casefold() if isinstance(told, str) else told
        return on_list or said not in _NO

    def _named(self, step: Step) -> bool:
        return any(
            step[start : start + length] in self._words
            for length in range(1, min(self._longest, len(step)) + 1)
            for start in range(len(step) - length + 1)
        )


def words_of(text: str) -> Step:
    """The words of a name, as they are compared; empty where there is none."""
    return tuple(word for word in _BETWEEN_WORDS.split(unicodedata.normalize("NFKC", text).casefold()) if word)


def path_words(steps: Sequence[str]) -> list[Step]:
    """The words of each step that has any. A step with slashes in it is several."""
    return [words for step in steps for part in step.split("/") if (words := words_of(part))]
