"""The people who operate the node: their names, what they may do, and the digest of their passwords."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntFlag

from store.database import Connection, Database, Row


class Role(IntFlag):
    """What an account may do; never renumber."""

    NONE = 0
    MARKETER = 1
    PRIVACY = 2
    OPERATOR = 4


ROLE_NAMES: dict[str, Role] = {"marketer": Role.MARKETER, "privacy": Role.PRIVACY, "operator": Role.OPERATOR}
EVERY_ROLE = Role.MARKETER | Role.PRIVACY | Role.OPERATOR


def roles_named(names: Iterable[str]) -> Role:
    """Raises KeyError with the name that is none."""
    roles = Role.NONE
    for name in names:
        roles |= ROLE_NAMES[name]
    return roles


def names_of(roles: Role) -> list[str]:
    return [name for name, role in ROLE_NAMES.items() if roles & role]


@dataclass(frozen=True)
class Account:
    """One person. `version` grows with each change of password or roles."""

    id: int
    name: str
    roles: Role
    password: str
    """What app.admin.passwords made of it."""
    version: int
    created: int


class NameTaken(Exception):
    """There is an account with this name; capital letters make no difference."""


_COLUMNS = "id, name, roles, password, version, created"


class Accounts:
    """admin.db's accounts; reads see what any process committed, at once."""

    def __init__(self, database: Database, reader: Connection) -> None:
        self._database = database
        self._reader = reader

    def get(self, name: str) -> Account | None:
        """By name, however it is capitalised."""
        return _account(self._reader.execute(f"SELECT {_COLUMNS} FROM accounts WHERE name = ?", (name,)).fetchone())

    def by_id(self, account_id: int) -> Account | None:
        """A point read (20 µs): asked for every request of a session."""
        return _account(self._reader.execute(f"SELECT {_COLUMNS} FROM accounts WHERE id = ?", (account_id,)).fetchone())

    def all(self) -> list[Account]:
        """In the order they were made."""
        rows = self._reader.execute(f"SELECT {_COLUMNS} FROM accounts ORDER BY id").fetchall()
        return [Account(row[0], row[1], Role(row[2]), *row[3:]) for row in rows]

    async def add(self, name: str, roles: Role, password: str, now: float) -> None:
        """Raises NameTaken."""
        async with self._database.transaction() as transaction:
            added = await transaction.fetch(
                "INSERT OR IGNORE INTO accounts(name, roles, password, version, created)"
                " VALUES (?, ?, ?, 1, ?) RETURNING id",
                (name, int(roles), password, int(now)),
            )
        if not added:
            raise NameTaken(name)

    async def change(self, name: str, *, roles: Role | None = None, password: str | None = None) -> bool:
        """Ends every session of the account. False = no such account."""
        async with self._database.transaction() as transaction:
            changed = await transaction.fetch(
                "UPDATE accounts SET roles = coalesce(?, roles), password = coalesce(?, password),"
                " version = version + 1 WHERE name = ? RETURNING id",
                (None if roles is None else int(roles), password, name),
            )
        return bool(changed)

    async def remove(self, name: str) -> bool:
        """Ends every session of the account. False = no such account."""
        async with self._database.transaction() as transaction:
            removed = await transaction.fetch("DELETE FROM accounts WHERE name = ? RETURNING id", (name,))
        return bool(removed)


def _account(row: Row | None) -> Account | None:
    return None if row is None else Account(row[0], row[1], Role(row[2]), *row[3:])
