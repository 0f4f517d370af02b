"""Everything the node holds about one person, in clear: what `GET /v1/me` counts and `GET /v1/me/export` hands out.

It is read off the registry of personal fields (store/fields.py): a field that is declared there and neither read nor
explained here fails a test. It does not ask the gatekeeper: whoever consented to nothing may still see what is held.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from app.features.visitor import read_profile, read_session
from app.privacy.choice import by_name
from app.privacy.receipts import Receipt, kept_for, receipt_of
from store.consent_ledger import Decided, LedgerEntry, LedgerLink, read_link
from store.erasure import events_of, find_people, former_numbers
from store.event_log import Numbered
from store.experiments import HOLDOUT
from store.fields import FIELDS, PersonalField
from store.holdings import rows_by
from store.parts import read_parts
from store.records import PURPOSE_NAMES, RESTRICTED, LoggedEvent, PersonRow, Purpose
from store.trace import read_trace

if TYPE_CHECKING:
    from app.node import Node

Row = dict[str, Any]
WITHHELD = "a key: what it opens is shown instead, the key itself never leaves the node"
UNFINDABLE: Mapping[tuple[str, str], str] = {
    ("person.db", "privacy_requests"): "kept without a way back to a person; the answer to a request is its receipt",
}
"""Tables whose rows nothing leads to from a person, and why."""


class HeldTable(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one table holds about the person."""

    file: str
    table: str
    categories: list[str]
    purposes: list[str]
    """Kept only under one of these; empty: to honour the person's choices."""
    kept_for: list[str]
    """ISO 8601 durations."""
    rows: list[Row]
    note: str = ""


@dataclass
class Held:
    """A person's references into the stores, found once."""

    node: Node
    ids: Sequence[tuple[str, str]]
    people: list[int] = field(default_factory=list)
    """Surrogates, earlier ones that are still being moved included."""
    profiles: list[Row] = field(default_factory=list)
    map_rows: list[Row] = field(default_factory=list)
    events: list[Numbered] = field(default_factory=list)
    decisions: list[tuple[LedgerEntry, Decided]] = field(default_factory=list)

    @property
    def known(self) -> bool:
        return bool(self.people)

    @property
    def rows(self) -> list[PersonRow]:
        names = PersonRow.__struct_fields__
        return [PersonRow(**{name: row[name] for name in names if name in row}) for row in self.profiles]


async def find_held(node: Node, ids: Sequence[tuple[str, str]]) -> Held:
    """Look the person with these proved ids (kind, name) up under every live epoch."""
    held = Held(node, ids)
    names = [name for kind, told in ids for name in node.keys.pseudonyms(kind, told)]
    found = find_people(node.reader, names)
    held.people = list(dict.fromkeys(known.surrogate for known in found))
    held.map_rows = rows_by(node.reader, "people", "key", [known.key for known in found])
    held.profiles = rows_by(node.reader, "profiles", "surrogate", held.people)
    held.people += former_numbers(node.reader, held.people)
    for row in held.profiles:
        for run in read_trace(row["trace"]):
            held.events += events_of(node.reader, held.people, [run])
            await asyncio.sleep(0)
    held.decisions = [
        each for row in held.profiles if row["ledger"] for each in node.ledger.decisions(read_link(row["ledger"]))
    ]
    return held


def tables_of(held: Held) -> list[HeldTable]:
    """Every table that may hold something about the person, in the order of the registry."""
    declared: dict[tuple[str, str], list[PersonalField]] = {}
    for each in FIELDS:
        declared.setdefault((each.file, each.table), []).append(each)
    return [_table(held, place, fields) for place, fields in declared.items()]


def receipts_of(held: Held) -> list[Receipt]:
    """The signed receipts of what the person decided, oldest first."""
    return [receipt_of(entry, decided, held.node.config, held.node.keys) for entry, decided in held.decisions]


