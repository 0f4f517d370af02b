"""Staff for tests: accounts with a role each, and requests that come from one of them."""

from __future__ import annotations

from app.node import Node
from app.routes.admin import COOKIE, CSRF_HEADER
from store.accounts import ROLE_NAMES, Role

PASSWORD = "correct horse battery"


async def headers_of(node: Node, role: str | Role, *, confirmed: bool = True) -> dict[str, str]:
    """What a page of the console sends for someone with this role (or these), who just entered the password, or did
    long ago."""
    name = f"{role}-of-the-shop" if isinstance(role, str) else "everything-of-the-shop"
    if node.staff.accounts.get(name) is None:
        await node.staff.accounts.add(
            name, ROLE_NAMES[role] if isinstance(role, str) else role, "scrypt$4$8$1$00$00", node.staff.now()
        )
    account = node.staff.accounts.get(name)
    assert account is not None
    token, session = node.staff.start_session(account)
    if not confirmed:
        session.confirmed = -1e9
    return {"cookie": f"{COOKIE}={token}", CSRF_HEADER: session.csrf}
