"""What beacon and widget cost a phone: `PYTHONPATH=. python tests/bench/script_cost.py http://127.0.0.1:8787` beside a
running demo. Chromium throttled four times; milliseconds of its CPU profile in our scripts, and tasks over 50 ms.
"""

from __future__ import annotations

import re
import sys
from typing import Any

from playwright.sync_api import sync_playwright

LONG = """window.long = []; new PerformanceObserver((list) => long.push(...list.getEntries().map((e) => e.duration)))
    .observe({type: 'longtask', buffered: true});"""


def spent(profile: dict[str, Any], script: str) -> float:
    """Milliseconds in functions of scripts whose address matches."""
    mine = {node["id"] for node in profile["nodes"] if re.search(script, node["callFrame"]["url"])}
    deltas = zip(profile["samples"], profile["timeDeltas"], strict=True)
    return float(sum(delta for node, delta in deltas if node in mine)) / 1000


def main(address: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 390, "height": 844})
        page.add_init_script(LONG)
        page.goto(f"{address}/demo/")
        page.get_by_role("button", name="Accept all", exact=True).click()
        client = page.context.new_cdp_session(page)
        for rate in (1, 4):
            client.send("Emulation.setCPUThrottlingRate", {"rate": rate})
            client.send("Profiler.enable")
            client.send("Profiler.setSamplingInterval", {"interval": 100})
            client.send("Profiler.start")
            page.goto(f"{address}/demo/")
            page.wait_for_load_state("networkidle")
            profile = client.send("Profiler.stop")["profile"]
            ours, every = spent(profile, r"/pz[\w-]*\.[0-9a-f]+\.js"), spent(profile, r"\.js")
            long = page.evaluate("long.length")
            print(f"throttled {rate}x: beacon and widget {ours:.1f} ms of {every:.1f} ms of scripts, {long} long tasks")
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
