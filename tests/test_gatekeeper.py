from functools import cache
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.privacy.gatekeeper import ConsentSignal, Gatekeeper, Reason, gpc_signal, named_purposes
from app.privacy.policy import ConsentPolicy, EuropeanUnion, Jurisdiction
from store.records import VAULT, PersonRow, Purpose

NOW = 1_790_000_000
BROAD = Purpose.SESSION | Purpose.PROFILE | Purpose.TRAINING | Purpose.EXPERIMENTS
EVERYTHING = BROAD | VAULT
STATES = ("", "granted", "session", "anonymous", "denied", "pending", "GRANTED", "yes")
REGIONS = ("", "FR", "fr", "DE-BY", "US-CA", "us-ca", "US-NY", "BR", "narnia")

states = st.sampled_from(STATES) | st.text(max_size=10)
purposes = st.integers(0, 127).map(Purpose)
signals = st.builds(
    ConsentSignal,
    state=states,
    named=purposes,
    region=st.sampled_from(REGIONS) | st.text(max_size=6),
    gpc=st.booleans(),
)
rows = st.none() | st.builds(
    PersonRow,
    surrogate=st.just(1),
    consent=st.integers(0, 127),
    consent_at=st.sampled_from([0, NOW - 10, NOW - 394 * 86_400, NOW - 400 * 86_400]),
)


@cache
def keeper(**settings: object) -> Gatekeeper:
    return Gatekeeper(ConsentPolicy(**settings))  # type: ignore[arg-type]


def decided(consent: Purpose, days_ago: float = 1) -> PersonRow:
    return PersonRow(surrogate=1, consent=int(consent), consent_version="v", consent_at=int(NOW - days_ago * 86_400))


@pytest.mark.parametrize("state", ["pending", "denied", "anonymous", "no such state"])
def test_a_visitor_who_has_not_agreed_is_not_known_even_with_an_old_yes_on_record(state: str) -> None:
    signal = ConsentSignal(state, named=EVERYTHING)
    assert keeper().allow(signal, decided(EVERYTHING), NOW).purposes == Purpose.NONE
    assert keeper().at_most(signal) == Purpose.NONE


def test_granted_means_the_broad_purposes_and_the_vault_only_by_name() -> None:
    assert keeper().allow(ConsentSignal("granted"), None, NOW).purposes == BROAD
    named = ConsentSignal("granted", named=Purpose.SEARCHES)
    assert keeper().allow(named, None, NOW).purposes == BROAD | Purpose.SEARCHES


def test_consent_to_the_visit_never_opens_profile_or_vault() -> None:
    assert keeper().allow(ConsentSignal("session", named=EVERYTHING), None, NOW).purposes == Purpose.SESSION


@pytest.mark.parametrize(
    ("home", "region", "expected"),
    [
        ("default", "", Purpose.SESSION),
        ("default", "US-CA", Purpose.SESSION),
        ("default", "BR", Purpose.SESSION),
        ("default", "FR", Purpose.NONE),
        ("default", "FR-75", Purpose.NONE),
        ("eu", "", Purpose.NONE),
        ("eu", "BR", Purpose.NONE),
    ],
)
def test_who_says_nothing_is_known_for_the_visit_only_where_every_law_that_applies_lets_it(
    home: str, region: str, expected: Purpose
) -> None:
    decision = keeper(home=home).allow(ConsentSignal(region=region), None, NOW)
    assert (decision.purposes, decision.reason) == (expected, Reason.POLICY)


def test_signal_and_record_must_both_agree() -> None:
    record = decided(BROAD | Purpose.PURCHASES)
    both = keeper().allow(ConsentSignal("granted", named=Purpose.SEARCHES | Purpose.PURCHASES), record, NOW)
    assert both.purposes == BROAD | Purpose.PURCHASES
    assert keeper().allow(ConsentSignal("granted"), decided(Purpose.NONE), NOW).purposes == Purpose.NONE


def test_the_shops_server_need_not_repeat_what_the_person_decided() -> None:
    decision = keeper().allow(ConsentSignal(), decided(Purpose.PROFILE | Purpose.PURCHASES), NOW)
    assert (decision.purposes, decision.reason) == (Purpose.PROFILE | Purpose.PURCHASES, Reason.RECORD)


def test_a_decision_too_old_counts_as_no() -> None:
    for signal in (ConsentSignal(), ConsentSignal("granted")):
        assert keeper().allow(signal, decided(EVERYTHING, days_ago=394), NOW).purposes
        decision = keeper().allow(signal, decided(EVERYTHING, days_ago=396), NOW)
        assert (decision.purposes, decision.reason) == (Purpose.NONE, Reason.EXPIRED)


