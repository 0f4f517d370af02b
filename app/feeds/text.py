"""Turns the HTML that shops keep in titles and descriptions into the words a reader sees."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser

_SILENT = frozenset({"script", "style", "template", "noscript", "iframe"})
_BLOCKS = frozenset({"p", "br", "div", "li", "ul", "ol", "tr", "td", "h1", "h2", "h3", "h4", "h5", "h6", "table"})
_SPACE = re.compile(r"\s+")
_MARKUP = re.compile(r"<[a-zA-Z/!]|&[#a-zA-Z]")


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SILENT:
            self._silent += 1
        elif tag in _BLOCKS:
            self.parts.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT:
            self._silent = max(0, self._silent - 1)
        elif tag in _BLOCKS:
            self.parts.append(" ")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.parts.append(data)


def words_of(text: str) -> str:
    """The text without its tags, scripts and entities, white space folded. `a < b` stays as it is."""
    if _MARKUP.search(text):
        reader = _Words()
        reader.feed(text)
        reader.close()
        text = html.unescape("".join(reader.parts)) if "&" in text else "".join(reader.parts)
    return _SPACE.sub(" ", text).strip()
