"""The steps an event takes before the database is asked: a list, run by one small loop that counts and times them.

Each step returns the event, or the reason it ends here. The order is the promise: nothing is looked at more closely
than the steps before have allowed, and after `minimize` no raw search text and no foreign field is left.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from time import perf_counter

from app.dialects.names import ALIASES
from app.ingest.incoming import Draft, Incoming, skew
from app.ingest.meter import IngestMeter
from app.ingest.options import IngestLimits
from app.ingest.wire import (
    EVENT_NAMES,
    NO_PARAMS,
    BatchOnWire,
    DropReason,
    EventResult,
    LineOnWire,
    Params,
    read_event,
)
from app.privacy.gatekeeper import ConsentSignal, Gate, named_purposes
from app.privacy.identity import NOBODY, Claim, Persons, persons_of
from app.privacy.signals import SignalsOnWire
from app.serving.token import Attribution
from store.api_keys import ApiKey
from store.catalogue import Catalogue
from store.clock import Clock, EventClock
from store.keys import KeyRing
from store.records import Line, Purpose

Step = Callable[[Draft, Incoming], Draft | DropReason]
Understand = Callable[[str], Mapping[str, float]]
"""What a search text means: "category:shoes" -> weight."""
Attribute = Callable[[str], Attribution | None]
"""What a token the server signed says; None for any other."""
Permitted = Callable[[SignalsOnWire], tuple[Purpose | None, bool]]
"""What consent strings permit at most, and whether one carries a general no (app/privacy/signals.py)."""

# Without an item these say nothing.
_ABOUT_ITEMS = frozenset(
    {"view_item", "select_item", "add_to_cart", "remove_from_cart", "add_to_wishlist", "dismiss_item"}
)
_ORDERS = frozenset({"purchase", "refund"})
_PURCHASES, _SEARCHES, _LOCATION = int(Purpose.PURCHASES), int(Purpose.SEARCHES), int(Purpose.LOCATION)
_TOKENS = 20
"""Lists that one event is credited to, at most."""
_REGION = re.compile(r"[\w .'-]{1,32}")


class Preparation:
    """What the steps need to know; does no I/O and changes nothing."""

    def __init__(
        self,
        *,
        clock: Clock,
        keys: KeyRing,
        catalogue: Catalogue,
        gatekeeper: Callable[[], Gate],
        limits: IngestLimits,
        understand: Understand,
        attribute: Attribute,
        permitted: Permitted,
        meter: IngestMeter,
    ) -> None:
        self._clock = clock
        self._keys = keys
        self._catalogue = catalogue
        self._gatekeeper = gatekeeper
        self._limits = limits
        self._understand = understand
        self._attribute = attribute
        self._permitted = permitted
        self._meter = meter
        self.steps: tuple[tuple[str, Step], ...] = (
            ("key_and_origin", self._key_allows),
            ("clock_window", self._clock_window),
            ("consent_signal", self._consent_signal),
            ("pseudonymize", self._pseudonymize),
            ("minimize", self._minimize),
        )

    def prepare(self, batch: BatchOnWire, key: ApiKey, *, gpc: bool = False) -> Incoming:
        """The batch after all steps: `drafts` may go on, `results` already say what became of the others."""
        incoming = self._incoming(batch, key, gpc)
        started = perf_counter()
        for place, raw in enumerate(batch.events):
            event = read_event(raw)
            if isinstance(event, EventResult):
                incoming.results[place] = event
            else:
                incoming.drafts.append(Draft(place, event.id, event.name, event.ts, event))
        self._meter.step("read", len(batch.events), perf_counter() - started)
        for name, step in self.steps:
            started = perf_counter()
            entered = len(incoming.drafts)
            incoming.drafts = self._run(step, incoming)
            self._meter.step(name, entered, perf_counter() - started)
        return incoming

    def _run(self, step: Step, incoming: Incoming) -> list[Draft]:
        going_on = []
        for draft in incoming.drafts:
            outcome = step(draft, incoming)
            if isinstance(outcome, DropReason):
                incoming.drop(draft, outcome)
            else:
                going_on.append(outcome)
        return going_on

    def _incoming(self, batch: BatchOnWire, key: ApiKey, gpc: bool) -> Incoming:
        now_ms = self._clock.now_ms()
        told, also_gpc = self._permitted(batch.signals) if batch.signals else (None, False)
        gpc = gpc or also_gpc
        signal = ConsentSignal(
            told=told,
            state=batch.consent or "",
            named=named_purposes(batch.purposes or ()),
            version=batch.consent_version or "",
            region=batch.region or "",
            gpc=gpc,
            source="server" if key.kind == "server" else "beacon",
        )
        at_most = int(self._gatekeeper().at_most(signal))
        return Incoming(
            key=key,
            signal=signal,
            now_ms=now_ms,
            skew_ms=skew(batch, now_ms),
            at_most=at_most,
            # A decision has to find its row even where it says no; for anything else a no means not even looking.
            persons=self._persons(batch, key) if at_most or self._decides(batch, signal) else NOBODY,
            session=self._keys.session_hash(batch.session) if at_most and batch.session else 0,
            region=_region(batch.region),
            location=batch.location if at_most & _LOCATION else None,
            gpc_honoured=gpc and self._gatekeeper().allow(signal, None, now_ms / 1000).gpc_honoured,
            results=[None] * len(batch.events),
            tombstones=self._tombstones(batch),
        )

    def _decides(self, batch: BatchOnWire, signal: ConsentSignal) -> bool:
        """Whether a consent_update may be among the events, which are not read yet, and would decide something."""
        return any(b"consent_update" in bytes(raw) for raw in batch.events) and (
            self._gatekeeper().decided(signal) is not None
        )

    def _persons(self, batch: BatchOnWire, key: ApiKey) -> Persons:
        claim = Claim(
            anon=batch.anon or "",
            user=batch.user or "",
            user_sig=batch.user_sig or "",
            session=batch.session or "",
            trusted=key.kind == "server",
        )
        return persons_of(claim, self._keys)

    def _tombstones(self, batch: BatchOnWire) -> tuple[int, ...]:
        """Under every id the batch names, proved or not: a no costs nobody anything."""
        named = (("user", batch.user), ("anon", batch.anon), ("session", batch.session))
        return tuple(key for kind, name in named if name for key in self._keys.suppression_keys(kind, name))

    def _key_allows(self, draft: Draft, incoming: Incoming) -> Draft | DropReason:
        if draft.name not in EVENT_NAMES:
            if draft.name not in ALIASES:
                return DropReason.UNKNOWN_EVENT
            draft.name = ALIASES[draft.name]
        if incoming.key.events and draft.name not in incoming.key.events:
            return DropReason.NOT_ALLOWED
        return draft

    def _clock_window(self, draft: Draft, incoming: Incoming) -> Draft | DropReason:
        """A browser's events of the last day; a server may report older ones, nobody the future."""
        draft.at_ms = draft.sent_ms + incoming.skew_ms
        server = incoming.key.kind == "server"
        if not server and draft.at_ms < incoming.now_ms - self._limits.past_hours * 3_600_000:
            return DropReason.TOO_OLD
        follows = server and isinstance(self._clock, EventClock)
        if not follows and draft.at_ms > incoming.now_ms + self._limits.future_minutes * 60_000:
            return DropReason.IN_THE_FUTURE
        return draft

    def _consent_signal(self, draft: Draft, incoming: Incoming) -> Draft | DropReason:
        if draft.name == "consent_update":
            incoming.consent_update_ms, incoming.decided_ms = draft.at_ms, draft.earliest_ms
            return draft
        if incoming.at_most:
            return draft
        if incoming.signal.state == "anonymous":
            self._meter.anonymous(draft.name)
        return DropReason.NO_CONSENT

    def _pseudonymize(self, draft: Draft, incoming: Incoming) -> Draft | DropReason:
        return draft if incoming.persons.lasting or incoming.persons.visit else DropReason.NO_VISITOR

    def _minimize(self, draft: Draft, incoming: Incoming) -> Draft | DropReason:
        event = draft.wire
        assert event is not None
        draft.wire = None
        params = event.params or NO_PARAMS
        items = params.items or ([LineOnWire(event.item)] if event.item else [])
        if draft.name in _ORDERS:
            if draft.name == "purchase" and params.transaction_id:
                draft.order = str(params.transaction_id)
            if incoming.at_most & _PURCHASES:
                draft.lines, draft.value = self._order_lines(items), params.value or 0.0
        else:
            draft.lines = self._lines(items)
            if not draft.lines and draft.name in _ABOUT_ITEMS:
                known = any(self._known(item) is not None for item in items)
                return DropReason.SENSITIVE if known else DropReason.UNKNOWN_ITEM
        if draft.name == "user_engagement":
            draft.value = params.engagement_time_msec or 0.0
        elif draft.name == "search" and params.search_term:
            draft.affinities = dict(self._understand(params.search_term))
            draft.search = params.search_term if incoming.at_most & _SEARCHES else ""
        self._credit(draft, params)
        return draft

    def _lines(self, items: list[LineOnWire]) -> tuple[Line, ...]:
        """Distinct known items that may be learned from."""
        if len(items) == 1:
            number = self._number(items[0])
            return () if number is None else (Line(number),)
        numbers = dict.fromkeys(self._number(item) for item in items)
        return tuple(Line(number) for number in numbers if number is not None)

    def _number(self, item: LineOnWire) -> int | None:
        """An item's number; None where it is unknown or sensitive: neither log, profile nor vault hear of it."""
        number = self._known(item)
        return None if number is None or self._catalogue.sensitive[number] else number

    def _known(self, item: LineOnWire) -> int | None:
        number = self._catalogue.number(str(item.item_id))
        if number is None and item.also:
            others = (self._catalogue.number(other) for other in item.also)
            number = next((found for found in others if found is not None), None)
        return number

    def _order_lines(self, items: list[LineOnWire]) -> tuple[Line, ...]:
        known = ((self._number(item), item) for item in items)
        return tuple(
            Line(number, 1.0 if item.quantity is None else item.quantity, item.price)
            for number, item in known
            if number is not None
        )

    def _credit(self, draft: Draft, params: Params) -> None:
        """The request and placement that a token of ours names; a sender's own words are not kept.

        What a cart or an order holds may come from several lists: the first counts in the log, all in experiments.
        """
        named = dict.fromkeys([params.token, *(item.token for item in params.items or ())])
        tokens = [token for token in named if token][:_TOKENS]
        credited = {token: told for token in tokens if (told := self._attribute(token)) is not None}
        if credited:
            first = next(iter(credited.values()))
            draft.request, draft.placement = first.request, first.placement
            draft.arms = tuple((told.request, told.arm) for told in credited.values() if told.arm)
            if any(told.places for told in credited.values()):
                draft.places = tuple(self._places(params, credited))

    def _places(self, params: Params, credited: Mapping[str, Attribution]) -> Iterator[tuple[str, str, int]]:
        """The pin rules at whose places the items stood; a list that is told without items, all of its places."""
        lines = [(item.token or params.token, self._known(item)) for item in params.items or ()]
        for token, number in lines or [(params.token, None)]:
            told = credited.get(token or "")
            for rule, items in told.places if told is not None else ():
                if not lines or number in items:
                    assert told is not None
                    yield told.request, told.arm, rule


def _region(region: str | None) -> str:
    """A coarse place as the shop names it; anything that looks like more is left out."""
    return region if region and _REGION.fullmatch(region) else ""