def test_global_privacy_control_ends_the_opt_out_default_but_not_an_explicit_yes() -> None:
    silent = keeper().allow(ConsentSignal(region="US-CA", gpc=True), None, NOW)
    assert (silent.purposes, silent.gpc_honoured) == (Purpose.NONE, True)
    explicit = keeper().allow(ConsentSignal("granted", region="US-CA", gpc=True), None, NOW)
    assert (explicit.purposes, explicit.gpc_honoured) == (BROAD, False)
    recorded = keeper().allow(ConsentSignal(region="US-CA", gpc=True), decided(BROAD), NOW)
    assert (recorded.purposes, recorded.gpc_honoured) == (BROAD, False)
    assert keeper().allow(ConsentSignal("anonymous", gpc=True), None, NOW).gpc_honoured


@pytest.mark.parametrize(
    ("values", "said"),
    [(["1"], True), (["0"], False), ([], False), (["true"], False), (["0", "1"], True), ([" 1"], False)],
)
def test_global_privacy_control_is_exactly_one(values: list[str], said: bool) -> None:
    assert gpc_signal(values) is said


def test_a_region_no_jurisdiction_covers_gets_nothing() -> None:
    policy = ConsentPolicy(default=ConsentPolicy().default.__class__(regions=("US",)))
    decision = Gatekeeper(policy).allow(ConsentSignal("granted", region="XX"), decided(EVERYTHING), NOW)
    assert (decision.purposes, decision.reason) == (Purpose.NONE, Reason.UNKNOWN_REGION)
    assert Gatekeeper(policy).allow(ConsentSignal("granted", region="US-NY"), None, NOW).purposes == BROAD


def test_what_the_operator_switched_off_is_off_whoever_says_yes() -> None:
    off = keeper(eu=EuropeanUnion(training="off", purchases="off"))
    signal = ConsentSignal("granted", named=VAULT, region="DE")
    assert off.allow(signal, None, NOW).purposes == EVERYTHING & ~Purpose.TRAINING & ~Purpose.PURCHASES
    assert off.allow(signal, decided(EVERYTHING), NOW).purposes == EVERYTHING & ~Purpose.TRAINING & ~Purpose.PURCHASES


def test_a_policy_that_cannot_be_meant_is_refused_with_every_problem() -> None:
    policy = ConsentPolicy(home="mars", more={"eu": Jurisdiction(), "swiss": Jurisdiction(regions=("CH",))})
    assert {setting for setting, _ in policy.problems()} == {"home", "more.eu", "swiss.regions"}
    with pytest.raises(ValueError, match="mars"):
        Gatekeeper(policy)


def test_only_explicit_states_are_decisions_to_record() -> None:
    found = {state: keeper().decided(ConsentSignal(state, named=Purpose.PURCHASES)) for state in STATES}
    assert found == {
        "": None,
        "pending": None,
        "GRANTED": None,
        "yes": None,
        "granted": BROAD | Purpose.PURCHASES,
        "session": Purpose.SESSION,
        "anonymous": Purpose.NONE,
        "denied": Purpose.NONE,
    }


def test_unknown_purposes_grant_nothing() -> None:
    assert named_purposes(["vault.searches", "vault.everything", "", "SESSION"]) == Purpose.SEARCHES


@given(signals, rows)
def test_nothing_is_ever_allowed_beyond_signal_record_and_policy(signal: ConsentSignal, row: PersonRow | None) -> None:
    decision = keeper().allow(signal, row, NOW)
    assert decision.purposes & ~keeper().at_most(signal) == Purpose.NONE
    if row is not None and row.consent_at:
        assert decision.purposes & ~Purpose(row.consent) == Purpose.NONE
    if signal.state != "granted" and not (signal.state == "" and row is not None and row.consent_at):
        assert decision.purposes & ~Purpose.SESSION == Purpose.NONE
    if not signal.named & VAULT and signal.state:
        assert decision.purposes & VAULT == Purpose.NONE


@given(st.sampled_from(REGIONS), rows, st.booleans())
def test_a_stricter_home_never_allows_more(region: str, row: PersonRow | None, gpc: bool) -> None:
    for state, named in product(STATES, (Purpose.NONE, VAULT)):
        signal = ConsentSignal(state, named=named, region=region, gpc=gpc)
        strict, loose = (keeper(home=home).allow(signal, row, NOW).purposes for home in ("eu", "default"))
        assert strict & ~loose == Purpose.NONE
