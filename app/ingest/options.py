"""How much may come in, how late and how fast, as the operator writes it in the configuration."""

from typing import Annotated

import msgspec
from msgspec import Meta

Bound = Annotated[int, Meta(ge=1)]


class IngestLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bounds of the event endpoints; what is above them is refused, never cut."""

    beacon_bytes: Bound = 65_536
    """Largest `text/plain` body: what a browser may send."""
    batch_bytes: Bound = 1_048_576
    """Largest `application/json` body, and largest line of an import."""
    events_per_batch: Bound = 1_000
    past_hours: float = 24.0
    """A browser's event older than this is dropped; a server key may report older ones."""
    future_minutes: float = 5.0
    """An event further in the future is dropped, whoever sent it, unless the node's clock follows the events."""
    batches_per_minute: Bound = 600
    """Per network prefix (IPv4 /24, IPv6 /48), for requests with a public key."""
    prefixes: Bound = 100_000
    """Network prefixes remembered at once for that limit; the longest unseen is forgotten first."""
    proxies: Annotated[int, Meta(ge=0)] = 0
    """How many reverse proxies of the shop's own stand in front and append to X-Forwarded-For."""
    retry_after_seconds: Bound = 1
    """What a client is told to wait when the queue is full."""
    import_window: Bound = 2_048
    """Events of one import that wait for the disk together: half of them are read while the others are written."""
    import_errors: Bound = 100
    """Line errors an import's answer lists; the rest are counted."""
