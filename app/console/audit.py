"""The audit log: who did what, the newest first."""

from __future__ import annotations

import msgspec

from app.console.asked import Answer, Asked, Page
from store.audit import AuditEntry

PAGE = 100


class Log(msgspec.Struct, frozen=True):
    """GET /console/audit.json"""

    entries: list[AuditEntry]
    before: int
    """For `before` of the next page; 0 on the last one."""
    kept_days: float


async def log(asked: Asked) -> Answer:
    staff = asked.node.staff
    before = asked.number("before", 0, 1 << 53)
    found = staff.audit.page(before or None, PAGE + 1)
    more = found[PAGE - 1].seq if len(found) > PAGE else 0
    data = Log(found[:PAGE], more, staff.options.audit_days)
    return Page("audit.html", "Audit & roles", data, extra={"tab": "log", "first": not before})
