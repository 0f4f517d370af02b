"""People & keys: who may do what here, and which keys the shop uses. Every change wants the password."""

from __future__ import annotations

import re

import msgspec

from app.admin.passwords import generate
from app.console.asked import Answer, Asked, Go, Notice, Page
from app.ingest.wire import EVENT_NAMES
from app.problem import Problem
from app.routes.accounts import (
    AccountOnWire,
    ChangeOnWire,
    account_named,
    add_account,
    change_account,
    remove_account,
)
from app.routes.api_keys import KeyOnWire, make_key, revoke_key
from store.accounts import ROLE_NAMES, names_of

NAME = re.compile(r"[\w.@+-]{1,64}")
ROLES = {
    "marketer": "Rules, experiments, segments, placements, catalogue",
    "privacy": "Consent, retention, privacy requests, audit log",
    "operator": "Accounts, keys, plugins, training, setup",
}


class Person(msgspec.Struct, frozen=True):
    """One account."""

    name: str
    roles: list[str]
    created: int
    you: bool


class People(msgspec.Struct, frozen=True):
    """GET /console/audit/people.json"""

    people: list[Person]


class Key(msgspec.Struct, frozen=True):
    """One key of the API; a server key's text is never shown again."""

    id: int
    kind: str
    shown: str
    origins: list[str]
    events: list[str]
    created: int


class Keys(msgspec.Struct, frozen=True):
    """GET /console/audit/keys.json"""

    keys: list[Key]


async def people(asked: Asked) -> Answer:
    return _people_page(asked)


async def add_person(asked: Asked) -> Answer:
    """A new account with a generated password, which is shown once."""
    asked.require_password()
    name, roles = asked.form.get("name"), asked.form.all("roles")
    errors = {}
    if not NAME.fullmatch(name):
        errors["name"] = "1 to 64 letters, digits and . _ @ + -"
    if not roles:
        errors["roles"] = "an account without a role can do nothing"
    if errors:
        return _people_page(asked, errors)
    password = generate()
    try:
        await add_account(asked.node.staff, asked.actor, AccountOnWire(name, roles, password))
    except Problem as problem:
        return _people_page(asked, {"name": problem.details.detail or problem.details.title})
    told = f"{name} can sign in with this password, which is shown only now."
    return Go("/console/audit/people", Notice(told, shown_once=password))


async def change_person(asked: Asked) -> Answer:
    """Other roles, a new password, or gone."""
    asked.require_password()
    staff, form = asked.node.staff, asked.form
    account = account_named(staff, asked.path("name"))
    here, notice = "/console/audit/people", Notice(f"{account.name} has other roles now and has to sign in again.")
    if form.get("do") == "remove":
        await remove_account(staff, asked.actor, account.name)
        notice = Notice(f"{account.name} is gone and signed out everywhere.")
    elif form.get("do") == "password":
        password = generate()
        await change_account(staff, asked.actor, account.name, ChangeOnWire(password=password))
        notice = Notice(f"The new password of {account.name}, shown only now.", shown_once=password)
    elif form.get("do") == "roles":
        await change_account(staff, asked.actor, account.name, ChangeOnWire(roles=form.all("roles")))
    else:
        raise Problem(404, "There is no such action", "there are roles, password and remove")
    return Go(here, notice)


async def keys(asked: Asked) -> Answer:
    return _keys_page(asked)


async def create_key(asked: Asked) -> Answer:
    """A new key; a server key's text is shown once."""
    asked.require_password()
    form = asked.form
    origins = form.get("origins").replace(",", " ").split()
    events = form.all("events")
    try:
        told = msgspec.convert({"kind": form.get("kind"), "origins": origins, "events": events}, KeyOnWire)
        key, text = await make_key(asked.node.keys, asked.node.staff, asked.actor, told)
    except msgspec.ValidationError:
        return _keys_page(asked, {"origins": "origins such as https://shop.example, with blanks between them"})
    except Problem as problem:
        return _keys_page(asked, {"origins": problem.details.detail or problem.details.errors[0].detail})
    once = text if key.kind == "server" else ""
    told_text = "A new server key, shown only now: keep it where your server keeps its secrets." if once else (
        f"A new public key: {key.shown}"
    )  # fmt: skip
    return Go("/console/audit/keys", Notice(told_text, shown_once=once))


async def withdraw_key(asked: Asked) -> Answer:
    asked.require_password()
    key = await revoke_key(asked.node.keys, asked.node.staff, asked.actor, asked.path("id"))
    return Go("/console/audit/keys", Notice(f"The {key.kind} key {key.id} is refused from now on."))


def _people_page(asked: Asked, errors: dict[str, str] | None = None) -> Page:
    found = [
        Person(each.name, names_of(each.roles), each.created, each.name == asked.actor)
        for each in asked.node.staff.accounts.all()
    ]
    extra = {"tab": "people", "roles": ROLES, "errors": errors or {}, "form": asked.form, "all_roles": list(ROLE_NAMES)}
    return Page("people.html", "People", People(found), 422 if errors else 200, extra)


def _keys_page(asked: Asked, errors: dict[str, str] | None = None) -> Page:
    found = [
        Key(each.id, each.kind, each.shown, list(each.origins), list(each.events), each.created)
        for each in asked.node.keys.api_keys()
    ]
    extra = {"tab": "keys", "errors": errors or {}, "form": asked.form, "event_names": sorted(EVENT_NAMES)}
    return Page("keys.html", "Keys", Keys(found), 422 if errors else 200, extra)
