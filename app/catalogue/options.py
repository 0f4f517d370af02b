"""What an operator can set about taking in products: the bounds of a request."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

Count = Annotated[int, Meta(ge=1)]


class CatalogueOptions(msgspec.Struct, frozen=True, kw_only=True):
    """[catalogue]: how much may come in at once."""

    item_bytes: Count = 64 * 1024
    """Largest body of PUT /v1/items/{id}."""
    batch_items: Count = 1_000
    batch_bytes: Count = 16 * 1024 * 1024
    """Largest body of POST /v1/items:batch."""
    feed_bytes: Count = 512 * 1024 * 1024
    """Largest feed, unpacked."""
    feed_minutes: Annotated[float, Meta(gt=0)] = 60.0
    """Longest that fetching and reading a feed may take; the next one waits for it."""
    feed_errors: Annotated[int, Meta(ge=1, le=10_000)] = 100
    """Rows that were not taken, told one by one."""
    page_items: Annotated[int, Meta(ge=1, le=10_000)] = 1_000
    """Most items in one answer of GET /v1/items."""
