"""The console's screens: what they are called, who sees them, and the keys that lead there."""

from __future__ import annotations

from dataclasses import dataclass

from store.accounts import EVERY_ROLE, Role

MERCHANDISING, PRIVACY, SYSTEM = "Merchandising", "Privacy", "System"


@dataclass(frozen=True)
class Screen:
    """One entry of the navigation. `key` follows `g` on the keyboard; `icon` names a drawing in icons.html."""

    name: str
    title: str
    group: str
    roles: Role
    key: str
    icon: str

    @property
    def path(self) -> str:
        return f"/console/{self.name}"


_SHOP = Role.MARKETER | Role.OPERATOR
_WATCHED = Role.PRIVACY | Role.OPERATOR
SCREENS = (
    Screen("", "Today", "", EVERY_ROLE, "t", "sun"),
    Screen("rules", "Rules", MERCHANDISING, Role.MARKETER, "r", "rule"),
    Screen("experiments", "Experiments", MERCHANDISING, Role.MARKETER, "x", "flask"),
    Screen("segments", "Segments", MERCHANDISING, _SHOP, "e", "segments"),
    Screen("catalogue", "Catalogue", MERCHANDISING, _SHOP, "c", "tag"),
    Screen("placements", "Placements", MERCHANDISING, _SHOP, "p", "grid"),
    Screen("pages", "Pages", MERCHANDISING, EVERY_ROLE, "o", "layout"),
    Screen("why", "Why this item", MERCHANDISING, EVERY_ROLE, "w", "question"),
    Screen("consent", "Consent & retention", PRIVACY, Role.PRIVACY, "n", "shield"),
    Screen("requests", "Privacy requests", PRIVACY, Role.PRIVACY, "q", "inbox"),
    Screen("training", "Training & budget", SYSTEM, _WATCHED, "b", "chip"),
    Screen("plugins", "Plugins", SYSTEM, Role.OPERATOR, "l", "plug"),
    Screen("setup", "Setup", SYSTEM, _SHOP, "s", "wrench"),
    Screen("audit", "Audit & roles", SYSTEM, _WATCHED, "a", "people"),
)
BY_NAME = {screen.name: screen for screen in SCREENS}


def seen_by(roles: Role) -> list[tuple[str, list[Screen]]]:
    """The navigation of somebody with these roles: groups in order, empty ones left out."""
    groups: dict[str, list[Screen]] = {}
    for screen in SCREENS:
        if screen.roles & roles:
            groups.setdefault(screen.group, []).append(screen)
    return list(groups.items())
