"""What beacon and widget cost a phone: `PYTHONPATH=. python tests/bench/script_cost.py http://127.0.0.1:8787` beside a
running demo: its front page in Chromium, for a new profile and for a returning visitor who agreed.

Counted is Chromium's own trace of the page's main thread after the navigation is committed, with no profiler running:
the CPU time of the thread while a script is compiled and evaluated and while its functions are called (listeners,
timers, observers, custom elements), by the address of the script; a call inside a call counts for the inner one. A
callback of a promise bears no address in a trace: those have a line of their own, and all of them are added to beacon
and widget. Garbage collection is a line of its own too, and part of nothing. Every figure is a median of nine loads.
What runs in idle callbacks, in pieces and when the browser has nothing else to do, is told apart.

Two columns. "4x" is Chromium's throttle: it makes the thread spin for three times as long as it ran by the clock, so
that a busy machine makes it wrong in both directions. "CPU x 4" is the same load without a throttle, its CPU time
times four: what the throttle means to be, and hardly moved by what else the machine does. The fixed loop says how
busy the machine is: its time by the clock at 4x should be four times the one without.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

LOADS = 9
SLOWER = 4
SECONDS = 2.5
"""From the start of a load: the shelf has its answer, the cards in sight and the view are told."""
CATEGORIES = ["-*", "devtools.timeline", "v8.execute"]
SCRIPTS = {"EvaluateScript", "FunctionCall", "v8.compile", "V8.CompileCode", "RunMicrotasks"}
COLLECTING = re.compile(r"^(MinorGC|MajorGC|V8\.GC)")
SUMS = {
    "beacon, widget and promises": re.compile(r"(pz[\w-]*\.js|promises)$"),
    "the same, idle included": re.compile(r"(pz[\w-]*\.js|promises)"),
}
LONG = """window.long = []; new PerformanceObserver((list) => long.push(...list.getEntries().map((e) => e.duration)))
    .observe({type: 'longtask', buffered: true});"""
LOOP = """() => { const began = performance.now(); let x = 1;
    for (let i = 0; i < 3e6; i++) x = (x * 1103515245 + i) % 2147483647; return performance.now() - began + (x < 0) }"""


@dataclass
class Loads:
    """What the loads of one kind cost."""

    times: list[Counter[str]] = field(default_factory=list)
    """Milliseconds of CPU by script, one table a load."""
    long: list[list[float]] = field(default_factory=list)
    loops: list[float] = field(default_factory=list)

    def cost(self, script: re.Pattern[str]) -> list[float]:
        return [sum(ms for name, ms in each.items() if script.match(name)) for each in self.times]


def main_thread(events: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The complete events of the thread that runs the page's scripts, since the page was committed, as they began."""
    complete = [event for event in events if event.get("ph") == "X"]
    calls = Counter((event["pid"], event["tid"]) for event in complete if event["name"] == "EvaluateScript")
    thread = calls.most_common(1)[0][0]
    mine = [event for event in complete if (event["pid"], event["tid"]) == thread]
    began = max((event["ts"] for event in mine if event["name"] == "CommitLoad"), default=0)
    mine = [event for event in mine if event["ts"] > began]
    return sorted(mine, key=lambda event: (event["ts"], -event.get("dur", 0)))


def spent(events: Iterable[dict[str, Any]]) -> Counter[str]:
    """Milliseconds of CPU by script: of every event its own time, without what stands inside it under another name."""
    total: Counter[str] = Counter()
    open_events: list[tuple[float, str]] = []  # when it ends, whose it is
    idle_until = 0.0
    for event in main_thread(events):
        while open_events and open_events[-1][0] <= event["ts"]:
            open_events.pop()
        outer = open_events[-1][1] if open_events else ""
        if event["name"] == "FireIdleCallback":
            idle_until = event["ts"] + event["dur"]
        whose = owner(event, outer, " (idle)" if event["ts"] < idle_until else "")
        if whose.startswith("promises") and not total:
            whose = outer  # before any script of the page: the browser's own
        if whose != outer:
            used = event.get("tdur", 0) / 1000
            total[whose] += used
            total[outer] -= used
        open_events.append((event["ts"] + event.get("dur", 0), whose))
    del total[""]
    return total


def owner(event: dict[str, Any], outer: str, when: str) -> str:
    """Whose time an event is: of a script by its name without the hash, of promises, the collector, what is around."""
    if COLLECTING.match(event["name"]):
        return "garbage collection"
    if event["name"] not in SCRIPTS:
        return outer
    if event["name"] == "RunMicrotasks":
        return outer or "promises" + when
    url = str(event.get("args", {}).get("data", {}).get("url", ""))
    name = re.sub(r"\.[0-9a-f]{12}", "", url.rpartition("/")[2])
    return name + when if name else outer


def load(browser: Browser, page: Page, address: str, into: Loads) -> None:
    browser.start_tracing(page=page, categories=CATEGORIES)
    page.goto(f"{address}/demo/")
    page.wait_for_timeout(SECONDS * 1000)
    trace = json.loads(browser.stop_tracing())
    into.times.append(spent(trace["traceEvents"]))
    into.long.append(page.evaluate("long"))
    into.loops.append(page.evaluate(LOOP))


def new_page(context: BrowserContext, rate: int) -> Page:
    page = context.new_page()
    page.add_init_script(LONG)
    context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": rate})
    return page


def first_loads(browser: Browser, address: str, rate: int) -> Loads:
    loads = Loads()
    for _ in range(LOADS):
        context = browser.new_context(viewport={"width": 390, "height": 844})
        load(browser, new_page(context, rate), address, loads)
        context.close()
    return loads


def later_loads(browser: Browser, address: str, rate: int) -> Loads:
    loads = Loads()
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = new_page(context, rate)
    page.goto(f"{address}/demo/")
    page.get_by_role("button", name="Accept all", exact=True).click()
    for _ in range(3):
        page.goto(f"{address}/demo/")  # so that Chromium keeps the compiled scripts, as it does for those who come back
        page.wait_for_timeout(SECONDS * 1000)
    for _ in range(LOADS):
        load(browser, page, address, loads)
    context.close()
    return loads


def tell(what: str, plain: Loads, throttled: Loads) -> None:
    scripts = sorted({name for each in plain.times + throttled.times for name in each})
    lines = [(name, re.compile(re.escape(name) + "$")) for name in scripts]
    print(f"{what}; median of {LOADS} loads (lowest to highest), ms\n  {'':30} {'CPU x 4':>22} {'4x':>22}")
    for name, which in [*lines, *SUMS.items()]:
        columns = [[ms * SLOWER for ms in plain.cost(which)], throttled.cost(which)]
        told = (f"{median(each):6.1f} ({min(each):.1f} to {max(each):.1f})" for each in columns)
        print(f"  {name:30} " + " ".join(f"{text:>22}" for text in told))
    longest = [[round(max(each, default=0)) for each in loads.long] for loads in (plain, throttled)]
    print(f"  longest task over 50 ms, by load: without a throttle {longest[0]}, 4x {longest[1]}")
    loops = median(plain.loops), median(throttled.loops)
    print(f"  fixed loop: {loops[0]:.0f} ms, throttled {loops[1]:.0f} ms, {loops[1] / loops[0]:.1f} times\n")


def main(address: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        for what, loads in [("new profile, no decision yet", first_loads), ("comes back, agreed", later_loads)]:
            tell(what, loads(browser, address, 1), loads(browser, address, SLOWER))
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
