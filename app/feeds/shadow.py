"""A feed as it was read, beside the catalogue that still serves: written by a child process, taken over at once.

The file is one msgpack-encoded item after the other, each behind its length; what was wrong is in the report.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from app.feeds.fetch import CannotFetch, fetch
from app.feeds.options import FeedOptions
from app.feeds.raw import FeedBroken
from app.feeds.reading import RowError, read_feed
from store.records import Item

_encode = msgspec.msgpack.Encoder().encode
_LENGTH = 4


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What the child is to do, as JSON on its standard input."""

    options: FeedOptions
    path: str
    """The feed's file; where the options have a url, it is written here first."""
    shadow: str
    currency: str
    most_bytes: int
    most_items: int
    errors_kept: int
    etag: str = ""
    modified: str = ""


class Report(msgspec.Struct, kw_only=True, omit_defaults=True):
    """How reading went, as JSON on the child's standard output."""

    items: int = 0
    rejected: int = 0
    errors: list[RowError] = []
    """The first `errors_kept` of them."""
    rejected_ids: list[str] = []
    """Ids of rows that were not taken: what the shop has of them stays."""
    broken: str = ""
    """Why nothing can be taken at all."""
    unchanged: bool = False
    etag: str = ""
    modified: str = ""


def write_shadow(order: Order) -> Report:
    """Fetch where there is something to fetch, read all of it, write what is right; bounded in bytes and items."""
    report = Report(errors=[], rejected_ids=[])
    path = Path(order.path)
    try:
        if order.options.url:
            fetched = fetch(
                order.options.url, path, most_bytes=order.most_bytes, allow_private=order.options.allow_private,
                etag=order.etag, modified=order.modified,
            )  # fmt: skip
            report.etag, report.modified, report.unchanged = fetched.etag, fetched.modified, not fetched.changed
            if report.unchanged:
                return report
        if (size := path.stat().st_size) > order.most_bytes:
            raise FeedBroken(f"{size:,} bytes are more than {order.most_bytes:,} ([catalogue] feed_bytes)")
        _read(path, order, report)
    except (FeedBroken, CannotFetch) as error:
        report.broken = str(error)
    except OSError as error:
        report.broken = f"{error.filename or path}: {error.strerror}"
    return report


def _read(path: Path, order: Order, report: Report) -> None:
    with Path(order.shadow).open("wb") as out:
        for told in read_feed(path, order.options, order.currency):
            if isinstance(told, Item):
                body = _encode(told)
                out.write(len(body).to_bytes(_LENGTH, "big") + body)
                report.items += 1
            else:
                report.rejected += 1
                if told.id:
                    report.rejected_ids.append(told.id)
                if len(report.errors) < order.errors_kept:
                    report.errors.append(told)
            if report.items + report.rejected > order.most_items:
                raise FeedBroken(f"more than {order.most_items:,} rows ([node] items_at_most)")


def read_shadow(path: Path) -> Iterator[Item]:
    """The items in the feed's order."""
    decode = msgspec.msgpack.Decoder(Item).decode
    with path.open("rb") as file:
        while head := file.read(_LENGTH):
            yield decode(file.read(int.from_bytes(head, "big")))


def main() -> None:
    """The child: an order in, a report out."""
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    sys.stdout.buffer.write(msgspec.json.encode(write_shadow(order)))
