"""The vendors' own clients, as the registries have them, pointed at a running server."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from tests.server_process import BY_HAND, PATIENCE, ROOT, Server, serving

CLIENTS = ROOT / "tests/clients/node_modules/@segment"
NODE = ROOT / ".venv/bin/node"
pytestmark = pytest.mark.skipif(
    not CLIENTS.is_dir(), reason="tests/clients is not installed: `make test` runs npm ci there"
)
GRANTED = '{"personalize": {"consent": "granted"}}'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("segment"), BY_HAND) as server:
        server.put({"id": "SKU1", "title": "Brass lamp", "price": 20}, {"id": "SKU2", "title": "Oak desk", "price": 90})
        yield server


def viewed(server: Server, **visitor: str) -> list[str]:
    """What the server knows this visitor looked at, by what it answers."""
    answer = server.http.post(
        "/v1/recommendations",
        json={"visitor": {"consent": "granted", **visitor}, "requests": [{"placement": "recently-viewed"}]},
        headers={"authorization": f"Bearer {server.keys['server']}"},
    )
    return [item["id"] for item in answer.json()["results"][0]["items"]]


def test_segments_python_client_reaches_the_profile_of_its_user(server: Server) -> None:
    from segment.analytics.client import Client

    client = Client(server.keys["server"], host=server.address, sync_mode=True, gzip=True)
    success, said = client.track(
        "anna", "Product Viewed", {"product_id": "SKU1", "price": 20}, context={"personalize": {"consent": "granted"}}
    )
    assert success, said
    assert viewed(server, user="anna") == ["SKU1"]


@pytest.mark.skipif(not NODE.exists() and not shutil.which("node"), reason="there is no node here")
def test_segments_node_client_reaches_the_profile_of_its_user(server: Server, tmp_path: Path) -> None:
    script = tmp_path / "send.cjs"
    script.write_text(
        f"""const {{ Analytics }} = require({str(CLIENTS / "analytics-node")!r});
        const analytics = new Analytics({{writeKey: {server.keys["server"]!r}, host: {server.address!r}}});
        analytics.on('error', (error) => {{ console.error(error); process.exit(1); }});
        analytics.track({{userId: 'carl', event: 'Product Viewed', properties: {{sku: 'SKU2'}}, context: {GRANTED}}});
        analytics.page({{userId: 'carl', name: 'Home', context: {GRANTED}}});
        analytics.closeAndFlush().then(() => process.exit(0));"""
    )
    node = str(NODE) if NODE.exists() else "node"
    done = subprocess.run([node, script], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    assert viewed(server, user="carl") == ["SKU2"]


@pytest.mark.browser
def test_segments_browser_client_loads_its_settings_here_and_sends_here(server: Server) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(bypass_csp=True)  # a page of ours stands for the shop's
        sent: list[str] = []
        page.on("request", lambda request: sent.append(f"{request.method} {request.url}"))
        page.goto(f"{server.address.replace('127.0.0.1', 'localhost')}/livez")  # a page of another origin
        page.add_script_tag(path=CLIENTS / "analytics-next/dist/umd/index.js")
        page.evaluate(
            """([key, server, context]) => {
                AnalyticsNext.AnalyticsBrowser.load({writeKey: key, cdnURL: server}).then(([analytics]) => {
                    analytics.setAnonymousId('0123456789abcdef0123456789abcdef');
                    return analytics.track('Product Viewed', {product_id: 'SKU1'}, {context: JSON.parse(context)});
                }).then(() => { document.title = 'sent'; }, (error) => { document.title = String(error); });
            }""",
            [server.keys["public"], server.address, GRANTED],
        )
        page.wait_for_function("document.title", timeout=PATIENCE * 1000)
        assert page.title() == "sent"
        assert [one for one in sent if "/v1/segment/t" in one]
        assert not [one for one in sent if "segment.io" in one or "segment.com" in one]
        browser.close()
    assert viewed(server, anon="0123456789abcdef0123456789abcdef") == ["SKU1"]
