"""Begins a new epoch of pseudonym keys, and lets the one before the previous end: its people, then its keys, in proof.

The state of it is the keys themselves, so that it goes on after any crash: as long as a third epoch's keys are there,
people who can be found by nothing else are still to be removed. Nobody is looked up under them any more.
"""

from __future__ import annotations

import asyncio
import logging

from app.node import Node
from store.database import Transaction
from store.epochs import LIVE
from store.expiry import remove_people
from store.faults import StoreFault
from store.moves import note_ring
from store.unreachable import find_unreachable

logger = logging.getLogger("personalize")

DAY = 86_400
ROWS = 500
"""People looked at in one turn of the writer."""
EVERY_SECONDS = 10.0
_TRIES = 20
_AGAIN_SECONDS = 0.25
_STALLED = "key rotation"


async def rotate(node: Node) -> int:
    """Begin the next epoch now and finish what that entails; the new epoch's number.

    In the writer's turn, so no event is written half under one epoch and half under another.
    """

    async def begin(transaction: Transaction) -> int:
        epoch = await node.keys.add_epoch(node.clock.now())
        note_ring(transaction, node.keys)
        return epoch

    epoch = await node.intake.writer.exclusive(begin)
    await finish_rotation(node)
    return epoch


async def finish_rotation(node: Node) -> bool:
    """Remove who was not seen for two epochs, then destroy those epochs' keys; harmless when there is nothing to do.

    True = done: no byte of a destroyed key is in any file. False = somebody reads a database and kept its write-ahead
    log from being emptied; the next call goes on.
    """
    oldest = node.keys.epoch - LIVE + 1
    seconds = node.config.pseudonyms.suppression_days * DAY
    removed = 0
    if node.keys.epochs()[-1] < oldest:
        removed = await _remove_unseen(node, oldest)
    detail = f"{removed} people not seen since were removed" if removed else ""
    for _ in range(_TRIES):
        gone = await node.keys.destroy_outlived(node.clock.now(), seconds, detail)
        if gone and await node.database.checkpoint_truncate() and await node.vault.checkpoint_truncate():
            return True
        await asyncio.sleep(_AGAIN_SECONDS)
    return False


async def _remove_unseen(node: Node, oldest: int) -> int:
    removed = 0
    after: int | None = -1

    async def one(transaction: Transaction) -> tuple[int | None, int]:
        found = await find_unreachable(transaction, oldest, -1 if after is None else after, ROWS)
        if found.people:
            # Keys first: whatever a crash leaves behind can no longer be read, and the next run finds it again.
            surrogates = [surrogate for _, surrogate in found.people]
            await node.keys.destroy_data_keys(surrogates)
            await node.vault.remove(surrogates)
            remove_people(transaction, tuple(found.people))
        return found.after, len(found.people)

    while after is not None:
        after, gone = await node.intake.writer.exclusive(one)
        removed += gone
        await asyncio.sleep(0)
    return removed


def due(node: Node) -> bool:
    """Whether a rotation is asked for or its time has come. The epoch's age counts, as its keys remember its beginning:
    a clock that jumps back only makes it come later."""
    return node.keys.rotation_asked() or _age(node) >= node.config.pseudonyms.epoch_days * DAY


def _age(node: Node) -> float:
    return node.clock.now() - node.keys.began()


async def keep_rotating(node: Node) -> None:
    """One look at the clock: correct a beginning written by a wrong one, rotate when due, finish what is open."""
    if node.keys.began() <= 0 < node.clock.now() or _age(node) < -DAY:
        await node.keys.restart_epoch(node.clock.now())
    if due(node):
        epoch = await rotate(node)
        logger.info("epoch %d of the pseudonym keys began", epoch)
    elif node.keys.outlived(node.clock.now(), node.config.pseudonyms.suppression_days * DAY):
        await finish_rotation(node)
    if node.keys.outlived(node.clock.now(), node.config.pseudonyms.suppression_days * DAY):
        node.stalled[_STALLED] = "a destroyed key may still be in a file: something reads the database all the time"
    else:
        node.stalled.pop(_STALLED, None)


async def rotate_on_schedule(node: Node, every_seconds: float = EVERY_SECONDS) -> None:
    """The job: looks every few seconds, as `personalize rotate` beside this process only leaves word."""
    started = False
    while True:
        try:
            if not started:
                await finish_rotation(node)  # what a crash left open
                started = True
            await keep_rotating(node)
        except StoreFault as fault:
            logger.error("the key rotation stopped: %s", fault)
            node.stalled[_STALLED] = f"pseudonym keys could not be rotated: {fault.what}"
        await asyncio.sleep(every_seconds)
