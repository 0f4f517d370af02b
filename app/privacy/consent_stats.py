"""How many people agreed to what, told so that no person's coming, going or erasure can be read from it."""

from __future__ import annotations

from collections import Counter

from app.node import Node
from app.privacy.counting import steady
from store.aggregates import Figure
from store.database import Transaction
from store.expiry import Consents
from store.records import PURPOSE_NAMES

REPORT = "consent"
PEOPLE, UNDECIDED, NOTHING = "people", "without a decision of their own", "agreed to nothing"


def cells(counted: Consents) -> Counter[str]:
    """People per purpose and per version of the policy's text, everyone, who never said anything, who said no."""
    found: Counter[str] = Counter()
    for (purposes, version, decided), people in counted.items():
        found[PEOPLE] += people
        if not decided:
            found[UNDECIDED] += people
        elif not purposes:
            found[NOTHING] += people
        for name, purpose in PURPOSE_NAMES.items():
            if purposes & purpose and decided:
                found[name] += people
        if decided and version:
            found[f"text version {version}"] += people
    return found


async def publish_consents(node: Node, day: int, counted: Consents) -> None:
    """Publish a day's figures, once: what is told stays as it was until enough people make the difference."""
    _, before = node.aggregates.latest(REPORT)
    threshold = node.config.retention.people_at_least
    now = cells(counted)
    told = {cell: steady(now[cell], before.get(cell, 0), threshold) for cell in now.keys() | before.keys()}
    figures = [Figure(day, REPORT, cell, people) for cell, people in sorted(told.items()) if people]

    async def publish(transaction: Transaction) -> None:
        await node.aggregates.publish(transaction, day, [REPORT], figures)

    await node.intake.writer.exclusive(publish)
