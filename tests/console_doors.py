"""Who may open which page of the console: the part of tests/test_access.py's matrix that is about people at screens."""

from __future__ import annotations

from dataclasses import dataclass

from store.accounts import ROLE_NAMES

ROLES = frozenset(ROLE_NAMES)
EVERYONE = frozenset({"nobody", "guesser", "public", "server", *ROLES})
SHOP = frozenset({"marketer", "operator"})
MARKETER = frozenset({"marketer"})
PRIVACY = frozenset({"privacy"})
WATCHED = frozenset({"privacy", "operator"})
OPERATOR = frozenset({"operator"})
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Page:
    """One screen with its JSON twin: who sees it, and an address where the template has placeholders."""

    template: str
    may: frozenset[str]
    path: str = ""
    twin: str = ""

    @property
    def address(self) -> str:
        return f"/console{self.path or self.template or '/'}"

    @property
    def json(self) -> str:
        return f"/console{self.twin or f'{self.path or self.template}.json'}"


@dataclass(frozen=True)
class Act:
    """One form: who may send it, what is in it, and whether it wants the password."""

    template: str
    may: frozenset[str]
    body: str = ""
    path: str = ""
    confirmed: bool = False

    @property
    def address(self) -> str:
        return f"/console{self.path or self.template}"


PAGES = [
    Page("", ROLES, twin="/today.json"),
    Page("/account", ROLES),
    Page("/rules", MARKETER),
    Page("/rules/new", MARKETER),
    Page("/rules/review", MARKETER),
    Page("/rules/personas", MARKETER),
    Page("/rules/versions", MARKETER),
    Page("/rules/versions/{version}", MARKETER, "/rules/versions/r9"),
    Page("/rules/rule/{id}", MARKETER, "/rules/rule/none"),
    Page("/experiments", MARKETER),
    Page("/experiments/new", MARKETER),
    Page("/experiments/{key}", MARKETER, "/experiments/none"),
    Page("/experiments/{key}/edit", MARKETER, "/experiments/none/edit"),
    Page("/segments", SHOP),
    Page("/catalogue", SHOP),
    Page("/catalogue/{id:path}", SHOP, "/catalogue/S2"),
    Page("/placements", SHOP),
    Page("/placements/{name}", SHOP, "/placements/home"),
    Page("/pages", ROLES),
    Page("/pages/review", ROLES),
    Page("/pages/versions", ROLES),
    Page("/pages/page/{name}", ROLES, "/pages/page/home"),
    Page("/why", ROLES),
    Page("/why/{request_id}", ROLES, "/why/none"),
    Page("/consent", PRIVACY),
    Page("/requests", PRIVACY),
    Page("/requests/{id}", PRIVACY, "/requests/0"),
    Page("/requests/{id}/receipt", PRIVACY, "/requests/0/receipt"),
    Page("/training", WATCHED),
    Page("/plugins", OPERATOR),
    Page("/setup", SHOP),
    Page("/setup/watch", SHOP),
    Page("/audit", WATCHED),
    Page("/audit/people", OPERATOR),
    Page("/audit/keys", OPERATOR),
]
ACTS = [
    Act("/account", ROLES, "new=short&again=short", confirmed=True),
    Act("/theme", ROLES, "theme=dark"),
    Act("/sign-out", ROLES),
    Act("/rules", MARKETER, "do=toggle&id=none"),
    Act("/rules/new", MARKETER, "name="),
    Act("/rules/rule/{id}", MARKETER, "name=", "/rules/rule/none"),
    Act("/rules/review", MARKETER, "etag=none"),
    Act("/rules/versions/{version}", MARKETER, "", "/rules/versions/r9"),
    Act("/rules/personas", MARKETER, "do=remove"),
    Act("/experiments/new", MARKETER, "name="),
    Act("/experiments/{key}", MARKETER, "do=start", "/experiments/none"),
    Act("/experiments/{key}/edit", MARKETER, "name=", "/experiments/none/edit"),
    Act("/pages", MARKETER, "do=remove&page=none&etag=d0"),
    Act("/pages/review", MARKETER, "etag=none"),
    Act("/pages/versions/{version}", MARKETER, "", "/pages/versions/p9"),
    Act("/pages/page/{name}", MARKETER, "section=home", "/pages/page/home"),
    Act("/training", OPERATOR, "do=promote&id=none"),
    Act("/requests", PRIVACY, "kind=erasure"),
    Act("/requests/{id}", PRIVACY, "do=acknowledge", "/requests/0"),
    Act("/setup/watch", SHOP),
    Act("/audit/people", OPERATOR, "name=grace", confirmed=True),
    Act("/audit/people/{name}", OPERATOR, "do=roles", "/audit/people/none", confirmed=True),
    Act("/audit/keys", OPERATOR, "kind=public&origins=none", confirmed=True),
    Act("/audit/keys/{id}", OPERATOR, path="/audit/keys/999", confirmed=True),
]
