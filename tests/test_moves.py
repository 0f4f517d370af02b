"""What lies in the vault follows a person to a new number, whatever happens in between."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from store.database import Database, open_database, open_reader
from store.faults import KeysLost
from store.keys import KeyRing, open_keys
from store.moves import Move, Moves, begin_moves, check_ring, note_ring
from store.person import new_surrogate
from store.records import VAULT, Purchase, Purpose
from store.vault import Search, VaultStore, open_vault

pytestmark = pytest.mark.anyio
OLD, NEW = new_surrogate(), new_surrogate()
EVERYTHING = Purpose(127)
BOUGHT, LATER = Purchase(1, 1.0, 9.5, 100), Purchase(2, 1.0, 5.0, 200)
STEPS = ["nothing", "key copied", "rows moved", "old key dropped", "all but the end"]


class Files:
    """The three files a move goes through."""

    def __init__(self, database: Database, keys: KeyRing, vault: VaultStore, moves: Moves) -> None:
        self.database, self.keys, self.vault, self.moves = database, keys, vault, moves

    async def keep(self, person: int, *entries: Purchase | Search) -> None:
        """Put entries into the vault, as the log's consumer would."""
        await self.keys.ensure_data_keys([person])
        sealed = {"vault.purchases": self.vault.seal(person, Purpose.PURCHASES, entries)}
        if isinstance(entries[0], Search):
            sealed = {"vault.searches": self.vault.seal(person, Purpose.SEARCHES, entries)}
        await self.vault.apply("log", [(self.vault.applied("log") + 1, person, sealed)])

    async def begin(self, *moves: Move, consent: int = int(VAULT)) -> None:
        """What the recorder writes in one transaction: the row under the new number, and the moves."""
        async with self.database.transaction() as transaction:
            for move in moves:
                transaction.later(
                    "INSERT OR IGNORE INTO profiles(surrogate, consent, consent_version, consent_at, seen)"
                    " VALUES (?,?,'',1,1)",
                    (move.new, consent),
                )
            begin_moves(transaction, moves)
        self.moves.settle()

    async def finish(self) -> None:
        while pending := self.moves.pending():
            await self.moves.carry_over(pending)
            async with self.database.transaction() as transaction:
                self.moves.forget(transaction, pending)

    def purchases(self, person: int) -> list[Purchase] | None:
        return self.vault.read(person, Purpose.PURCHASES, EVERYTHING)

    def searches(self, person: int) -> list[Search] | None:
        return self.vault.read(person, Purpose.SEARCHES, EVERYTHING)


@asynccontextmanager
async def files(folder: Path) -> AsyncIterator[Files]:
    async with (
        open_keys(folder / "keys.db", now=1.0) as keys,
        open_database(folder / "person.db", "person") as database,
        open_vault(folder / "vault.db", keys) as vault,
    ):
        reader = open_reader(folder / "person.db")
        yield Files(database, keys, vault, Moves(reader, keys, vault))
        reader.close()


@pytest.mark.parametrize("step", STEPS)
async def test_a_move_that_was_cut_short_after_any_step_is_finished(tmp_path: Path, step: str) -> None:
    done = STEPS.index(step)
    async with files(tmp_path) as each:
        await each.keep(OLD, BOUGHT)
        await each.begin(Move(OLD, NEW))
        if done >= 1:
            await each.keys.copy_data_keys([(OLD, NEW)])
        if done >= 2:
            await each.vault.rehome([(OLD, NEW, int(VAULT))])
        if done >= 3:
            await each.keys.drop_data_keys([OLD])
        if done >= 4:
            await each.moves.carry_over(each.moves.pending())
    async with files(tmp_path) as each:
        await each.keep(NEW, LATER)
        await each.finish()
        assert each.purchases(NEW) == [BOUGHT, LATER]
        assert each.purchases(OLD) is None
        assert not each.keys.holds_data_key(OLD)
        assert each.moves.pending() == []
    async with files(tmp_path) as each:
        assert each.purchases(NEW) == [BOUGHT, LATER], "the key itself lies under the new number"
        assert each.keys.lent == {}


async def test_what_is_sealed_while_a_move_is_open_uses_the_key_that_is_on_its_way(tmp_path: Path) -> None:
    async with files(tmp_path) as each:
        await each.keep(OLD, BOUGHT)
        await each.begin(Move(OLD, NEW))
        await each.keep(NEW, LATER)
        await each.finish()
        assert each.purchases(NEW) == [BOUGHT, LATER]


