"""People as the database holds them: a pseudonym leads to a random number, the number to consent and features."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence

from store.database import Connection, Transaction
from store.records import PersonRow, Purpose

WINDOW = 4
"""Keys tried per pseudonym. Two of 10⁹ people share the first 63 bits with a chance of 5 %; five never do."""
_SLICE = 64
"""People read at once on the event loop, about half a millisecond."""
_LOOKUP = 1_024

_READ = f"""
    SELECT f.surrogate, f.consent, f.consent_version, f.consent_at, f.seen,
           CASE WHEN f.consent & ?3 & {int(Purpose.SESSION)} THEN f.session END,
           CASE WHEN f.consent & ?3 & {int(Purpose.PROFILE)} THEN f.profile END,
           NULL, f.objected, f.restricted, NULL,
           CASE WHEN f.consent & ?3 & {int(Purpose.EXPERIMENTS)} THEN f.experiments END
    FROM people AS p CROSS JOIN profiles AS f ON f.surrogate = p.surrogate
    WHERE p.key BETWEEN ?1 AND ?1 + {WINDOW - 1} AND p.pseudonym = ?2"""

_RESOLVE = f"""
    WITH wanted(key) AS (VALUES {{values}})
    SELECT p.pseudonym, f.surrogate, f.consent, f.consent_version, f.consent_at, f.seen, f.session, f.profile,
           f.trace, f.objected, f.restricted, f.ledger, f.experiments
    FROM wanted
    CROSS JOIN people AS p ON p.key BETWEEN wanted.key AND wanted.key + {WINDOW - 1}
    CROSS JOIN profiles AS f ON f.surrogate = p.surrogate"""

_SAVE_HEAD = (
    "INSERT INTO profiles(surrogate, consent, consent_version, consent_at, seen, session, profile, trace,"
    " objected, restricted, ledger, experiments)"
)
_SAVE_TAIL = """
    ON CONFLICT(surrogate) DO UPDATE SET
        consent = excluded.consent, consent_version = excluded.consent_version, consent_at = excluded.consent_at,
        seen = excluded.seen, session = excluded.session, profile = excluded.profile,
        trace = excluded.trace, objected = excluded.objected, restricted = excluded.restricted,
        ledger = excluded.ledger, experiments = excluded.experiments"""


def key_of(pseudonym: bytes) -> int:
    """Where the search for a pseudonym begins: 63 bits of it, with room for the window."""
    return min(int.from_bytes(pseudonym[:8], "big") >> 1, (1 << 63) - 1 - WINDOW)


def new_surrogate() -> int:
    """A number for a new person: random, never derived from anything."""
    return secrets.randbits(63) or 1


class PersonStore:
    """person.db but for the log. Reads use the loop's read-only connection, writes a `Transaction` of the one writer.

    Inside the writer's turn the committed state read here is the newest there is, as nobody else writes.
    """

    def __init__(self, reader: Connection) -> None:
        self._reader = reader

    def read(self, pseudonym: bytes, wanted: Purpose) -> PersonRow | None:
        """The recommend path's one read. `session` and `profile` come only where the person's own consent has the
        purpose and it is `wanted`: the row itself decides, in SQL."""
        found = self._reader.execute(_READ, (key_of(pseudonym), pseudonym, int(wanted))).fetchone()
        return None if found is None else PersonRow(*found)

    async def resolve(self, pseudonyms: Iterable[bytes]) -> dict[bytes, PersonRow]:
        """Whole rows of the people known among these; for the writer's turn only, before `save`."""
        asked = list(dict.fromkeys(pseudonyms))
        known: dict[bytes, PersonRow] = {}
        for start in range(0, len(asked), _SLICE):
            if start:
                await asyncio.sleep(0)
            self._resolve_slice(asked[start : start + _SLICE], known)
        return known

    def _resolve_slice(self, asked: Sequence[bytes], known: dict[bytes, PersonRow]) -> None:
        # Always a full slice of parameters, so that one statement is prepared once; the last key repeats harmlessly.
        keys = [key_of(pseudonym) for pseudonym in asked]
        wanted = set(asked)
        sql = _RESOLVE_FULL if len(keys) > 4 else _RESOLVE_FEW
        keys += [keys[-1]] * ((_SLICE if len(keys) > 4 else 4) - len(keys))
        for pseudonym, *row in self._reader.execute(sql, keys).fetchall():
            if pseudonym in wanted:
                known[pseudonym] = PersonRow(*row)

    async def fresh(self, transaction: Transaction, ids: Sequence[int], day: int) -> set[int]:
        """Those event ids never seen before, which are noted as seen; call once per transaction.

        An id that occurs twice in `ids` is in the answer once: take it out when its first event is counted.
        """
        if not ids:
            return set()

        def known(connection: Connection) -> set[int]:
            found: set[int] = set()
            for start in range(0, len(ids), _LOOKUP):
                part = ids[start : start + _LOOKUP]
                marks = ",".join("?" * (1 << (len(part) - 1).bit_length()))
                padded = [*part, *[part[-1]] * ((len(marks) + 1) // 2 - len(part))]
                found.update(row[0] for row in connection.execute(f"SELECT id FROM seen WHERE id IN ({marks})", padded))
            return found

        fresh = set(ids) - await transaction.run(known)
        transaction.insert("INSERT INTO seen(id, day)", [(number, day) for number in sorted(fresh)])
        return fresh

    def save(self, transaction: Transaction, rows: Sequence[PersonRow], new: Mapping[bytes, int], epoch: int) -> None:
        """Queue whole rows (None clears a column) and the way from each new pseudonym to its surrogate.

        `epoch`: whose key made the new pseudonyms; they go when it dies.
        """
        if new:
            free = self._free_keys(new)
            people = [(free[pseudonym], pseudonym, surrogate, epoch) for pseudonym, surrogate in new.items()]
            transaction.insert("INSERT INTO people(key, pseudonym, surrogate, epoch)", sorted(people))
        if rows:
            values = [
                (
                    row.surrogate,
                    row.consent,
                    row.consent_version,
                    row.consent_at,
                    row.seen,
                    row.session,
                    row.profile,
                    row.trace,
                    row.objected,
                    row.restricted,
                    row.ledger,
                    row.experiments,
                )
                for row in rows
            ]
            transaction.insert(_SAVE_HEAD, values, _SAVE_TAIL)

    def _free_keys(self, new: Iterable[bytes]) -> dict[bytes, int]:
        pseudonyms = list(new)
        keys = sorted({key_of(pseudonym) + step for pseudonym in pseudonyms for step in range(WINDOW)})
        taken: set[int] = set()
        for start in range(0, len(keys), _LOOKUP):
            part = keys[start : start + _LOOKUP]
            marks = ",".join("?" * len(part))
            taken.update(row[0] for row in self._reader.execute(f"SELECT key FROM people WHERE key IN ({marks})", part))
        free: dict[bytes, int] = {}
        for pseudonym in pseudonyms:
            window = range(key_of(pseudonym), key_of(pseudonym) + WINDOW)
            key = next((key for key in window if key not in taken), None)
            if key is None:
                raise OverflowError(f"{WINDOW} pseudonyms share their first 63 bits: the key that makes them is broken")
            taken.add(key)
            free[pseudonym] = key
        return free

    def counted(self, ids: Sequence[int]) -> set[int]:
        """Those event ids that were counted before, without noting any."""
        found: set[int] = set()
        for start in range(0, len(ids), _LOOKUP):
            part = ids[start : start + _LOOKUP]
            sql = f"SELECT id FROM seen WHERE id IN ({','.join('?' * len(part))})"
            found.update(row[0] for row in self._reader.execute(sql, part))
        return found

    def consents(self, among: Sequence[int] | None = None) -> Iterator[PersonRow]:
        """The decision in force of everyone, or of a few surrogates, without features: to learn or count across people.

        Give it a reader of its own.
        """
        only = "" if among is None else f" WHERE surrogate IN ({','.join('?' * len(among))})"
        sql = f"SELECT surrogate, consent, consent_version, consent_at, objected, restricted FROM profiles{only}"
        for surrogate, consent, version, at, objected, restricted in self._reader.execute(sql, among or ()):
            yield PersonRow(surrogate, consent, version, at, objected=objected, restricted=restricted)

    def position(self, consumer: str) -> int:
        """How far a consumer of the log has come; 0 = nothing yet."""
        found = self._reader.execute("SELECT position FROM positions WHERE consumer = ?", (consumer,)).fetchone()
        return int(found[0]) if found else 0

    def advance(self, transaction: Transaction, consumer: str, position: int) -> None:
        """Queue a consumer's new position, in the transaction that holds what it did."""
        transaction.later(
            "INSERT INTO positions(consumer, position) VALUES (?, ?)"
            " ON CONFLICT(consumer) DO UPDATE SET position = excluded.position",
            (consumer, position),
        )

    def imported(self, source: str) -> int:
        """How many lines (or bytes: the import decides) of a source are done; 0 = none."""
        found = self._reader.execute("SELECT done FROM imports WHERE source = ?", (source,)).fetchone()
        return int(found[0]) if found else 0

    def note_import(self, transaction: Transaction, source: str, done: int, now: float) -> None:
        """Queue an import's progress, in the transaction that holds its events."""
        transaction.later(
            "INSERT INTO imports(source, done, updated) VALUES (?, ?, ?)"
            " ON CONFLICT(source) DO UPDATE SET done = excluded.done, updated = excluded.updated",
            (source, done, int(now)),
        )


_RESOLVE_FULL = _RESOLVE.format(values=",".join(["(?)"] * _SLICE))
_RESOLVE_FEW = _RESOLVE.format(values=",".join(["(?)"] * 4))
