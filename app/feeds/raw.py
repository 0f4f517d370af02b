"""One product as a feed tells it: where it stands, its words by our names, nothing judged yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from app.suggestion import suggest


class FeedBroken(Exception):
    """The feed cannot be read on; the message says where, what is wrong and what would be right."""


@dataclass(slots=True)
class Raw:
    """`price` is the usual one, `sale_price` what is asked while it is lower; texts may hold HTML."""

    place: str
    """ "line 12", "item 3": for the person who has to mend it."""
    id: str = ""
    title: str = ""
    description: str = ""
    url: str = ""
    image: str = ""
    price: str = ""
    sale_price: str = ""
    currency: str = ""
    category: tuple[str, ...] = ()
    brand: str = ""
    availability: str = ""
    """In any spelling that app/feeds/product.py knows; empty: in stock."""
    hidden: bool = False
    published: str = ""
    regions: tuple[str, ...] = ()
    attributes: dict[str, str | float | bool] = field(default_factory=dict)

    def take(self, fields: Mapping[str, str], find: Callable[[str], str]) -> None:
        """Lay over it what the operator maps: field of ours -> their name, found by `find`. Raises FeedBroken."""
        for ours, theirs in fields.items():
            if ours not in MAPPED:
                raise FeedBroken(f"fields.{ours}: no such field{suggest(ours, MAPPED)}")
            if text := find(theirs):
                setattr(self, ours, path_of(text) if ours == "category" else text)


MAPPED = (
    "id", "title", "description", "url", "image", "price", "sale_price", "currency", "category", "brand",
    "availability", "published",
)  # fmt: skip
"""Fields that `[feeds.NAME] fields` can take from a column of another name."""


def path_of(text: str) -> tuple[str, ...]:
    """A category path in one of its usual spellings: "Home > Lamps", "Home/Lamps"."""
    parts = text.split(">") if ">" in text else text.split("/")
    return tuple(part.strip().replace("/", " & ").replace("|", " ") for part in parts if part.strip())


def first(values: Mapping[str, str], *names: str) -> str:
    """The first of these columns that is not empty."""
    for name in names:
        if text := (values.get(name) or "").strip():
            return text
    return ""