async def test_only_the_categories_that_both_agree_to_are_carried_over(tmp_path: Path) -> None:
    async with files(tmp_path) as each:
        await each.keep(OLD, BOUGHT)
        await each.keep(OLD, Search("red shoes", 100))
        await each.begin(Move(OLD, NEW, int(Purpose.PURCHASES)))
        await each.finish()
        assert each.purchases(NEW) == [BOUGHT]
        assert each.searches(NEW) is None
        assert each.searches(OLD) is None


async def test_what_is_withdrawn_while_a_move_is_open_does_not_arrive(tmp_path: Path) -> None:
    async with files(tmp_path) as each:
        await each.keep(OLD, BOUGHT)
        await each.keep(OLD, Search("red shoes", 100))
        await each.begin(Move(OLD, NEW), consent=int(Purpose.SEARCHES))
        await each.finish()
        assert each.purchases(NEW) is None
        assert each.searches(NEW) == [Search("red shoes", 100)]


async def test_whoever_is_erased_while_a_move_is_open_is_gone_under_both_numbers(tmp_path: Path) -> None:
    async with files(tmp_path) as each:
        await each.keep(OLD, BOUGHT)
        await each.begin(Move(OLD, NEW))
        await each.keys.destroy_data_keys([NEW])
        assert not each.keys.holds_data_key(OLD), "whoever holds the key for another loses it too"
        await each.database.execute("DELETE FROM profiles")
        await each.finish()
        assert each.purchases(NEW) is None
        assert each.purchases(OLD) is None
        assert await each.vault._database.fetch("SELECT * FROM purchases") == []


async def test_two_numbers_that_become_one_bring_both_their_vaults(tmp_path: Path) -> None:
    guest = new_surrogate()
    async with files(tmp_path) as each:
        await each.keep(OLD, BOUGHT)
        await each.keep(guest, LATER)
        await each.begin(Move(OLD, NEW), Move(guest, NEW))
        assert [move.old for move in each.moves.pending()] == [OLD]
        await each.finish()
        assert each.purchases(NEW) == [BOUGHT, LATER]
        assert await each.vault._database.fetch("SELECT count(*) FROM purchases") == [(1,)]
        assert await each.keys._database.fetch("SELECT person FROM person_keys") == [(NEW,)]


async def test_somebody_who_moves_twice_arrives(tmp_path: Path) -> None:
    last = new_surrogate()
    async with files(tmp_path) as each:
        await each.keep(OLD, BOUGHT)
        await each.begin(Move(OLD, NEW), Move(NEW, last))
        await each.database.execute("UPDATE profiles SET consent = 127")
        await each.finish()
        assert each.purchases(last) == [BOUGHT]


async def test_keys_of_another_directory_or_from_an_old_backup_are_refused(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    async with files(tmp_path) as each:
        async with each.database.transaction() as transaction:
            note_ring(transaction, each.keys)
        check_ring(each.moves._reader, each.keys)
        async with open_keys(tmp_path / "other" / "keys.db", now=1.0) as foreign:
            with pytest.raises(KeysLost, match="belongs to another data directory"):
                check_ring(each.moves._reader, foreign)
        await each.database.execute("UPDATE written_with SET epoch = 2")
        with pytest.raises(KeysLost, match="ends with epoch 1, but people were written under epoch 2"):
            check_ring(each.moves._reader, each.keys)


async def test_every_number_of_a_person_is_moved_or_said_to_stay(tmp_path: Path) -> None:
    """A new column that holds a person's number has to be thought of here."""
    from store.fields import FIELDS

    numbers = {
        (field.table, field.column) for field in FIELDS if field.source == "random" and field.category == "identifier"
    }
    moved = {("people", "surrogate"), ("profiles", "surrogate"), ("purchases", "person"), ("searches", "person"),
             ("locations", "person"), ("person_keys", "person"), ("withdrawals", "person")}  # fmt: skip
    stays = {("events_*", "person"), ("sealed", "person")}
    itself = {("moves", "id"), ("moves", "old"), ("moves", "new"), ("people", "epoch")}
    assert numbers - moved - stays - itself == set()
