"""Takes the README's pictures: visits the running demo shop as a shopper would and photographs what she sees.

`make screenshots` starts the demo itself, and photographs every screen of the console too (docs/screenshots/console,
not kept in the repository). `ARGS=http://127.0.0.1:8787` photographs a shop that is running already.
"""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, sync_playwright

from tools.console_pictures import photograph as photograph_console

ROOT = Path(__file__).parent.parent
PICTURES = ROOT / "docs" / "screenshots"
CHROMIUM = "/usr/bin/chromium"
QUIET = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
HEIGHTS = {1280: 900, 390: 844}
Scheme = Literal["light", "dark"]


@contextmanager
def running_demo() -> Iterator[tuple[str, str]]:
    """Address of a demo that runs until the block ends, and the password of its `admin`."""
    folder = Path(os.environ.get("DEMO_DATA", "demo-data"))
    command = [str(Path(sys.executable).parent / "personalize"), "demo", "--data", str(folder)]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=os.environ | {"DEMO_PORT": "0"}
    )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if address := re.search(r"http://[\w.]+:\d+", line):
                yield address.group(), new_password(folder)
                return
        raise SystemExit("personalize demo ended without printing an address")
    finally:
        process.send_signal(signal.SIGTERM)
        process.stdout.close()
        process.wait()


def new_password(folder: Path) -> str:
    """A new password for the demo's `admin`: the one of the first start was shown only then."""
    command = [str(Path(sys.executable).parent / "personalize"), "-c", str(folder / "personalize.toml"), "users"]
    told = subprocess.run([*command, "password", "admin"], cwd=ROOT, check=True, capture_output=True, text=True)
    return told.stdout.strip().split()[-1]


def settle(page: Page) -> None:
    """Until the shelves in sight have their answers and pictures; a shelf waits for one at most 1.6 s."""
    page.wait_for_load_state("load")
    page.evaluate("document.fonts.ready")
    page.wait_for_timeout(2_000)


def become_known(page: Page, address: str) -> str:
    """Agree to be remembered and look at three things of one aisle; the address of the last."""
    page.goto(f"{address}/demo/")
    page.click("[data-consent=all]")
    page.click(".aisles li:first-child a")
    links = page.locator("main a[href^='/demo/p/']").evaluate_all("found => [...new Set(found.map(a => a.href))]")
    for link in links[:3]:
        page.goto(link)
        settle(page)
    return str(links[2])


def photograph(browser: Browser, address: str, width: int, scheme: Scheme) -> None:
    context = browser.new_context(viewport={"width": width, "height": HEIGHTS[width]}, color_scheme=scheme)
    page = context.new_page()
    product = become_known(page, address)
    name = f"{width}-{scheme}.png"
    page.goto(f"{address}/demo/")
    settle(page)
    page.screenshot(path=PICTURES / f"home-{name}")
    page.goto(product)
    settle(page)
    page.screenshot(path=PICTURES / f"product-{name}")
    page.goto(f"{address}/demo/")
    page.fill("#q", "boots")
    page.press("#q", "Enter")
    settle(page)
    page.screenshot(path=PICTURES / f"search-{name}")
    context.close()


def take_pictures(address: str, password: str = "") -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    schemes: list[Scheme] = ["light", "dark"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        for width in HEIGHTS:
            for scheme in schemes:
                photograph(browser, address, width, scheme)
        if password:
            photograph_console(browser, address, password)
        browser.close()
    for picture in sorted(PICTURES.rglob("*.png")):
        print(f"{picture.relative_to(ROOT)}  {picture.stat().st_size // 1000} KB")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        take_pictures(sys.argv[1].rstrip("/"))
    else:
        with running_demo() as (started, admin):
            take_pictures(started, admin)
