"""Whether something personal may be used: asked before every read, write and training, answered no by default.

The mapping of signals to purposes is PRIVACY.md section 1. A decision is made in memory (a few microseconds) from the
signal that came with the request, the decision the person's row holds, and the operator's policy; all three must agree.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

from app.privacy.policy import ConsentPolicy, Jurisdiction
from store.records import PURPOSE_NAMES, VAULT, PersonRow, Purpose

DAY = 86_400
_VAULT = int(VAULT)
_SESSION = int(Purpose.SESSION)
# What "granted" means; the vault's categories only by name.
BROAD = int(Purpose.SESSION | Purpose.PROFILE | Purpose.TRAINING | Purpose.EXPERIMENTS)
_SETS = {mask: Purpose(mask) for mask in range(128)}
"""Building an IntFlag costs more than the whole decision; there are only these."""


class Reason(StrEnum):
    """Why the answer is what it is."""

    SIGNAL = "signal"
    RECORD = "record"
    BOTH = "signal_and_record"
    POLICY = "policy_default"
    GPC = "global_privacy_control"
    PENDING = "pending"
    DENIED = "denied"
    ANONYMOUS = "anonymous"
    EXPIRED = "record_expired"
    UNREADABLE = "unreadable_signal"
    UNKNOWN_REGION = "unknown_region"
    RESTRICTED = "restricted"
    OBJECTED = "objected"


@dataclass(frozen=True, slots=True)
class ConsentSignal:
    """What a request says about consent."""

    state: str = ""
    """`granted`, `session`, `anonymous`, `denied`, `pending`; empty when the request says nothing."""
    named: Purpose = Purpose.NONE
    """Purposes named one by one (`purposes: […]`)."""
    version: str = ""
    """Version of the policy text the person saw."""
    region: str = ""
    gpc: bool = False
    """Sec-GPC came with the exact value 1."""
    source: str = "beacon"
    told: Purpose | None = None
    """What consent strings of other formats (TCF, GPP, Consent Mode) permit at most; None: none came."""

    @property
    def speaks(self) -> str:
        """The state, said in a word or by a consent string; empty where the request says nothing."""
        if self.state or self.told is None:
            return self.state
        return "granted" if int(self.told) & int(Purpose.PROFILE) else "session" if int(self.told) & _SESSION else ""


@dataclass(frozen=True, slots=True)
class Decision:
    """What may be done, and why. `purposes` empty means: answer from the page's context, keep nothing."""

    purposes: Purpose
    reason: Reason
    version: str = ""
    gpc_honoured: bool = False

    def allows(self, purpose: Purpose) -> bool:
        """Whether every one of the purposes asked for is allowed."""
        return int(self.purposes) & int(purpose) == int(purpose)


NOTHING = Decision(Purpose.NONE, Reason.DENIED)


class Gate(Protocol):
    """What the server asks; a test puts one in its place that always says no."""

    def allow(self, signal: ConsentSignal, record: PersonRow | None, now: float) -> Decision: ...

    def at_most(self, signal: ConsentSignal) -> Purpose: ...

    def decided(self, signal: ConsentSignal) -> Purpose | None: ...


class _Rule(NamedTuple):
    allowed: int
    unasked: int
    gpc: bool
    record_seconds: int


class Gatekeeper:
    """The policy's answer to every signal. Holds no state about anyone."""

    def __init__(self, policy: ConsentPolicy) -> None:
        problems = policy.problems()
        if problems:
            raise ValueError("; ".join(f"{setting}: {sentence}" for setting, sentence in problems))
        home = _rule(policy.jurisdictions()[policy.home])
        self._home = home
        self._rules = {
            region.upper(): _strictest(home, _rule(jurisdiction))
            for jurisdiction in policy.jurisdictions().values()
            for region in jurisdiction.regions
        }
        self._elsewhere = self._rules.pop("*", None)
        self._version = policy.version

    def allow(self, signal: ConsentSignal, record: PersonRow | None, now: float) -> Decision:
        """What the person behind `record` (None: nobody known) allows in a request that carries `signal`.

        Where signal and recorded decision both speak, only what both grant is allowed; a decision older than the
        policy's age counts as no. Never raises: what cannot be read is a no.
        """
        version = signal.version or self._version
        rule = self._rule(signal.region)
        if rule is None:
            return Decision(Purpose.NONE, Reason.UNKNOWN_REGION, version)
        refused = _REFUSED.get(signal.state)
        if refused is not None:
            return Decision(Purpose.NONE, refused, version, gpc_honoured=refused is Reason.ANONYMOUS and signal.gpc)
        asked = _asked(signal, rule)
        if asked is None and signal.state:
            return Decision(Purpose.NONE, Reason.UNREADABLE, version)
        if record is not None and record.decided:
            if record.restricted:
                return Decision(Purpose.NONE, Reason.RESTRICTED, version)
            if record.consent_at:
                return _by_record(signal, record, asked, rule, now)
        return _without_record(signal, record.objected if record is not None else 0, asked, rule, version)

    def at_most(self, signal: ConsentSignal) -> Purpose:
        """What this signal could allow at best, whatever the record says: nothing means that no row need be read."""
        rule = self._rule(signal.region)
        if rule is None or signal.state in _REFUSED:
            return Purpose.NONE
        if not signal.state:
            return _SETS[rule.allowed if signal.told is None else rule.allowed & int(signal.told)]
        return _SETS[_asked(signal, rule) or 0]

    def decided(self, signal: ConsentSignal) -> Purpose | None:
        """The purposes to record when the person decides by this signal; None when it is no decision.

        `pending`, an absent or unreadable state and Global Privacy Control are no decisions; a no is one.
        """
        if signal.state in ("denied", "anonymous"):
            return Purpose.NONE
        rule = self._rule(signal.region)
        if rule is None:
            return None
        asked = _asked(signal, rule)
        if asked is None and signal.told is not None and not signal.state:
            asked = int(signal.told) & BROAD & rule.allowed
        return None if asked is None else _SETS[asked]

    def _rule(self, region: str) -> _Rule | None:
        if not region:
            return self._home
        region = region.upper()
        return self._rules.get(region) or self._rules.get(region.partition("-")[0], self._elsewhere)


