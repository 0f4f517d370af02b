"""What an operator sets about erasing people and answering what they ask."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class ErasureOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[erasure]: how somebody is forgotten."""

    answer_ms: Annotated[int, Meta(ge=0, le=10_000)] = 250
    """Answers come at multiples of it, so that their timing does not say whether anything was held; 0: at once."""
    request_log_days: Annotated[float, Meta(gt=0, le=36_500)] = 730.0
    """How long it is known that somebody asked for something, but not who (24 months: 11 CCR 7101)."""
    open_requests: Annotated[int, Meta(ge=1)] = 10_000
    """At most so many requests unanswered at once."""
