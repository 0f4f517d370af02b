"""`personalize read-feed`: reads one feed into its shadow, for the server and for `personalize feed`."""

from __future__ import annotations

import click


@click.command(hidden=True)
def command() -> None:
    """Takes an order as JSON from standard input, answers a report; see app/feeds/shadow.py."""
    from app.feeds.shadow import main

    main()
