"""Events between the wire and the log: minimized step by step, until only what consent allows is left."""

from dataclasses import dataclass, field

from app.ingest.wire import BatchOnWire, DropReason, EventOnWire, EventResult, Location
from app.privacy.choice import Choice
from app.privacy.gatekeeper import ConsentSignal
from app.privacy.identity import NOBODY, Persons
from store.api_keys import ApiKey
from store.records import Line


@dataclass(slots=True)
class Draft:
    """One event on its way. `wire` is let go by the last step; from then on nothing of it is left but what is here."""

    place: int
    """Position in the batch, for its result."""
    id: str
    name: str
    sent_ms: int
    """As the sender gave it, equal in every retry."""
    wire: EventOnWire | None
    at_ms: int = 0
    """By the server's clock."""
    lines: tuple[Line, ...] = ()
    affinities: dict[str, float] = field(default_factory=dict)
    search: str = ""
    """The text itself, only where the vault may get it."""
    value: float = 0.0
    placement: str = ""
    request: str = ""
    arms: tuple[tuple[str, str], ...] = ()
    """(request, `key/arm`) of the lists in experiments that it is credited to; the log does not keep them."""
    places: tuple[tuple[str, str, int], ...] = ()
    """(request, `key/arm`, number of a pin rule) at whose places the items stood; kept as little."""
    order: str = ""
    """The shop's number of a purchase: what one order is counted by, however often it is told."""
    counted: int = 0
    """Its hash among the counted ids."""

    @property
    def identity(self) -> tuple[str, int]:
        """What makes it the same event when it comes again: id and time, or the order it tells of."""
        return (f"order {self.order}", 0) if self.order else (self.id, self.sent_ms)

    @property
    def earliest_ms(self) -> int:
        """When it happened at the earliest: a batch that is sent again word for word looks no younger."""
        return min(self.at_ms, self.sent_ms)


@dataclass(slots=True)
class Incoming:
    """One visitor's batch, and what was found out about it without asking a database."""

    key: ApiKey
    signal: ConsentSignal
    now_ms: int
    skew_ms: int
    """To add to the sender's times."""
    at_most: int = 0
    """Purposes the signal could allow at best."""
    persons: Persons = NOBODY
    session: int = 0
    region: str = ""
    location: Location | None = None
    gpc_honoured: bool = False
    """Said by the policy alone; a recorded decision may say otherwise."""
    consent_update_ms: int | None = None
    """When the person decided, where the batch says so."""
    decided_ms: int = 0
    """The same, the earlier of the sender's word and the server's: what a tombstone is lifted by."""
    tombstones: tuple[int, ...] = ()
    """Where it would stand that this visitor was erased."""
    choice: Choice | None = None
    """A decision told on its own (POST /v1/consent), of `now_ms`."""
    drafts: list[Draft] = field(default_factory=list)
    results: list[EventResult | None] = field(default_factory=list)

    @property
    def trust(self) -> int:
        """3 the shop's server, 2 signed in, 1 a browser."""
        return 3 if self.key.kind == "server" else 2 if self.persons.signed_in else 1

    def drop(self, draft: Draft, reason: DropReason, detail: str = "") -> None:
        self.results[draft.place] = EventResult(draft.id, "dropped", reason, detail)


def skew(batch: BatchOnWire, now_ms: int) -> int:
    """Milliseconds the sender's clock is behind; 0 where it does not say when it sent."""
    return now_ms - batch.sent if batch.sent else 0
