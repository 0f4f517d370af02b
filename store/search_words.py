"""Turns what people write into the words a search compares: small letters, no accents, singular."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

_WORDS = re.compile(r"[^\W_]+")
_WORDS_AND_ENDS = re.compile(r"[^\W_]+|\n")
_COMBINING = re.compile(r"[\u0300-\u036f]+")
_APOSTROPHES = str.maketrans("", "", "'’`´")
LONGEST_WORD = 32


def _folded(text: str) -> str:
    folded = text.lower()
    if not folded.isascii():
        folded = _COMBINING.sub("", unicodedata.normalize("NFKD", folded.casefold()))
    return folded.translate(_APOSTROPHES)


def raw_words(text: str) -> list[str]:
    """The words as written but for case, accents and apostrophes: "Men's Café-Set" → mens, cafe, set."""
    return _WORDS.findall(_folded(text))


def bulk_words(texts: Sequence[str]) -> list[str]:
    """`raw_words` of many texts in one pass, with "\\n" after each text."""
    lines = [text.replace("\n", " ") for text in texts]
    return _WORDS_AND_ENDS.findall(_folded("\n".join([*lines, ""])))


def singular(word: str) -> str:
    """A light folding of plurals (Harman's S-stemmer, JASIS 1991), for catalogue and query alike; cut to size."""
    if word.endswith("ies") and len(word) > 4:
        word = word[:-3] + "y"
    elif word.endswith(("ches", "shes", "sses", "xes")) and len(word) > 4:
        word = word[:-2]
    elif word.endswith("s") and len(word) > 3 and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    return word[:LONGEST_WORD]
