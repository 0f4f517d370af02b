"""`personalize simulate`: two experiments of which the truth is known, through the HTTP API from start to result.

On the front page static against personalized lists, whose true uplift follows from the shoppers' hidden preferences; on
the trending list two arms that are the same. Both have to come out as they are, and so do 500 made-up ones.
"""

from __future__ import annotations

import secrets
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from app.demo import generate_catalogue
from app.demo.mark import DemoShop, read_mark
from app.demo.prepare import prepare_in_child
from app.demo.shoppers import Shopper, generate_shoppers
from app.experiments.options import ExperimentOptions
from app.experiments.results import percent
from app.experiments.synthetic import Alarms, false_alarms
from app.program import program
from app.selftest import personalize
from app.simulate.client import CannotSimulate, Client
from app.simulate.shopping import Shopping
from app.simulate.truth import Truth

Said = Callable[[str], None]
ACCOUNT = "simulate"
AA_RUNS = 500


class Access(NamedTuple):
    """How a server is reached. Without a server key the account makes one for the while, if it is an operator's."""

    address: str
    key: str
    name: str
    password: str


class Outcome(NamedTuple):
    """What was true and what was measured."""

    truth: float
    ab: dict[str, Any]
    aa: dict[str, Any]

    @property
    def recovered(self) -> bool:
        """Whether the known uplift is inside of the measured interval."""
        metric = self.ab["metrics"][0]
        return metric["low"] is not None and bool(metric["low"] <= self.truth <= metric["high"])

    @property
    def quiet(self) -> bool:
        """Whether nothing was claimed of the arms that are the same."""
        return self.aa["metrics"][0]["verdict"] not in ("better", "worse")


def simulate(access: Access, shop: DemoShop, shoppers: int, visits: int, seed: int, said: Said) -> Outcome:
    """Run both experiments on a server that serves the generated shop. Raises CannotSimulate."""
    with closing(Client(access.address, access.key)) as client:
        client.sign_in(access.name, access.password)
        if access.key:
            return _with(client, shop, shoppers, visits, seed, said)
        made = client.manage("POST", "/v1/keys", {"kind": "server"}, expect=201)
        client.key = made["key"]
        try:
            return _with(client, shop, shoppers, visits, seed, said)
        finally:
            client.manage("DELETE", f"/v1/keys/{made['id']}", expect=204)


def _with(client: Client, shop: DemoShop, shoppers: int, visits: int, seed: int, said: Said) -> Outcome:
    mark = secrets.token_hex(3)
    ab, aa = f"sim-{mark}", f"sim-same-{mark}"
    arms = [{"key": "static", "weight": 50, "static": True}, {"key": "personal", "weight": 50}]
    _start(client, ab, "Static against personalized", "home", arms)
    _start(client, aa, "Twice the same", "trending", [{"key": "one", "weight": 50}, {"key": "other", "weight": 50}])
    try:
        truth = Truth(generate_catalogue(shop.seed, shop.now), shop.seed, shop.now)
        people = _people(shop, shoppers)
        said(f"{len(people)} shoppers who agreed, each {visits} times")
        shopping = Shopping(client, truth, np.random.default_rng(seed), ab)
        shopping.all(people, visits, said)
        told = [client.manage("GET", f"/v1/experiments/{key}/results") for key in (ab, aa)]
    finally:
        for key in (ab, aa):
            client.manage("POST", f"/v1/experiments/{key}:stop")
    return Outcome(shopping.expected.uplift, *told)


def made_up(runs: int = AA_RUNS, seed: int = 20261127) -> Alarms:
    """Experiments without a difference, looked at every day, by the product's own statistics."""
    return false_alarms(runs, seed, ExperimentOptions())


def report(outcome: Outcome, alarms: Alarms, said: Said) -> bool:
    """Print what came out; whether all is as it should be."""
    metric, same = outcome.ab["metrics"][0], outcome.aa["metrics"][0]
    ever = (
        f"of {alarms.runs} made-up experiments without a difference, looked at on 21 days, {alarms.uplift} ever claimed"
        f" one ({alarms.uplift / alarms.runs:.1%}; promised: at most 5 %)"
    )
    once = f"looked at once, on the last day, {alarms.once} would have ({alarms.once / alarms.runs:.1%}; nominal: 5 %)"
    checks = (
        (not outcome.ab["shares"]["suspect"] and not outcome.aa["shares"]["suspect"], outcome.ab["shares"]["sentence"]),
        (outcome.recovered, f"known uplift {percent(outcome.truth)} %, measured: {metric['sentence']}"),
        (outcome.quiet, f"two arms that are the same: {same['sentence']}"),
        (alarms.uplift <= 0.05 * alarms.runs, ever),
        (0.02 * alarms.runs <= alarms.once <= 0.08 * alarms.runs, once),
    )
    for holds, sentence in checks:
        said(f"  {'ok  ' if holds else 'NOT '} {sentence}")
    return all(holds for holds, _ in checks)


@contextmanager
def scratch_server(folder: Path, shoppers: int, said: Said) -> Iterator[tuple[Access, DemoShop]]:
    """The generated shop in a folder of its own, trained and served on a free port."""
    config = folder / "personalize.toml"
    prepare_in_child(config, said, shoppers)
    shop = read_mark(folder)
    if shop is None:
        raise CannotSimulate(f"{folder} holds no generated shop")
    password = personalize(config, "users", "add", ACCOUNT, "--role", "marketer").strip().splitlines()[-1]
    key = personalize(config, "keys", "create", "server").strip().splitlines()[-1]
    process = subprocess.Popen(
        [*program(), "-c", str(config), "serve", "--bind", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        address = next((line.rsplit("http://", 1)[1].split()[0] for line in process.stdout if "http://" in line), "")
        if not address:
            raise CannotSimulate("the server did not start; what it said stands above")
        yield Access(address, key, ACCOUNT, password), shop
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _people(shop: DemoShop, shoppers: int) -> list[Shopper]:
    return [each for each in generate_shoppers(shop.seed, shop.now, shoppers) if each.consent == "granted"]


def _start(client: Client, key: str, name: str, placement: str, arms: list[dict[str, Any]]) -> None:
    design = {"key": key, "name": f"Simulated: {name}", "placements": [placement], "arms": arms, "metric": "clicks",
              "guardrails": ["carts", "orders"]}  # fmt: skip
    client.manage("POST", "/v1/experiments", design, expect=201)
    client.manage("POST", f"/v1/experiments/{key}:start")
