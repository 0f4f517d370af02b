"""Consent strings of other formats: TCF against the oracle `iab-tcf`, the others against what is published."""

import base64
from datetime import UTC, datetime

import iab_tcf  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.privacy.gatekeeper import ConsentSignal, Gatekeeper, Reason
from app.privacy.policy import ConsentPolicy
from app.privacy.signals import SignalsOnWire, permitted
from plugins.consent_mode import Plugin as ConsentMode
from plugins.consent_strings import NOTHING, Permits, Unreadable
from plugins.gpp import OPT_OUTS, read_header
from plugins.gpp import Plugin as Gpp
from plugins.manager import Plugins, load_plugins
from plugins.tcf import DISCLOSED_FROM, read_tc_string
from plugins.tcf import Plugin as Tcf
from store.records import PersonRow, Purpose

SESSION, PROFILE = Purpose.SESSION, Purpose.PROFILE
VAULT = Purpose.PURCHASES | Purpose.SEARCHES | Purpose.LOCATION
EVERYTHING = Purpose(127)
BEFORE, AFTER = DISCLOSED_FROM - 10**8, DISCLOSED_FROM + 10**8
GATE = Gatekeeper(ConsentPolicy())
NOW = 1_795_000_000.0


class Writer:
    """Packs numbers into base64url, as a consent platform does."""

    def __init__(self) -> None:
        self.bits = ""

    def put(self, value: int, width: int) -> "Writer":
        self.bits += f"{value:0{width}b}"
        return self

    def flags(self, numbers: set[int], count: int) -> "Writer":
        self.bits += "".join("1" if number in numbers else "0" for number in range(1, count + 1))
        return self

    def text(self) -> str:
        padded = self.bits + "0" * (-len(self.bits) % 24)
        return base64.urlsafe_b64encode(int(padded, 2).to_bytes(len(padded) // 8, "big")).decode().rstrip("=")


def vendors(writer: Writer, numbers: set[int], ranges: bool) -> Writer:
    highest = max(numbers, default=0)
    writer.put(highest, 16).put(int(ranges), 1)
    if not ranges:
        return writer.flags(numbers, highest)
    writer.put(len(numbers), 12)
    for number in sorted(numbers):
        writer.put(0, 1).put(number, 16)
    return writer


def tc_string(
    purposes: set[int], features: set[int] = frozenset(), seen: set[int] = frozenset(), *,  # type: ignore[assignment]
    created: int = BEFORE, ranges: bool = False, disclosed: set[int] | None = None, publisher: set[int] | None = None,
) -> str:  # fmt: skip
    core = Writer().put(2, 6).put(created, 36).put(created, 36).put(7, 12).put(1, 12).put(0, 6)
    core.put(4, 6).put(13, 6).put(48, 12).put(5, 6).put(1, 1).put(0, 1).flags(features, 12)
    core.flags(purposes, 24).flags(set(), 24).put(0, 1).put(4, 6).put(13, 6)
    vendors(core, seen, ranges)
    vendors(core, set(), False).put(0, 12)
    parts = [core.text()]
    if disclosed is not None:
        parts.append(vendors(Writer().put(1, 3), disclosed, ranges).text())
    if publisher is not None:
        parts.append(Writer().put(3, 3).flags(publisher, 24).flags(set(), 24).put(0, 6).text())
    return ".".join(parts)


numbers = st.sets(st.integers(1, 24))
PUBLISHED = [
    "COvFyGBOvFyGBAbAAAENAPCAAOAAAAAAAAAAAEEUACCKAAA.IFoEUQQgAIQwgIwQABAEAAAAOIAACAIAAAAQAIAgEAACEAAAAAgAQBAAAAAAAGBAAgAAAAAAAFAAECAAAgAAQARAEQAAAAAJAAIAAgAAAYQEAAAQmAgBC3ZAYzUw",
    "CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA",
]


@given(numbers, st.sets(st.integers(1, 12)), st.sets(st.integers(1, 500), max_size=20), st.booleans())
def test_a_tc_string_says_what_the_reference_library_reads(
    purposes: set[int], features: set[int], seen: set[int], ranges: bool
) -> None:
    text = tc_string(purposes, features, seen, ranges=ranges)
    ours, theirs = read_tc_string(text), iab_tcf.decode_v2(text)
    assert ours.purposes == {number for number, said in theirs.purposes_consent.items() if said} == purposes
    assert ours.special_features == {number for number, said in theirs.special_features_optin.items() if said}
    assert ours.vendors == {number for number in range(1, 501) if theirs.is_vendor_allowed(number)} == seen
    assert abs(datetime.fromtimestamp(ours.created / 10, UTC).timestamp() - theirs.created.timestamp()) < 86_400


@pytest.mark.parametrize("text", PUBLISHED)
def test_published_strings_are_read_like_the_reference_library_does(text: str) -> None:
    ours, theirs = read_tc_string(text), iab_tcf.decode_v2(text)
    assert ours.purposes == {number for number, said in theirs.purposes_consent.items() if said}
    assert ours.vendors == {number for number in range(1, 1000) if theirs.is_vendor_allowed(number)}


def test_each_purpose_needs_all_its_tcf_purposes() -> None:
    assert Tcf().permits(tc_string(set(range(1, 12)), {1})) == Permits(EVERYTHING)
    assert Tcf().permits(tc_string({1, 11})) == Permits(SESSION)
    assert Tcf().permits(tc_string({1, 5, 6})) == Permits(PROFILE | Purpose.PURCHASES | Purpose.SEARCHES)
    assert Tcf().permits(tc_string({5, 6, 11})) == NOTHING


def test_the_shops_own_segment_outweighs_what_vendors_were_allowed() -> None:
    assert Tcf().permits(tc_string(set(range(1, 12)), publisher={1, 11})) == Permits(SESSION)


def test_since_march_2026_a_string_has_to_say_which_vendors_were_shown() -> None:
    assert Tcf().permits(tc_string({1, 11}, created=AFTER)) == NOTHING
    assert Tcf().permits(tc_string({1, 11}, created=AFTER, disclosed={3})) == Permits(SESSION)
    assert Tcf(vendor=3).permits(tc_string({1, 11}, seen={3, 9}, created=AFTER, disclosed={3})) == Permits(SESSION)
    assert Tcf(vendor=9).permits(tc_string({1, 11}, seen={3, 9}, created=AFTER, disclosed={3})) == NOTHING
    assert Tcf(vendor=4).permits(tc_string({1, 11}, seen={3, 9})) == NOTHING


@settings(max_examples=300)
@given(st.text(max_size=80) | st.binary(max_size=80).map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_what_cannot_be_read_permits_nothing_and_never_raises(text: str) -> None:
    for name in ("tcf", "gpp"):
        signals = SignalsOnWire(tcf=text) if name == "tcf" else SignalsOnWire(gpp=text)
        purposes, _ = permitted(ALL, signals)
        if text:
            try:
                readable = name == "tcf" and bool(read_tc_string(text))
            except Unreadable:
                readable = False
            assert readable or purposes in (None, Purpose.NONE)
        else:
            assert purposes is None


ALL = load_plugins({"tcf": {}, "gpp": {}, "consent_mode": {}}, None)


@given(st.integers(0, len(tc_string({1})) - 1), st.data())
def test_a_cut_tc_string_permits_nothing(length: int, data: st.DataObject) -> None:
    whole = tc_string(set(range(1, 12)), {1})
    assert Tcf().permits(whole[: min(length, 30)]) == NOTHING


def fibonacci(number: int) -> str:
    series = [1, 2]
    while series[-1] <= number:
        series.append(series[-1] + series[-2])
    bits, left = "", number
    for value in reversed([value for value in series if value <= number]):
        bits = ("1" if value <= left else "0") + bits
        left -= value if value <= left else 0
    return bits + "1"


def gpp(sections: dict[int, str]) -> str:
    header = Writer().put(3, 6).put(1, 6).put(len(sections), 12)
    last = 0
    for number in sorted(sections):
        header.bits += "0" + fibonacci(number - last)
        last = number
    return "~".join([header.text(), *(sections[number] for number in sorted(sections))])


def us_section(opted_out: set[int], *, gpc: bool | None = None) -> str:
    core = Writer().put(1, 6)
    for place in range(20):
        core.put(1 if place in opted_out else 2, 2)
    return core.text() + ("" if gpc is None else "." + Writer().put(1, 2).put(int(gpc), 1).text())


@pytest.mark.parametrize(
    ("header", "ids"), [("DBABMA", [2]), ("DBACNYA", [2, 6]), ("DBABjw", [5, 6]), ("DBABBgA", [8]), ("DBABLA", [7])]
)
def test_published_gpp_headers_name_their_sections(header: str, ids: list[int]) -> None:
    assert read_header(header) == ids


@given(st.sets(st.integers(1, 60), min_size=1, max_size=10))
def test_any_gpp_header_names_its_sections(ids: set[int]) -> None:
    assert read_header(gpp(dict.fromkeys(ids, "")).split("~")[0]) == sorted(ids)


def says(**told: str) -> Permits | None:
    return Gpp().consent_signal(told)


@pytest.mark.parametrize("section", OPT_OUTS)
def test_an_opt_out_of_any_us_section_is_a_no(section: int) -> None:
    assert says(gpp=gpp({section: us_section(set())})) is None
    for field in OPT_OUTS[section]:
        assert says(gpp=gpp({section: us_section({field})})) == NOTHING
    others = set(range(20)) - set(OPT_OUTS[section])
    assert says(gpp=gpp({section: us_section(others)})) is None


def test_gpc_inside_a_gpp_string_is_a_preference_and_no_decision() -> None:
    assert says(gpp=gpp({7: us_section(set(), gpc=True)})) == Permits(Purpose.NONE, decided=False)
    assert says(gpp=gpp({7: us_section(set(), gpc=False)})) is None
    assert permitted(ALL, SignalsOnWire(gpp=gpp({8: us_section(set(), gpc=True)}))) == (None, True)


def test_the_european_section_and_the_older_us_string_are_heard() -> None:
    text = tc_string({1, 11})
    assert says(gpp=gpp({2: text})) == Permits(SESSION)
    assert says(gpp=gpp({2: text, 6: "1YNN"})) == Permits(SESSION)
    assert says(gpp=gpp({2: text, 6: "1YYN"})) == NOTHING
    assert says(gpp="DBACNYA~CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA~1YNN") == NOTHING
    assert says(gpp=gpp({99: "AAAA"})) == NOTHING  # a section nobody here can read
    assert says(gpp=gpp({2: text}).partition("~")[0]) == NOTHING  # announced and not there


def test_consent_mode_denies_what_it_does_not_grant() -> None:
    heard = ConsentMode().consent_signal
    assert heard({"tcf": "x"}) is None
    granted = {"gcm.personalization_storage": "granted", "gcm.analytics_storage": "granted"}
    assert heard(granted) == Permits(EVERYTHING)
    assert heard({**granted, "gcm.analytics_storage": "denied"}) == Permits(SESSION | PROFILE | VAULT)
    assert heard({"gcm.personalization_storage": "maybe"}) == NOTHING
    with pytest.raises(ValueError, match="no such purpose: sesion"):
        ConsentMode(types={"sesion": "ad_storage"})


def test_of_several_strings_the_most_restrictive_wins() -> None:
    granted = {"personalization_storage": "granted", "analytics_storage": "granted"}
    both = SignalsOnWire(tcf=tc_string({1, 11}), gcm=granted)
    assert permitted(ALL, both) == (SESSION, False)
    denied = SignalsOnWire(tcf=tc_string(set(range(1, 12)), {1}), gcm={"analytics_storage": "granted"})
    assert permitted(ALL, denied) == (Purpose.TRAINING | Purpose.EXPERIMENTS, False)
    assert permitted(ALL, None) == (None, False)


def test_a_string_that_no_plugin_reads_permits_nothing() -> None:
    assert permitted(Plugins(), SignalsOnWire(tcf=tc_string({1, 11}))) == (Purpose.NONE, False)


def test_a_string_caps_what_is_said_and_recorded_and_never_opens_the_vault() -> None:
    told = SESSION | PROFILE | Purpose.PURCHASES
    everything = ConsentSignal("granted", EVERYTHING, told=told)
    assert GATE.allow(everything, None, NOW).purposes == told
    assert GATE.allow(ConsentSignal(told=EVERYTHING), None, NOW).purposes == EVERYTHING & ~VAULT
    record = PersonRow(1, 127, "1", int(NOW) - 5)
    assert GATE.allow(ConsentSignal(told=told), record, NOW).purposes == told
    assert GATE.allow(ConsentSignal("granted", EVERYTHING, told=SESSION), record, NOW).purposes == SESSION
    assert GATE.allow(ConsentSignal("denied", told=EVERYTHING), record, NOW).purposes == Purpose.NONE
    assert GATE.allow(ConsentSignal(told=Purpose.NONE), record, NOW).purposes == Purpose.NONE
    assert GATE.at_most(ConsentSignal(told=SESSION)) == SESSION
    assert GATE.decided(ConsentSignal(told=EVERYTHING)) == EVERYTHING & ~VAULT


def test_what_was_objected_to_or_paused_is_not_done_whatever_is_said() -> None:
    objecting = PersonRow(1, objected=int(SESSION))
    assert GATE.allow(ConsentSignal(), objecting, NOW).reason is Reason.OBJECTED
    assert GATE.allow(ConsentSignal(), objecting, NOW).purposes == Purpose.NONE
    assert not GATE.allow(ConsentSignal("granted", EVERYTHING), objecting, NOW).purposes & SESSION
    paused = PersonRow(1, 127, "1", int(NOW), restricted=128 | 127)
    assert GATE.allow(ConsentSignal("granted", EVERYTHING), paused, NOW).reason is Reason.RESTRICTED
