"""The demo shop at /demo/: front page, aisles, products, cart, search, and pictures drawn on demand."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import cast
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from app.demo.item import Item as DemoItem
from app.demo.pictures import picture
from app.problem import Problem
from app.routes.numbers import whole
from app.serving.money import money
from app.storefront.aisles import PAGE_SIZE, SORTS
from app.storefront.basket import changed_basket, read_basket, write_basket
from app.storefront.cards import card_of
from app.storefront.pages import REGIONS, Page, data_block
from app.storefront.shop import Line, Storefront

FORM_BYTES = 4096
QUERY_LETTERS = 100
SECURITY = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "permissions-policy": "geolocation=(), camera=(), microphone=()",
    # not no-store: the browser may keep the page for its back button
    "cache-control": "private, no-cache",
}
Handler = Callable[[Storefront, Request], Awaitable[Response]]


def demo_routes(shop: Storefront) -> list[Route]:
    """Every page of the demo shop."""

    def bound(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def handle(request: Request) -> Response:
            return await handler(shop, request)

        return handle

    return [
        Route("/demo", bound(_front)),
        Route("/demo/", bound(home)),
        Route("/demo/c/{path:path}", bound(category)),
        Route("/demo/p/{id}", bound(product)),
        Route("/demo/cart", bound(cart)),
        Route("/demo/cart", bound(change_cart), methods=["POST"]),
        Route("/demo/checkout", bound(checkout), methods=["POST"]),
        Route("/demo/thanks", bound(thanks)),
        Route("/demo/search", bound(search), methods=["GET", "POST"]),
        Route("/demo/region", bound(choose_region), methods=["POST"]),
        Route("/demo/img/{name}.svg", bound(image)),
        Route("/demo/{rest:path}", bound(missing)),
    ]


async def _front(_shop: Storefront, _request: Request) -> Response:
    return RedirectResponse("/demo/", 308)


async def home(shop: Storefront, request: Request) -> Response:
    page = page_of(shop, request)
    experience = shop.experience(page.region, page.personal)
    lists = [section.placement for section in experience.sections if section.placement]
    return html(
        shop, "home.html", page,
        experience=experience, hero=shop.stage(page.region), tiles=shop.tiles(page.region),
        shelves=await shop.shelves(page, lists),
        fresh=shop.cards_of(shop.aisles.newest(page.region, 10)),
    )  # fmt: skip


async def category(shop: Storefront, request: Request) -> Response:
    path = tuple(request.path_params["path"].strip("/").split("/"))
    if not shop.aisles.exists(path):
        return await missing(shop, request)
    page = replace(page_of(shop, request), aisle=path[0])
    sort = request.query_params.get("sort", "popular")
    sort = sort if sort in SORTS else "popular"
    numbers = shop.aisles.listing(path, page.region, sort)
    pages = max(1, -(-len(numbers) // PAGE_SIZE))
    number = min(pages, whole(request.query_params.get("page", "1")) or 1)
    rule = f'category == "{"/".join(path)}"'
    first = number == 1
    return html(
        shop, "category.html", page,
        path=path, children=shop.aisles.children(path[0]), sort=sort, sorts=SORTS.items(), total=len(numbers),
        items=shop.cards_of(numbers[(number - 1) * PAGE_SIZE : number * PAGE_SIZE]), pages=pages, number=number,
        first=first, filter=rule, shelves=await shop.shelves(page, ("home",), filter=rule) if first else {},
    )  # fmt: skip


async def product(shop: Storefront, request: Request) -> Response:
    found = shop.item(request.path_params["id"])
    number = shop.catalogue.number(request.path_params["id"])
    if found is None or number is None:
        return await missing(shop, request)
    page = replace(page_of(shop, request), aisle=found.category[0] if found.category else "")
    card = card_of(found)
    viewed = {
        "items": [{"item_id": card.id, "price": card.amount, "quantity": 1}],
        "currency": card.currency,
        "value": card.amount,
    }
    return html(
        shop, "product.html", page,
        item=card, brand=found.brand, description=found.description, path=found.category,
        attributes=[(name.replace("_", " ").capitalize(), value) for name, value in found.attributes.items()
                    if not isinstance(value, bool) and name != "model"],
        available=shop.aisles.available(number, page.region), view_event=data_block(viewed),
        shelves=await shop.shelves(page, ("similar", "bought-together", "recently-viewed"), item=card.id),
    )  # fmt: skip


async def cart(shop: Storefront, request: Request) -> Response:
    page = page_of(shop, request)
    lines = shop.lines(read_basket(request.cookies.get("demo_cart", "")))
    ids = tuple(line.item.id for line in lines)
    return html(
        shop, "cart.html", page,
        lines=lines, ids=",".join(ids), total=total(lines), cart_event=data_block(goods(lines)),
        shelves=await shop.shelves(page, ("cart",), cart=ids),
    )  # fmt: skip


async def change_cart(shop: Storefront, request: Request) -> Response:
    """Add to or remove from the cart; JSON for the page's script, a redirect for a browser without one."""
    form = await read_form(request)
    basket = read_basket(request.cookies.get("demo_cart", ""))
    item = form.get("item", "")
    if form.get("action") == "remove":
        basket = changed_basket(basket, item, -1)
    elif shop.item(item):
        quantity = whole(form.get("quantity", "1"))
        basket = changed_basket(basket, item, 1 if quantity is None else quantity)
    if "application/json" in request.headers.get("accept", ""):
        answer = Response(msgspec.json.encode({"count": sum(basket.values())}), media_type="application/json")
    else:
        answer = RedirectResponse("/demo/cart", 303)
    keep(answer, "demo_cart", write_basket(basket), days=30)
    return answer


