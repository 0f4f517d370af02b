"""The door of everyone who operates the node: which session a request brings, and whether it may do what it asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from starlette.requests import Request

from app.admin.sessions import Session, same_csrf
from app.problem import Problem
from store.accounts import ROLE_NAMES, Role, names_of

if TYPE_CHECKING:
    from app.admin.staff import Staff

COOKIE = "__Host-personalize"
"""`__Host-`: browsers take it over TLS (or on localhost) only, for this very host, never from a subdomain."""
CSRF_HEADER = "personalize-csrf"
CONFIRM = "/problems/confirm-password"
"""`type` of the problem a page answers by asking for the password."""
_READING = ("GET", "HEAD")


def staff_of(request: Request) -> Staff:
    """The node's staff, put there by `create_app`."""
    return cast("Staff", request.app.state.staff)


def signed_in(request: Request) -> bool:
    """Whether anyone of the staff asks; for what is only read."""
    return staff_of(request).session(request.cookies.get(COOKIE, "")) is not None


def require(request: Request, *any_of: str, confirmed: bool = False) -> Session:
    """The session of a request that may do what it asks; its `name` is the actor for the audit log.

    `any_of`: roles of which one is enough ("marketer", "privacy", "operator"); none named: anyone signed in.
    `confirmed`: only within minutes of entering the password (erase, export, accounts, keys).
    Raises Problem 401 without a session, 403 without the role, from a page of another origin, or unconfirmed.
    """
    staff = staff_of(request)
    session = staff.session(request.cookies.get(COOKIE, ""))
    if session is None:
        raise Problem(401, "Not signed in", "sign in first: POST /v1/admin/login")
    if request.method not in _READING:
        require_own_page(request)
        if not same_csrf(session, request.headers.get(CSRF_HEADER, "")):
            raise Problem(403, "Not from a page of ours", f"send `csrf` of the sign-in as the header {CSRF_HEADER}")
    wanted = Role.NONE
    for name in any_of:
        wanted |= ROLE_NAMES[name]
    if wanted and not session.roles & wanted:
        raise Problem(403, "Not for your role", f"this needs the role {' or '.join(names_of(wanted))}")
    if confirmed and not staff.confirmed(session):
        raise Problem(403, "Enter your password again", "POST /v1/admin/confirm, then repeat this", kind=CONFIRM)
    return session


def require_own_page(request: Request) -> None:
    """Raises Problem 403 where a browser says that a page of another origin asks."""
    site = request.headers.get("sec-fetch-site", "same-origin")
    origin = request.headers.get("origin", "")
    own = not origin or origin.partition("://")[2] == request.headers.get("host", "")
    if site not in ("same-origin", "none") or not own:
        raise Problem(403, "Not from a page of ours", "a page of another origin may not do this")
