"""What an operator can set about one feed."""

from __future__ import annotations

import codecs
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from app.feeds.raw import MAPPED
from app.suggestion import suggest

Format = Literal[
    "auto", "google-xml", "google-tsv", "shopify", "woocommerce", "json-ld", "ndjson", "csv", "yaml",
]  # fmt: skip


class FeedOptions(msgspec.Struct, frozen=True, kw_only=True):
    """[feeds.NAME]: a catalogue that is read whole; what is gone from it is gone from the shop."""

    url: str = ""
    """Where it is pulled from, `https://…`; a name and password in front of the host are sent as Basic."""
    file: str = ""
    """Or a file, relative to the configuration's folder."""
    format: Format = "auto"
    every_minutes: Annotated[float, Meta(ge=0)] = 0.0
    """0: only when asked for."""
    encoding: str = "utf-8"
    delimiter: Annotated[str, Meta(max_length=1)] = ""
    """Of csv; empty: comma, semicolon or tab, as the first line has it."""
    currency: Annotated[str, Meta(max_length=3)] = ""
    """Of prices without one; empty: the shop's."""
    fields: dict[str, str] = {}
    """Field of ours -> column of theirs, `{ title = "name" }`; what is not named stays as the format has it."""
    link_base: str = ""
    """Put before links and pictures that are no whole address."""
    image_base: str = ""
    vanish_at_most: Annotated[float, Meta(ge=0, le=1)] = 0.2
    """A feed in which more than this share of its items is gone is not taken."""
    allow_private: bool = False
    """Whether the address may be one of this machine or of its private network."""

    def problems(self) -> list[str]:
        """What is wrong beyond types, as "setting: sentence"."""
        found = []
        if bool(self.url) == bool(self.file):
            found.append("url: a feed has a url or a file" + (", not both" if self.url else ""))
        if self.url and not self.url.startswith(("https://", "http://")):
            found.append("url: must begin with https:// or http://")
        found += [f"fields.{ours}: no such field{suggest(ours, MAPPED)}" for ours in self.fields if ours not in MAPPED]
        try:
            codecs.lookup(self.encoding)
        except LookupError:
            found.append(f"encoding: there is no encoding '{self.encoding}'; most feeds are 'utf-8' or 'cp1252'")
        return found
