"""Listen to the IAB's Global Privacy Platform string: opt-outs of US states, Europe's TCF string, GPC inside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from plugins.consent_strings import NOTHING, Bits, Permits, Unreadable, strictest
from plugins.contract import hookimpl
from plugins.tcf import Plugin as Tcf
from store.records import Purpose

TCF_EU, USP = 2, 6
OPT_OUTS = {
    7: (6, 7, 8), 8: (3, 4), 9: (3, 4), 10: (3, 4), 11: (4, 5), 12: (3, 4), 13: (3, 4), 14: (3, 4), 15: (3, 4),
    16: (3, 4), 17: (3, 4), 18: (4, 5), 19: (3, 4), 20: (3, 4), 21: (3, 4), 22: (3, 4),
}  # fmt: skip
"""US national (7), California (8), Virginia … Tennessee (22): which of the two-bit fields after the version are the
opt-outs of sale, sharing and targeted advertising."""
OPTED_OUT = 1
SECTIONS_AT_MOST = 64


@dataclass(frozen=True)
class Plugin:
    """An opt-out is a no to everything, as for a shop that honours GPC; the absence of one permits nothing by itself.
    A section that cannot be read is a no."""

    tcf_purposes: dict[str, list[int]] = field(default_factory=lambda: Tcf().purposes)
    """As in [plugins.tcf], for the European section."""

    @hookimpl
    def consent_signal(self, told: Mapping[str, str]) -> Permits | None:
        text = told.get("gpp")
        if not text:
            return None
        try:
            answers = [answer for answer in self._answers(text) if answer is not None]
        except Unreadable:
            return NOTHING
        purposes, preference = strictest(answers)
        if purposes is not None:
            return Permits(purposes)
        return Permits(Purpose.NONE, decided=False) if preference else None

    def _answers(self, text: str) -> Iterator[Permits | None]:
        header, *sections = text.split("~")
        ids = read_header(header)
        if len(ids) != len(sections):
            raise Unreadable(f"{len(ids)} sections announced, {len(sections)} there")
        for number, section in zip(ids, sections, strict=True):
            if number == TCF_EU:
                yield Tcf(purposes=self.tcf_purposes).permits(section)
            elif number == USP:
                yield _us_privacy(section)
            elif number in OPT_OUTS:
                yield from _us_section(section, OPT_OUTS[number])
            else:
                raise Unreadable(f"section {number}")


def read_header(text: str) -> list[int]:
    """The numbers of the sections that follow, ascending. Raises Unreadable.

    Source: IAB Tech Lab, "Global Privacy Platform: Core Specification", header and "Range (Fibonacci)".
    """
    bits = Bits(text)
    if bits.number(6) != 3:
        raise Unreadable("not a GPP header")
    bits.number(6)  # version
    ids: list[int] = []
    last = 0
    for _ in range(bits.number(12)):
        group = bits.flag()
        first = last + bits.fibonacci()
        last = first + bits.fibonacci() if group else first
        if last - first + len(ids) >= SECTIONS_AT_MOST:
            raise Unreadable("too many sections")
        ids += range(first, last + 1)
    return ids


def _us_section(section: str, fields: tuple[int, ...]) -> Iterator[Permits | None]:
    core, *others = section.split(".")
    bits = Bits(core)
    bits.number(6)  # version
    said = [bits.number(2) for _ in range(max(fields) + 1)]
    yield NOTHING if any(said[place] == OPTED_OUT for place in fields) else None
    for part in others:
        bits = Bits(part)
        if bits.number(2) == 1 and bits.flag():
            yield Permits(Purpose.NONE, decided=False)


def _us_privacy(text: str) -> Permits | None:
    """The older US privacy string, `1YNN`: version, notice given, opted out of sale, limited service."""
    if len(text) != 4 or text[0] != "1" or not set(text[1:]) <= set("YN-"):
        raise Unreadable("not a US privacy string")
    return NOTHING if text[2] == "Y" else None
