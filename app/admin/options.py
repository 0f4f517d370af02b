"""How long staff stay signed in and how often a password may be tried, as the operator writes it."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

Minutes = Annotated[float, Meta(gt=0, le=1_440)]
Positive = Annotated[int, Meta(ge=1)]


class AdminOptions(msgspec.Struct, frozen=True):
    """[admin]: accounts of those who operate the node."""

    idle_minutes: Minutes = 30.0
    """A session unused for so long is over."""
    session_hours: Annotated[float, Meta(gt=0, le=168)] = 12.0
    """A session this old is over, used or not."""
    confirm_minutes: Minutes = 5.0
    """So long a password just entered stands for erasing, exporting, and changing accounts and keys."""
    sessions: Positive = 200
    """Signed in at once; the longest unused goes first."""
    password_letters: Annotated[int, Meta(ge=12, le=128)] = 12
    """The shortest password one may choose."""
    attempts_per_minute: Positive = 10
    """Wrong and right passwords tried from one network prefix, and for one account."""
    audit_days: Annotated[float, Meta(ge=30, le=36_500)] = 730.0
    """How long what was done is remembered."""