async def checkout(_: Storefront, request: Request) -> Response:
    """Turn the cart into an order, shown once on the next page."""
    basket = read_basket(request.cookies.get("demo_cart", ""))
    answer = RedirectResponse("/demo/thanks" if basket else "/demo/cart", 303)
    if basket:
        keep(answer, "demo_order", f"{secrets.token_hex(4)}:{write_basket(basket)}", days=1)
        answer.delete_cookie("demo_cart", path="/demo")
    return answer


async def thanks(shop: Storefront, request: Request) -> Response:
    order, _, lines_text = request.cookies.get("demo_order", "").partition(":")
    page = page_of(shop, request)
    lines = shop.lines(read_basket(lines_text))
    event = {"transaction_id": order, **goods(lines)}
    answer = html(
        shop, "thanks.html", page,
        lines=lines, order=order.upper(), total=total(lines), purchase_event=data_block(event),
        shelves=await shop.shelves(page, ("home",)),
    )  # fmt: skip
    answer.delete_cookie("demo_order", path="/demo")
    return answer


async def search(shop: Storefront, request: Request) -> Response:
    """Results as everyone would see them; the page's script asks again for this visitor. Queries come by POST only."""
    form = await read_form(request) if request.method == "POST" else {}
    query = " ".join(form.get("q", "").split())[:QUERY_LETTERS]
    page = replace(page_of(shop, request), query=query)
    found = await shop.ask_search(query, page.region, PAGE_SIZE) if query else None
    items = shop.cards(found.ids) if found else []
    return html(
        shop, "search.html", page,
        items=items, total=found.total if found else 0, token=found.token if found else "",
        shelves={} if items else await shop.shelves(page, ("trending",)),
    )  # fmt: skip


async def choose_region(_: Storefront, request: Request) -> Response:
    form = await read_form(request)
    back = form.get("back", "")
    local = back.startswith("/demo/") and "//" not in back and "\\" not in back
    answer = RedirectResponse(back if local else "/demo/", 303)
    if form.get("region") in REGIONS:
        keep(answer, "demo_region", form["region"], days=365)
    return answer


async def image(shop: Storefront, request: Request) -> Response:
    found = shop.item(request.path_params["name"])
    if found is None:
        raise Problem(404, "No such picture", "No product of this shop has this id.")
    drawn = picture(cast(DemoItem, {field: getattr(found, field) for field in DemoItem.__annotations__}))
    headers = {
        "cache-control": "public, max-age=86400",
        "x-content-type-options": "nosniff",
        "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    }
    return Response(drawn, headers=headers, media_type="image/svg+xml")


async def missing(shop: Storefront, request: Request) -> Response:
    page = page_of(shop, request)
    return html(shop, "missing.html", page, status=404, shelves=await shop.shelves(page, ("trending",)))


# ---- what handlers share


def page_of(shop: Storefront, request: Request) -> Page:
    cookies = request.cookies
    consent, _, purposes = cookies.get("demo_consent", "").partition("/")
    region = cookies.get("demo_region", "")
    return Page(
        path=request.url.path,
        region=region if region in REGIONS else next(iter(REGIONS)),
        key=shop.key,
        consent=consent,
        purposes=tuple(purposes.split("+")),
        cart_count=sum(read_basket(cookies.get("demo_cart", "")).values()),
    )


def html(shop: Storefront, name: str, page: Page, *, status: int = 200, **values: object) -> Response:
    return Response(shop.templates.render(name, page, **values), status, SECURITY, media_type="text/html")


async def read_form(request: Request) -> dict[str, str]:
    """A small urlencoded form; the last of equal names counts."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > FORM_BYTES:
            raise Problem(413, "Form too large", f"A form of this shop has at most {FORM_BYTES} bytes.")
    try:
        return dict(parse_qsl(body.decode("utf-8", "replace"), max_num_fields=10))
    except ValueError as error:
        raise Problem(400, "Not a form of this shop", "A form of this shop has at most 10 fields.") from error


def keep(answer: Response, name: str, value: str, *, days: int) -> None:
    answer.set_cookie(name, value, max_age=days * 86_400, path="/demo", samesite="lax")


def goods(lines: list[Line]) -> dict[str, object]:
    """Lines as the params of an event."""
    return {
        "items": [{"item_id": line.item.id, "price": line.item.amount, "quantity": line.quantity} for line in lines],
        "currency": "EUR",
        "value": round(sum(line.item.amount * line.quantity for line in lines), 2),
    }


def total(lines: list[Line]) -> str:
    return money(sum(line.item.amount * line.quantity for line in lines), "EUR")