def consent_in_force(held: Held) -> list[Row]:
    """What may be done, per row of the person."""
    return [
        {
            "purposes": by_name(row.consent),
            "objected": [name for name, said in by_name(row.objected).items() if said],
            "restricted": bool(row.restricted),
            "held_back_while_restricted": by_name(row.restricted & ~RESTRICTED) if row.restricted else {},
            "policy_version": row.consent_version,
            "decided_at": _time(row.consent_at) if row.consent_at else None,
        }
        for row in held.rows
    ]


def _table(held: Held, place: tuple[str, str], fields: list[PersonalField]) -> HeldTable:
    read = READERS.get(place)
    columns = [each.column for each in fields]
    rows = read(held) if read is not None else []
    lives = (kept_for(each.ttl_setting, held.node.config) for each in fields)
    purposes = Purpose.NONE
    for each in fields:
        purposes |= each.purpose
    return HeldTable(
        file=place[0],
        table=place[1],
        categories=sorted({each.category for each in fields}),
        purposes=[name for name, purpose in PURPOSE_NAMES.items() if purpose & purposes],
        kept_for=sorted({life for life in lives if life}),
        rows=[{column: row.get(column) for column in columns} for row in rows],
        note=UNFINDABLE.get(place, ""),
    )


def _people(held: Held) -> list[Row]:
    return [{**row, "pseudonym": row["pseudonym"].hex()} for row in held.map_rows]


def _profiles(held: Held) -> list[Row]:
    rows = []
    for row, person in zip(held.profiles, held.rows, strict=True):
        visit, profile = read_session(person.session), read_profile(person.profile)
        rows.append(
            {
                **row,
                "consent": [name for name, said in by_name(person.consent).items() if said],
                "consent_at": _time(person.consent_at),
                "seen": _time(person.seen),
                "objected": [name for name, said in by_name(person.objected).items() if said],
                "restricted": bool(person.restricted),
                "session": None if person.session is None else {
                    "visit": visit.session,
                    "last_seen": _time(visit.seen_ms / 1000),
                    "items": [
                        {"item": _item(held, item), "weight": weight, "at": _time(at)}
                        for item, weight, at in visit.items
                    ],
                    "affinities": visit.affinities,
                    "dismissed": {_item(held, item): _time(at) for item, at in visit.dismissed.items()},
                },
                "profile": None if person.profile is None else {
                    "as_of": _time(profile.updated),
                    "affinities": profile.affinities,
                    "items": [
                        {"item": _item(held, item), "weight": weight, "last_seen": _time(at)}
                        for item, (weight, at) in profile.items.items()
                    ],
                    "dismissed": {_item(held, item): _time(at) for item, at in profile.dismissed.items()},
                    "of_plugins": profile.extra,
                },
                "trace": [run._asdict() for run in read_trace(person.trace)],
                "ledger": {"decisions": _link(person).entries, "key": WITHHELD} if person.ledger else None,
                "experiments": None if person.experiments is None else [
                    {"experiment": _experiment(held, number), **msgspec.structs.asdict(part)}
                    for number, part in read_parts(person.experiments).items()
                ],
            }
        )  # fmt: skip
    return rows


def _link(person: PersonRow) -> LedgerLink:
    return read_link(person.ledger)


def _events(held: Held) -> list[Row]:
    return [
        {"seq": seq, "person": event.person, "at": _time(event.at_ms / 1000), "body": {
            "name": event.name,
            "purposes": [name for name, said in by_name(event.purposes).items() if said],
            "items": [
                {"item": _item(held, line.item), "quantity": line.quantity, "price": line.price} for line in event.lines
            ],
            "affinities": event.affinities, "value": event.value, "region": event.region,
            "placement": event.placement, "request": event.request, "visit": event.session, "trust": event.trust,
            "counted_as": event.counted, "list_clicked_in": _shown(event),
        }}
        for seq, event in held.events
    ]  # fmt: skip