_REFUSED = {"pending": Reason.PENDING, "denied": Reason.DENIED, "anonymous": Reason.ANONYMOUS}


def named_purposes(names: Iterable[str]) -> Purpose:
    """The set of purposes so named; what is not known grants nothing."""
    found = 0
    for name in names:
        found |= int(PURPOSE_NAMES.get(name, Purpose.NONE))
    return _SETS[found]


def gpc_signal(values: Iterable[str]) -> bool:
    """Whether the Sec-GPC header says stop: exactly `1`, in any of its repetitions (W3C Global Privacy Control 3.1)."""
    return any(value == "1" for value in values)


def _by_record(signal: ConsentSignal, record: PersonRow, asked: int | None, rule: _Rule, now: float) -> Decision:
    """Somebody decided before: what both the decision and the request grant."""
    version = record.consent_version
    if now - record.consent_at > rule.record_seconds:
        return Decision(Purpose.NONE, Reason.EXPIRED, signal.version or version)
    recorded = record.consent & rule.allowed & ~record.objected
    if asked is not None:
        return Decision(_SETS[recorded & asked], Reason.BOTH, version)
    if signal.told is not None:
        return Decision(_SETS[recorded & int(signal.told)], Reason.BOTH, version)
    return Decision(_SETS[recorded], Reason.RECORD, version)


def _without_record(signal: ConsentSignal, objected: int, asked: int | None, rule: _Rule, version: str) -> Decision:
    """Nobody decided before: what the request says, else what the policy allows without asking."""
    if asked is None and signal.told is not None:
        asked = int(signal.told) & BROAD & rule.allowed
    if asked is not None:
        return Decision(_SETS[asked & ~objected], Reason.OBJECTED if asked & objected else Reason.SIGNAL, version)
    if signal.gpc and rule.gpc:
        return Decision(Purpose.NONE, Reason.GPC, version, gpc_honoured=True)
    reason = Reason.OBJECTED if rule.unasked & objected else Reason.POLICY
    return Decision(_SETS[rule.unasked & ~objected], reason, version)


def _asked(signal: ConsentSignal, rule: _Rule) -> int | None:
    most = rule.allowed if signal.told is None else rule.allowed & int(signal.told)
    if signal.state == "granted":
        return (BROAD | (int(signal.named) & _VAULT)) & most
    if signal.state == "session":
        return _SESSION & most
    return None


def _rule(jurisdiction: Jurisdiction) -> _Rule:
    modes = {
        Purpose.SESSION: jurisdiction.session,
        Purpose.PROFILE: jurisdiction.profile,
        Purpose.TRAINING: jurisdiction.training,
        Purpose.EXPERIMENTS: jurisdiction.experiments,
        Purpose.PURCHASES: jurisdiction.purchases,
        Purpose.SEARCHES: jurisdiction.searches,
        Purpose.LOCATION: jurisdiction.location,
    }
    return _Rule(
        allowed=sum(int(purpose) for purpose, mode in modes.items() if mode != "off"),
        unasked=sum(int(purpose) for purpose, mode in modes.items() if mode == "opt-out"),
        gpc=jurisdiction.gpc == "honour",
        record_seconds=jurisdiction.record_days * DAY,
    )


def _strictest(one: _Rule, other: _Rule) -> _Rule:
    return _Rule(
        one.allowed & other.allowed,
        one.unasked & other.unasked,
        one.gpc or other.gpc,
        min(one.record_seconds, other.record_seconds),
    )
