"""People who look, buy, search and say where they are, so that there is something of them in every store."""

from __future__ import annotations

from app.node import Node
from app.privacy.byte_scan import Scanned, scan
from app.privacy.erasure import Erasures
from app.privacy.erasure_case import Case, needles_of
from app.privacy.erasure_receipt import ErasureFacts
from store.erasure import find_people
from tests.open_shop import batch, event, outcomes, send

OTHER = "0f1e2d3c" * 4
VAULT_NAMES = ["vault.purchases", "vault.searches", "vault.location"]
QUERY = "green shoe for canaries"


async def shop_for(node: Node, anon: str, visit: str = "", **more: str) -> None:
    """One visit with everything agreed to."""
    events = [
        event(node, "view_item", f"{anon}-1", "S3"),
        event(node, "search", f"{anon}-2", search_term=QUERY),
        event(node, "purchase", f"{anon}-3", items=[{"item_id": "S4", "quantity": 1, "price": 9.5}]),
    ]
    said = await send(
        node,
        batch(
            *events, anon=anon, session=visit or f"visit-{anon}", purposes=VAULT_NAMES,
            location={"lat": 48.1, "lon": 11.5}, **more,
        ),
    )  # fmt: skip
    assert outcomes(said) == ["accepted"] * 3
    await node.intake.until_vaulted()


def case_of(node: Node, anon: str) -> Case:
    """What a search would look for, collected while the person is still known."""
    case = Case([("anon", anon)], b"", ErasureFacts(0))
    Erasures(node)._notice(case, node.reader)
    return case


def search(node: Node, case: Case) -> Scanned:
    """Read every byte of the data directory."""
    return scan(node.folder, needles_of(case, node.keys))


def known(node: Node, anon: str) -> bool:
    return bool(find_people(node.reader, node.keys.pseudonyms("anon", anon)))
