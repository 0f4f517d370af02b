"""The demo shop's pages as a browser without scripts sees them, over a real node."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from pathlib import Path

import httpx
import msgspec
import pytest

from app.config import parse_config
from app.demo import generate_catalogue
from app.node import Node, open_node
from app.routes import create_app
from app.serving.money import money
from app.storefront.assets import AssetsMissing, load_assets
from app.storefront.basket import QUANTITY_AT_MOST, changed_basket, read_basket, write_basket
from app.storefront.cards import card_of
from store.records import Item

pytestmark = pytest.mark.anyio

NOW = 1_795_000_000
EVIL = '</script><script>alert("1")</script><b onload=x>'
SAMPLE = [msgspec.convert(item, Item) for item in generate_catalogue(7, NOW)[::4]]
BOOT = Item(
    id="boot", title="Boot, moss", url="/demo/p/boot", image="/demo/img/boot.svg", price=1234.5, sale_price=999.0,
    currency="EUR", category=("shoes", "boots"), brand="Alder", attributes={"color": "moss green"},
)  # fmt: skip
TRICK = msgspec.structs.replace(BOOT, id="trick", title=EVIL, url="/demo/p/trick", sale_price=None)
GONE = msgspec.structs.replace(BOOT, id="gone", title="Sold out boot", availability="out_of_stock")
FRENCH = msgspec.structs.replace(BOOT, id="french", title="Boot for France", url="/demo/p/french", regions=("FR",))
PAGES = ("/demo/", "/demo/c/shoes", "/demo/c/shoes/boots?sort=low&page=1", "/demo/p/boot", "/demo/cart", "/demo/thanks",
         "/demo/search", "/demo/p/nowhere", "/demo/c/nowhere")  # fmt: skip


@pytest.fixture(scope="module")
async def node(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Node]:
    config = parse_config({"server": {"demo": True}})
    path: Path = tmp_path_factory.mktemp("storefront") / "personalize.toml"
    async with open_node(config, path) as node:
        await node.shop.put_items([*SAMPLE, BOOT, TRICK, GONE, FRENCH], NOW)
        yield node


@pytest.fixture
async def shopper(node: Node) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=create_app(node))
    async with httpx.AsyncClient(transport=transport, base_url="http://shop.example") as client:
        yield client


def elements(text: str) -> list[tuple[str, dict[str, str | None]]]:
    """Every element of a page as a browser would read it: its tag and attributes."""
    found: list[tuple[str, dict[str, str | None]]] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.append((tag, dict(attrs)))

    Reader().feed(text)
    return found


@pytest.mark.parametrize("path", PAGES)
async def test_every_page_forbids_what_it_does_not_need(shopper: httpx.AsyncClient, path: str) -> None:
    answer = await shopper.get(path)
    assert answer.status_code == (404 if "nowhere" in path else 200)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    for tag, attributes in elements(answer.text):
        assert tag != "style"
        assert tag != "script" or "src" in attributes or attributes["type"] == "application/json"
        assert not [name for name in attributes if name == "style" or name.startswith("on")]


@pytest.mark.parametrize("path", PAGES)
async def test_every_page_has_one_heading_a_language_and_a_way_past_the_menu(
    shopper: httpx.AsyncClient, path: str
) -> None:
    text = (await shopper.get(path)).text
    assert text.count("<h1") == 1
    assert '<html lang="en"' in text
    assert 'href="#main"' in text
    assert all("alt=" in image for image in re.findall("<img [^>]*>", text))
    assert all("width=" in image for image in re.findall("<img [^>]*>", text))


async def test_a_title_cannot_break_out_of_its_place(shopper: httpx.AsyncClient) -> None:
    text = (await shopper.get("/demo/p/trick")).text
    assert EVIL not in text
    assert "alert(" in text  # as text
    assert not re.search("<script>|<b onload", text)


async def test_the_product_page_tells_the_beacon_what_is_viewed(shopper: httpx.AsyncClient) -> None:
    text = (await shopper.get("/demo/p/boot")).text
    block = re.search(r'<script type="application/json" data-pz-event="view_item">(.*?)</script>', text, re.S)
    assert block
    assert json.loads(block[1]) == {
        "items": [{"item_id": "boot", "price": 999.0, "quantity": 1}], "currency": "EUR", "value": 999.0,
    }  # fmt: skip
    assert "€1,234.50" in text
    assert "€999.00" in text


async def test_aisles_show_only_what_is_in_stock_and_sold_in_the_region(shopper: httpx.AsyncClient) -> None:
    text = (await shopper.get("/demo/c/shoes/boots?sort=high")).text
    assert "Boot for France" in text
    assert "Sold out boot" not in text
    shopper.cookies.set("demo_region", "DE")
    assert "Boot for France" not in (await shopper.get("/demo/c/shoes/boots?sort=high")).text
    assert "not delivered to Germany" in (await shopper.get("/demo/p/french")).text


@pytest.mark.parametrize(("sort", "better"), [("low", float.__le__), ("high", float.__ge__)])
async def test_an_aisle_can_be_sorted_by_price(shopper: httpx.AsyncClient, sort: str, better: object) -> None:
    text = (await shopper.get(f"/demo/c/kitchen?sort={sort}")).text
    listing = text[text.index('data-pz-list="category"') :]
    prices = [float(price) for price in re.findall(r'data-pz-price="([\d.]+)"', listing)]
    assert len(prices) > 10
    assert prices == sorted(prices, reverse=sort == "high")


async def test_pages_of_an_aisle_cover_it_without_repeating(shopper: httpx.AsyncClient) -> None:
    seen: list[str] = []
    first = (await shopper.get("/demo/c/clothing?sort=new")).text
    count = int(re.search(r"Page 1 of (\d+)", first)[1])  # type: ignore[index]
    assert count > 1
    for number in range(1, count + 1):
        text = (await shopper.get(f"/demo/c/clothing?sort=new&page={number}")).text
        listing = text[text.index('data-pz-list="category"') :]
        seen += re.findall(r'data-pz-item="([^"]+)"', listing)
    assert len(seen) == len(set(seen))
    assert f"{len(seen)} products" in first


@pytest.mark.parametrize("number", ["0", "-1", "999999", "x", "1e9", "²"])
async def test_a_page_number_that_makes_no_sense_shows_some_page(shopper: httpx.AsyncClient, number: str) -> None:
    assert (await shopper.get("/demo/c/clothing", params={"page": number})).status_code == 200


async def test_the_cart_works_without_scripts_and_lies_in_the_visitors_own_cookie(shopper: httpx.AsyncClient) -> None:
    added = await shopper.post("/demo/cart", data={"item": "boot", "quantity": "2", "action": "add"})
    assert (added.status_code, added.headers["location"]) == (303, "/demo/cart")
    assert "path=/demo" in added.headers["set-cookie"].lower()
    text = (await shopper.get("/demo/cart")).text
    assert "€1,998.00" in text
    await shopper.post("/demo/cart", data={"item": "boot", "action": "remove"})
    assert "Nothing in it yet" in (await shopper.get("/demo/cart")).text


async def test_the_pages_script_is_told_how_much_is_in_the_cart(shopper: httpx.AsyncClient) -> None:
    answer = await shopper.post("/demo/cart", data={"item": "boot"}, headers={"accept": "application/json"})
    assert answer.json() == {"count": 1}


async def test_an_order_is_told_once(shopper: httpx.AsyncClient) -> None:
    await shopper.post("/demo/cart", data={"item": "boot", "quantity": "3"})
    assert (await shopper.post("/demo/checkout")).headers["location"] == "/demo/thanks"
    text = (await shopper.get("/demo/thanks")).text
    block = re.search(r'data-pz-event="purchase">(.*?)</script>', text, re.S)
    assert block
    order = json.loads(block[1])
    assert order["transaction_id"]
    assert (order["value"], order["items"][0]["quantity"]) == (2997.0, 3)
    assert 'data-pz-event="purchase"' not in (await shopper.get("/demo/thanks")).text
    assert "Nothing in it yet" in (await shopper.get("/demo/cart")).text


def test_a_cart_cookie_that_someone_wrote_by_hand_is_read_as_far_as_it_makes_sense() -> None:
    assert read_basket("a.1~b.2") == {"a": 1, "b": 2}
    assert read_basket("a.99~../etc.1~<b>.1~c.3~~.") == {"c": 3}
    assert len(read_basket("~".join(f"i{n}.1" for n in range(1000)))) == 20
    assert changed_basket({"a": 8}, "a", 5) == {"a": QUANTITY_AT_MOST}
    assert read_basket(write_basket({"x-1": 2})) == {"x-1": 2}


async def test_a_search_never_comes_in_an_address(shopper: httpx.AsyncClient) -> None:
    answer = await shopper.post("/demo/search", data={"q": "boot"})
    assert "Boot, moss" in answer.text
    assert "Sold out boot" not in answer.text
    assert "q=" not in str(answer.url)
    ignored = (await shopper.get("/demo/search?q=boot")).text
    assert "data-pz-item" not in ignored[ignored.index('id="results"') :].partition("</section>")[0]
    assert 'method="post" action="/demo/search"' in answer.text


async def test_a_search_for_markup_is_shown_as_text(shopper: httpx.AsyncClient) -> None:
    text = (await shopper.post("/demo/search", data={"q": EVIL})).text
    assert "<b onload" not in text
    assert "Nothing matches" in text or "match" in text


@pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example", "/demo//evil", "/demo/\\evil", "/console"])
async def test_choosing_a_region_never_leads_out_of_the_shop(shopper: httpx.AsyncClient, back: str) -> None:
    answer = await shopper.post("/demo/region", data={"region": "DE", "back": back})
    assert answer.headers["location"] == "/demo/"
    assert shopper.cookies["demo_region"] == "DE"


async def test_a_region_that_is_not_served_is_ignored(shopper: httpx.AsyncClient) -> None:
    shopper.cookies.set("demo_region", "<b>")
    assert "Moving fast in France" in (await shopper.get("/demo/")).text


async def test_a_form_larger_than_any_of_the_shops_is_refused(shopper: httpx.AsyncClient) -> None:
    assert (await shopper.post("/demo/search", content=b"q=" + b"x" * 5000)).status_code == 413
    fields = "&".join(f"f{n}=1" for n in range(50))
    assert (await shopper.post("/demo/cart", content=fields)).status_code == 400


async def test_shelves_stand_in_the_page_before_any_script(shopper: httpx.AsyncClient) -> None:
    text = (await shopper.get("/demo/")).text
    shelves = re.findall(r"<pz-recs .*?</pz-recs>", text, re.S)
    assert len(shelves) == 2  # without consent neither "You looked at" nor "Buy again"
    for shelf in shelves:
        assert len(re.findall("<li data-pz-item", shelf)) >= 6
    assert "data-personal" not in text


async def test_personal_shelves_have_their_place_only_for_those_who_agreed(shopper: httpx.AsyncClient) -> None:
    shopper.cookies.set("demo_consent", "granted/vault.purchases")
    text = (await shopper.get("/demo/")).text
    assert 'placement="recently-viewed"' in text
    assert 'placement="buy-again"' in text
    shopper.cookies.set("demo_consent", "session/")
    text = (await shopper.get("/demo/")).text
    assert 'placement="recently-viewed"' in text
    assert 'placement="buy-again"' not in text


async def test_pictures_are_drawn_on_demand(shopper: httpx.AsyncClient) -> None:
    answer = await shopper.get("/demo/img/boot.svg")
    assert answer.headers["content-type"] == "image/svg+xml"
    assert answer.text.startswith("<svg")
    assert (await shopper.get("/demo/img/nowhere.svg")).status_code == 404


async def test_scripts_named_by_their_content_are_kept_for_good_and_others_for_a_while(
    shopper: httpx.AsyncClient,
) -> None:
    assets = load_assets()
    for name, asset in assets.files.items():
        for path, cache in ((assets.url(name), "immutable"), (f"/{name}", "max-age=600")):
            answer = await shopper.get(path)
            assert cache in answer.headers["cache-control"]
            assert answer.content == asset.body
            assert answer.headers["content-encoding"] == "gzip"
    plain = await shopper.get("/pz.js", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.headers["access-control-allow-origin"] == "*"
    assert plain.content.isascii()


def test_the_scripts_stay_within_their_budgets() -> None:
    files = load_assets().files
    sizes = {name: len(gzip.compress(files[name].body, 9)) for name in files}
    assert sizes["pz.js"] <= 3200
    assert sizes["pz-recs.js"] <= 2600
    assert sizes["pz-all.js"] <= 5500
    assert sizes["demo.css"] <= 12_000


def test_scripts_built_for_an_older_version_are_named_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"pz.js": "pz.1.js"}')
    (tmp_path / "pz.js").write_text("")
    with pytest.raises(AssetsMissing, match=r"older version, without console.css.*make assets"):
        load_assets(tmp_path)


def test_scripts_that_were_not_built_are_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(AssetsMissing, match="make assets"):
        load_assets(tmp_path)


def test_prices_are_written_as_the_browser_writes_them() -> None:
    assert money(1234.5, "EUR") == "€1,234.50"
    card = card_of(BOOT)
    assert (card.price, card.was, card.amount) == ("€999.00", "€1,234.50", 999.0)
    assert card_of(TRICK).was == ""
