"""Photographs every screen of the console of a running demo, in light and dark, wide and narrow.

`make screenshots` runs it after the shop's pictures. The screens are filled as staff would fill them: through the API,
with an account that may do everything.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import APIRequestContext, Browser, Page

ROOT = Path(__file__).parent.parent
PICTURES = ROOT / "docs" / "screenshots" / "console"
HEIGHTS = {1280: 900, 390: 844}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
SCREENS = {
    "sign-in": "sign-in", "today": "", "rules": "rules",
    "rule": "rules/rule/rain-gear-for-the-uk?p_persona=hiker&p_region=UK",
    "rule-conflict": "rules/rule/boots-of-the-month", "rules-review": "rules/review",
    "rules-versions": "rules/versions",
    "personas": "rules/personas", "experiments": "experiments", "experiment": "experiments/{experiment}",
    "experiment-new": "experiments/new", "segments": "segments", "catalogue": "catalogue",
    "product": "catalogue/boots-0158", "pages": "pages",
    "page": "pages/page/home", "pages-review": "pages/review", "pages-versions": "pages/versions",
    "placements": "placements", "placement": "placements/home",
    "why-latest": "why", "why": "why/{why}", "consent": "consent", "requests": "requests",
    "request": "requests/{request}",
    "training": "training", "plugins": "plugins", "setup": "setup", "watch": "setup/watch",
    "audit": "audit", "people": "audit/people",
    "keys": "audit/keys", "account": "account",
}  # fmt: skip
README = {("rule", 1280, "light"), ("experiment", 1280, "dark")}
"""What the README shows, as far as the window shows it."""
RULES: list[dict[str, Any]] = [
    {"name": "Rain gear for the UK", "when": {"placements": ["home"], "regions": ["UK"]},
     "then": {"do": "boost", "match": 'category == "outerwear/rain-jackets"', "strength": 0.8}},
    {"name": "Our chocolate first", "priority": 10, "when": {"placements": ["home"]},
     "then": {"do": "pin", "items": ["chocolate-1568"]}},
    {"name": "Boots of the month", "when": {"placements": ["home"]},
     "then": {"do": "pin", "match": 'category == "shoes/boots"', "count": 2}},
    {"name": "Spring sale", "when": {"schedule": {"ends": "2026-03-31"}},
     "then": {"do": "boost", "match": "price < 20"}},
    {"name": "Fewer candles", "then": {"do": "bury", "match": 'category == "home/candles"'}},
]  # fmt: skip
DRAFT: dict[str, Any] = {"name": "Socks go with shoes", "when": {"placements": ["cart"]},
                         "then": {"do": "boost", "match": 'category == "accessories/socks"'}}  # fmt: skip
HIKER: dict[str, Any] = {"name": "Hiker from Leeds", "region": "UK", "viewed": ["boots-0158", "backpacks-1019"],
                         "likes": {"category:outdoor": 1, "category:shoes/boots": 1}}  # fmt: skip
ADVENT: dict[str, Any] = {
    "id": "advent", "title": "Advent: something every day", "text": "Until the 24th", "url": "/demo/",
    "when": {"schedule": {"starts": "2026-12-01", "ends": "2026-12-24"}},
}  # fmt: skip
EXPERIMENT: dict[str, Any] = {
    "key": "personal-home", "name": "Personal home page", "placements": ["home"],
    "hypothesis": "People who see what they like click more than those who see the best sellers.",
    "arms": [{"key": "static", "weight": 50, "static": True}, {"key": "personal", "weight": 50}],
}  # fmt: skip


def fill(client: APIRequestContext, address: str, password: str) -> dict[str, str]:
    """Do what staff did before the pictures are taken; what screens about one thing are named."""
    signed_in = client.post(f"{address}/v1/admin/login", data={"name": "admin", "password": password}).json()

    def ask(method: str, path: str, body: object = None, **headers: str) -> Any:  # noqa: ANN401  JSON of any shape
        told = {"personalize-csrf": signed_in["csrf"], **headers}
        answer = client.fetch(f"{address}{path}", method=method, data=body, headers=told)
        return answer.json() if answer.ok else {}

    if not ask("GET", "/v1/rules").get("rules"):
        for rule in RULES:
            ask("POST", "/v1/rules", rule)
        etag = ask("GET", "/v1/rules")["etag"]
        ask("POST", "/v1/rules:publish", {"note": "Winter"}, **{"if-match": etag})
        ask("POST", "/v1/rules", DRAFT)
    ask("PUT", "/v1/personas/hiker", HIKER)
    home = next(each["options"] for each in ask("GET", "/v1/pages")["pages"] if each["page"] == "home")
    if not any(each["id"] == ADVENT["id"] for each in home["banners"]):
        home = {**home, "banners": [ADVENT, *home["banners"]]}
        ask("PUT", "/v1/pages/home", home, **{"if-match": ask("GET", "/v1/pages")["etag"]})
    ask("POST", "/v1/experiments", EXPERIMENT)
    ask("POST", "/v1/experiments/personal-home:start")
    made = ask("POST", "/v1/privacy/requests", {"kind": "erasure", "visitor": {"user": "somebody-who-asked"}})
    shelf = ask("POST", "/v1/recommendations", {"requests": [{"placement": "home"}]})["results"][0]
    ask("POST", "/v1/recommendations", {"requests": [{"placement": "trending"}, {"placement": "new"}]})
    keys = [each["key"] for each in ask("GET", "/v1/experiments")["experiments"]]
    results = {key: ask("GET", f"/v1/experiments/{key}/results").get("metrics") for key in keys}
    # One with numbers where `personalize simulate --url` has made some, the most telling one.
    told = sorted((key for key in keys if results[key]), key=lambda key: results[key][0]["verdict"] == "better")
    return {"request": made["id"], "why": shelf["request_id"], "experiment": (told or ["personal-home"])[-1]}


def photograph(browser: Browser, address: str, password: str) -> None:
    """Every screen, four times."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    context = browser.new_context()
    names = fill(context.request, address, password)
    state = context.storage_state()
    context.close()
    for width, height in HEIGHTS.items():
        for scheme in SCHEMES:
            context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
            page = context.new_page()
            take(page, f"{address}/console/sign-in", PICTURES / f"sign-in-{width}-{scheme}.png")
            context.add_cookies(state["cookies"])  # type: ignore[arg-type]  # what the API gave it takes
            for name, path in SCREENS.items():
                if name != "sign-in":
                    url = f"{address}/console/{filled(path, names)}"
                    take(page, url, PICTURES / f"{name}-{width}-{scheme}.png")
                if (name, width, scheme) in README:
                    page.screenshot(path=PICTURES.parent / f"console-{name}-{width}-{scheme}.png")
            context.close()


def take(page: Page, url: str, path: Path) -> None:
    answer = page.goto(url)
    if answer is not None and answer.status >= 400:
        print(f"{answer.status} {url}", file=sys.stderr)
    page.wait_for_load_state("load")
    page.evaluate("document.fonts.ready")
    page.wait_for_timeout(150)
    # The window as tall as the page: what sticks to its edges then stands where it belongs.
    size = page.viewport_size
    assert size is not None
    tall = page.evaluate("document.documentElement.scrollHeight")
    page.set_viewport_size({"width": size["width"], "height": max(size["height"], tall)})
    page.screenshot(path=path)
    page.set_viewport_size(size)


def filled(path: str, names: Mapping[str, str]) -> str:
    """`why/{why}` with the name of the thing."""
    for name, value in names.items():
        path = path.replace(f"{{{name}}}", value)
    return path
