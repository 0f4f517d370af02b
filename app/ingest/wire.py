"""Reads what a beacon, a shop's server or an import sends, and says of each event what became of it.

The names and shapes are Google Analytics 4's (`items`, `search_term`, `engagement_time_msec` …) with a few of our own.
What is not named here is skipped while parsing, so nothing personal can ride along in a field nobody asked for.
"""

from enum import StrEnum
from typing import Annotated, Any, Generic, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import Meta

from app.dialects.shapes import translate
from app.privacy.signals import SignalsOnWire
from app.problem import field_error

EVENT_NAMES = frozenset(
    {
        "page_view", "view_item", "view_item_list", "select_item", "search", "add_to_cart", "remove_from_cart",
        "view_cart", "begin_checkout", "purchase", "refund", "add_to_wishlist", "user_engagement",
        "consent_update", "recommendation_served", "dismiss_item",
    }
)  # fmt: skip

Short = Annotated[str, Meta(max_length=128)]
Text = Annotated[str, Meta(max_length=512)]
Token = Annotated[str, Meta(max_length=1024)]
Money = Annotated[float, Meta(ge=-1e12, le=1e12)]
Price = Annotated[float, Meta(ge=0, le=1e12)]
Quantity = Annotated[float, Meta(ge=0, le=1e6)]
Milliseconds = Annotated[int, Meta(ge=0, le=2**50)]


class DropReason(StrEnum):
    """Why an event was not kept."""

    MALFORMED = "malformed"
    UNKNOWN_EVENT = "unknown_event"
    NOT_ALLOWED = "not_allowed_for_key"
    TOO_OLD = "too_old"
    IN_THE_FUTURE = "in_the_future"
    NO_CONSENT = "no_consent"
    NO_VISITOR = "no_visitor"
    UNKNOWN_ITEM = "unknown_item"
    SENSITIVE = "sensitive"
    REJECTED = "rejected"
    ERASED = "erased"


class LineOnWire(msgspec.Struct, frozen=True):
    """One line of `params.items`."""

    item_id: Short | int
    """A number where the shop's data layer writes one."""
    price: Price | None = None
    quantity: Quantity | None = None
    token: Token | None = None
    item_list_id: Short | None = None
    also: Annotated[tuple[Short, ...], Meta(max_length=4)] = ()
    """Other ids of the same product, for a catalogue that knows it by one of those."""


class Params(msgspec.Struct, frozen=True):
    """The parameters of an event that mean something here."""

    items: Annotated[list[LineOnWire], Meta(max_length=1000)] | None = None
    value: Money | None = None
    search_term: Text | None = None
    engagement_time_msec: Annotated[float, Meta(ge=0, le=1e9)] | None = None
    item_list_id: Short | None = None
    token: Token | None = None
    transaction_id: Short | int | None = None
    """Of an order: told again by a page that is loaded again, it is the same purchase."""


NO_PARAMS = Params()


class EventOnWire(msgspec.Struct, frozen=True):
    """One event; `id` is the sender's, repeated when the event is sent again."""

    id: Annotated[str, Meta(min_length=1, max_length=128)]
    name: Short
    ts: Milliseconds
    item: Short | None = None
    params: Params | None = None


class Location(msgspec.Struct, frozen=True):
    """Degrees. Goes to the vault and nowhere else."""

    lat: Annotated[float, Meta(ge=-90, le=90)]
    lon: Annotated[float, Meta(ge=-180, le=180)]


Event = TypeVar("Event")


class Batch(msgspec.Struct, Generic[Event], frozen=True):
    """What one visitor did, sent together."""

    events: list[Event]
    v: Literal[1] = 1
    key: Short = ""
    sent: Milliseconds | None = None
    """The sender's clock when it sent, to correct the events' times by."""
    consent: Annotated[str, Meta(max_length=16)] | None = None
    consent_version: Annotated[str, Meta(max_length=64)] | None = None
    purposes: Annotated[list[Short], Meta(max_length=32)] | None = None
    anon: Short | None = None
    user: Short | None = None
    user_sig: Short | None = None
    session: Short | None = None
    region: Annotated[str, Meta(max_length=64)] | None = None
    location: Location | None = None
    signals: SignalsOnWire | None = None
    """Consent strings of other formats."""


BatchOnWire: TypeAlias = Batch[msgspec.Raw]
"""The envelope read, its events not yet."""


class Refused(Exception):
    """A body that cannot be read as a batch at all; the text says where and what would be right."""

    def __init__(self, detail: str, pointer: str = "") -> None:
        super().__init__(detail)
        self.detail = detail
        self.pointer = pointer


class EventResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one event, in the order they were sent."""

    id: str
    status: Literal["accepted", "duplicate", "dropped"]
    reason: str = ""
    detail: str = ""


class BatchResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer to a batch."""

    results: list[EventResult]
    gpc: Literal["", "honoured"] = ""
    """Global Privacy Control came, and was honoured (11 CCR 7025)."""


_batch = msgspec.json.Decoder(BatchOnWire)
_event = msgspec.json.Decoder(EventOnWire)
_object = msgspec.json.Decoder(dict[str, Any])


class _Named(msgspec.Struct):
    id: str = ""


_named = msgspec.json.Decoder(_Named)


def read_batch(body: bytes, events_at_most: int) -> BatchOnWire:
    """The envelope; its events stay unread, so that a broken one does not spoil the others.

    Raises Refused, also for a body nested so deep that reading on would be an attack.
    """
    try:
        batch = _batch.decode(body)
    except msgspec.ValidationError as error:
        found = field_error(error, BatchOnWire)
        raise Refused(found.detail, found.pointer) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused(f"not JSON: {error}") from None
    except RecursionError:
        raise Refused("nested too deep; a batch has five levels") from None
    if len(batch.events) > events_at_most:
        raise Refused(f"{len(batch.events)} events; at most {events_at_most} in one batch", "/events")
    return batch


def read_event(raw: msgspec.Raw) -> EventOnWire | EventResult:
    """One event, or why it cannot be one."""
    try:
        return _event.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return _translated(raw) or EventResult(_id_of(raw), "dropped", DropReason.MALFORMED, str(error))
    except RecursionError:
        return EventResult(_id_of(raw), "dropped", DropReason.MALFORMED, "nested too deep")


def _translated(raw: msgspec.Raw) -> EventOnWire | EventResult | None:
    """An event of another vendor's shape (app/dialects/shapes.py); None where it is nobody's."""
    try:
        foreign = _object.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    told = translate(foreign, bytes(raw))
    if told is None:
        return None
    try:
        return msgspec.convert(told, EventOnWire)
    except msgspec.ValidationError as error:
        return EventResult(str(told.get("id", "")), "dropped", DropReason.MALFORMED, str(error))


def _id_of(raw: msgspec.Raw) -> str:
    try:
        return _named.decode(raw).id[:128]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