def _shown(event: LoggedEvent) -> Row | None:
    """What is kept of the list a click came from: place by place what each scorer said, -127..127."""
    if event.shown is None:
        return None
    said = {scorer: [each - 256 if each > 127 else each for each in scores]
            for scorer, scores in event.shown.scores.items()}  # fmt: skip
    return {"place_clicked": event.shown.clicked, "scores": said}


def _seen(held: Held) -> list[Row]:
    return rows_by(held.node.reader, "seen", "id", [event.counted for _, event in held.events if event.counted])


def _sealed(held: Held) -> list[Row]:
    rows = []
    for row in rows_by(held.node.reader, "sealed", "person", held.people):
        parts: dict[str, bytes] = msgspec.msgpack.decode(row["parts"], type=dict[str, bytes])
        opened = {
            name: _entries(held, held.node.vault.open(row["person"], PURPOSE_NAMES[name], body) or [])
            for name, body in parts.items()
        }
        rows.append({**row, "parts": opened})
    return rows


def _vault(category: Purpose) -> Callable[[Held], list[Row]]:
    def read(held: Held) -> list[Row]:
        found = ((person, held.node.vault.kept(person, category)) for person in held.people)
        return [{"person": person, "body": _entries(held, entries)} for person, entries in found if entries is not None]

    return read


def _ledger(held: Held) -> list[Row]:
    return [
        {
            "seq": entry.seq, "at": _time(entry.at), "commitment": entry.commitment.hex(), "hash": entry.hash.hex(),
            "body": {
                **msgspec.structs.asdict(decided),
                "purposes": by_name(decided.purposes),
                "objected": [name for name, said in by_name(decided.objected).items() if said],
                "withdrawn": [name for name, said in by_name(decided.withdrawn).items() if said],
            },
        }
        for entry, decided in held.decisions
    ]  # fmt: skip


def _suppressed(held: Held) -> list[Row]:
    keys = [key for kind, name in held.ids for key in held.node.keys.suppression_keys(kind, name)]
    return rows_by(held.node.reader, "suppressed", "key", keys)


def _data_keys(held: Held) -> list[Row]:
    return [{"person": person, "wrapped": WITHHELD} for person in held.people if held.node.keys.holds_data_key(person)]


READERS: Mapping[tuple[str, str], Callable[[Held], list[Row]]] = {
    ("person.db", "people"): _people,
    ("person.db", "profiles"): _profiles,
    ("person.db", "events_*"): _events,
    ("person.db", "seen"): _seen,
    ("person.db", "sealed"): _sealed,
    ("person.db", "suppressed"): _suppressed,
    ("person.db", "consent_ledger"): _ledger,
    ("person.db", "withdrawals"): lambda held: rows_by(held.node.reader, "withdrawals", "person", held.people),
    ("person.db", "moves"): lambda held: rows_by(held.node.reader, "moves", "new", held.people),
    ("vault.db", "purchases"): _vault(Purpose.PURCHASES),
    ("vault.db", "searches"): _vault(Purpose.SEARCHES),
    ("vault.db", "locations"): _vault(Purpose.LOCATION),
    ("keys.db", "person_keys"): _data_keys,
}


def _entries(held: Held, entries: Sequence[Any]) -> list[Row]:
    told = []
    for entry in entries:
        row = {**msgspec.structs.asdict(entry), "at": _time(entry.at)}
        if "item" in row:
            row["item"] = _item(held, row["item"])
        told.append(row)
    return told


def _item(held: Held, number: int) -> str:
    """The shop's id of an item; its number where the shop no longer has it."""
    ids = held.node.catalogue.ids
    return ids[number] if 0 <= number < len(ids) else str(number)


def _experiment(held: Held, number: int) -> str:
    """An experiment's key; its number where it is gone."""
    if number == 0:
        return HOLDOUT
    return next((each.key for each in held.node.experiments.all() if each.number == number), str(number))


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()
