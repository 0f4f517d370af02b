"""Privacy requests: taken down, what is held, carried out, receipt. The page shows the way and how far it has come."""

from __future__ import annotations

import msgspec
from starlette.responses import Response

from app.console.asked import Answer, Asked, Go, Notice, Page
from app.privacy.dsar import PrivacyRequest, RequestOnWire, described, find_request, open_request
from app.privacy.visitor import VisitorOnWire
from app.problem import Problem
from app.routes.answers import json_response
from app.routes.privacy_requests import ACTS, CONFIRMED, NO_STORE, Executed, Preview, RequestList, act_on

LISTED = 200
KINDS = {
    "access": ("Access", "What is held about the person, handed to them (GDPR 15)"),
    "export": ("Export", "The same in a form other services can read (GDPR 20)"),
    "erasure": ("Erasure", "Everything about the person is removed, with a signed receipt (GDPR 17)"),
    "objection": ("Objection", "Nothing is used for any purpose any more (GDPR 21)"),
    "restriction": ("Restriction", "Use is paused while something is cleared up (GDPR 18)"),
}
BY = {"user": "The shop's user id", "anon": "The beacon's id in their browser", "session": "The id of one visit"}
DONE = {
    "acknowledge": "Noted: the person was told that the request has come.",
    "extend": "The later date holds; the person has to be told why.",
}


class RequestScreen(msgspec.Struct, frozen=True, kw_only=True):
    """One request; `held` only in the answer to looking."""

    request: PrivacyRequest
    known: bool | None = None
    held: list[dict[str, object]] = []


async def listing(asked: Asked) -> Answer:
    return _list_page(asked)


async def take_down(asked: Asked) -> Answer:
    """A new request. The code that shows whose it was is told once, for the person."""
    form = asked.form
    kind, by, name = form.get("kind"), form.get("by"), form.get("name")
    errors = {}
    if kind not in KINDS:
        errors["kind"] = f"choose one of {', '.join(KINDS)}"
    if by not in BY:
        errors["by"] = f"choose one of {', '.join(BY)}"
    if not name:
        errors["name"] = "whom it is about, as the shop knows them"
    if errors:
        return _list_page(asked, errors)
    try:
        visitor = msgspec.convert({by: name}, VisitorOnWire)
        made = await open_request(
            asked.node, RequestOnWire(kind, visitor, form.get("jurisdiction"))  # type: ignore[arg-type]  # one of KINDS
        )  # fmt: skip
    except msgspec.ValidationError as error:
        return _list_page(asked, {"name": str(error)})
    except Problem as problem:
        if problem.details.status != 400:
            raise
        pointers = {"/visitor": "name", "/jurisdiction": "jurisdiction"}
        return _list_page(asked, {pointers.get(each.pointer, "name"): each.detail for each in problem.details.errors})
    await asked.node.staff.note(asked.actor, f"{kind} requested", made.id)
    told = (
        "Taken down. Give the person this code: with it and their id anyone can show that the request was theirs. It"
        " is not kept."
    )
    return Go(f"/console/requests/{made.id}", Notice(told, shown_once=made.opening))


async def request(asked: Asked) -> Answer:
    return _request_page(asked)


async def act(asked: Asked) -> Answer:
    """Acknowledge, extend, look, carry out; the last two want the password."""
    action, node = asked.form.get("do"), asked.node
    if action not in ACTS:
        raise Problem(404, "There is no such action", f"there are {', '.join(ACTS)}")
    row = find_request(node, asked.path("id"))
    if action in CONFIRMED:
        asked.require_password()
    if action == "execute" and row.kind == "erasure" and not asked.form.get("sure"):
        return _request_page(asked, error="Tick the box first: an erasure cannot be undone.")
    answer = await act_on(node, asked.actor, row, action)
    here = f"/console/requests/{row.id:016x}"
    if isinstance(answer, Preview):
        return _request_page(asked, answer)
    if isinstance(answer, Executed):
        if answer.export:
            return _download(answer, f"export-{row.id:016x}.json")
        return Go(here, Notice("Carried out. The receipt is below; whom it was about is not known here any more."))
    return Go(here, Notice(DONE[action]))


async def receipt(asked: Asked) -> Answer:
    """The signed receipt as a file."""
    found = described(asked.node, find_request(asked.node, asked.path("id")))
    if found.receipt is None:
        raise Problem(404, "There is no receipt yet", "it comes when the request has been carried out")
    return _download(found.receipt, f"receipt-{found.id}.json")


def _download(content: object, name: str) -> Response:
    body = msgspec.json.format(msgspec.json.encode(content), indent=2)
    return json_response(body, headers=NO_STORE | {"content-disposition": f'attachment; filename="{name}"'})


def _list_page(asked: Asked, errors: dict[str, str] | None = None) -> Page:
    node = asked.node
    data = RequestList(
        [described(node, row) for row in node.requests.open(LISTED)],
        [described(node, row) for row in node.requests.closed(LISTED)],
    )
    extra = {
        "kinds": KINDS, "by": list(BY.items()), "errors": errors or {}, "form": asked.form,
        "jurisdictions": [("", f"The shop's ({node.config.consent.home})"),
                          *((name, name) for name in sorted(node.config.consent.jurisdictions()))],
    }  # fmt: skip
    return Page("requests.html", "Privacy requests", data, 422 if errors else 200, extra)


def _request_page(asked: Asked, preview: Preview | None = None, error: str = "") -> Page:
    node = asked.node
    found = described(node, find_request(node, asked.path("id")))
    held = [msgspec.to_builtins(each) for each in preview.held] if preview else []
    data = RequestScreen(request=found, known=preview.known if preview else None, held=held)
    extra = {"kinds": KINDS, "error": error, "looked": preview is not None}
    return Page("request.html", f"{KINDS[found.kind][0]} request", data, 422 if error else 200, extra)
