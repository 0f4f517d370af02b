"""`personalize check --ledger` and `--receipt`: follow the chain of decisions, tell real receipts from forged."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click
import msgspec

from app.cli import fail
from app.config import Config
from app.privacy.receipts import receipt_is_genuine
from store.consent_ledger import ConsentLedger, verify_ledger
from store.database import faults_of, open_reader
from store.faults import StoreFault
from store.keys import stored_receipt_key


def check_ledger(config: Config, base: Path) -> None:
    """Print what the chain says; exits with 1 where it is broken. Reads only, so it may run beside a server."""
    file = base / config.node.data / "person.db"
    try:
        with faults_of(file), closing(open_reader(file)) as reader:
            report = verify_ledger(reader)
    except StoreFault as fault:
        fail(str(fault))
    if report.broken_at is not None:
        fail(
            f"the consent ledger is broken at entry {report.broken_at}: it, or the one before, was changed or taken out"
            " after it was written; restore person.db from a backup and keep this file as evidence"
        )
    last = report.first + report.entries - 1
    span = f"entries {report.first} to {last}" if report.entries else "no entries"
    click.echo(f"consent ledger: whole; {span}, head {report.head.hex()[:16]}")


def check_receipt(config: Config, base: Path, file: Path) -> None:
    """Print whether a receipt is this node's own, unchanged, and still in the ledger; exits with 1 where it is not."""
    try:
        told = msgspec.json.decode(file.read_bytes(), type=dict)
    except (OSError, msgspec.DecodeError, msgspec.ValidationError) as error:
        fail(f"{file}: not a receipt: {error}")
    told = told.get("receipt", told) if isinstance(told.get("receipt", told), dict) else told
    folder = base / config.node.data
    try:
        if not receipt_is_genuine(told, stored_receipt_key(folder / "keys.db")):
            fail(f"{file}: forged: it was not signed by this node, or was changed since")
        place = told["ledger"]
        with faults_of(folder / "person.db"), closing(open_reader(folder / "person.db")) as reader:
            entry = ConsentLedger(reader).entry(int(place["seq"]))
    except StoreFault as fault:
        fail(str(fault))
    if entry is None:
        click.echo(f"{file}: genuine; its entry {place['seq']} is no longer in the ledger (expired)")
    elif entry.hash.hex() != place["hash"]:
        fail(f"{file}: genuine, but entry {place['seq']} of the ledger says something else: the ledger was replaced")
    else:
        click.echo(f"{file}: genuine; entry {entry.seq} of the ledger, {told['event'][0]['event_time']}")
