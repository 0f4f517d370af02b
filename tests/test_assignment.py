"""Who is in which arm: uniform, sticky, independent between experiments, and nothing kept that need not be."""

import secrets
from bisect import bisect_right
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from app.experiments.assignment import Assigner, edges_of, slots_of, unit_of
from app.node import Node
from app.privacy.gatekeeper import ConsentSignal
from app.privacy.identity import Claim
from app.privacy.rotation import rotate
from app.serving.visitors import VisitorReader
from store.epochs import Domain
from store.experiments import SLOTS, Arm, Design, Experiment
from store.parts import Part, read_parts, write_parts
from tests.open_shop import ANON, batch, event, open_shop, outcomes, row, send
from tests.test_rotation import BEGAN, DAY, EVENTS, at

KEY = b"k" * 32
AB = [Arm(key="a", weight=50), Arm(key="b", weight=50)]


def design(key: str = "home-test", **more: object) -> Design:
    return msgspec.convert({"key": key, "name": key, "arms": msgspec.to_builtins(AB), **more}, Design)


def running(number: int, key: str, *, layer: str = "", slots: tuple[int, int] = (0, SLOTS)) -> Experiment:
    return Experiment(
        number=number, design=design(key, layer=layer), state="running", salt=f"salt of {key}", first_slot=slots[0],
        last_slot=slots[1],
    )  # fmt: skip


class Keys:
    """Two epochs' keys."""

    epoch = 2

    def key(self, domain: Domain, epoch: int | None = None) -> bytes:
        return bytes([self.epoch if epoch is None else epoch]) * 32


class Running:
    """What runs."""

    def __init__(self, *experiments: Experiment) -> None:
        self.running = experiments


def assigner(*experiments: Experiment, holdout: float = 0) -> Assigner:
    return Assigner(Keys(), Running(*experiments), holdout)  # type: ignore[arg-type]  # what it uses of the store


@given(st.binary(min_size=16, max_size=16), st.binary(max_size=64))
def test_a_draw_is_a_slot_and_always_the_same_one(pseudonym: bytes, salt: bytes) -> None:
    slots = slots_of(unit_of(KEY, pseudonym), salt)
    assert all(0 <= slot < SLOTS for slot in slots)
    assert slots == slots_of(unit_of(KEY, pseudonym), salt)


@given(st.lists(st.integers(1, 1000), min_size=2, max_size=8))
def test_every_slot_belongs_to_an_arm_and_arms_have_their_shares(parts: list[int]) -> None:
    arms = [Arm(key=f"a{place}", weight=part * 100 / sum(parts)) for place, part in enumerate(parts)]
    counted = Counter(bisect_right(edges_of(arms), slot) for slot in range(SLOTS))
    assert sum(counted.values()) == SLOTS
    for place, arm in enumerate(arms):
        assert abs(counted[place] - arm.weight * SLOTS / 100) <= 1


def people(count: int, seed: int = 0) -> list[bytes]:
    """Made of a counter under a fixed key: the same in every run."""
    return [unit_of(bytes([seed]) * 32, number.to_bytes(8, "big")) for number in range(count)]


def test_draws_are_uniform() -> None:
    slots = [slots_of(unit_of(KEY, person), b"salt") for person in people(20_000)]
    for which in (0, 1):
        assert chisquare(list(Counter(slot[which] // 100 for slot in slots).values())).pvalue > 1e-4
    both = Counter((one // 1_000, other // 1_000) for one, other in slots)
    assert chisquare(list(both.values())).pvalue > 1e-4, "who is in it says nothing of the arm"


def test_two_experiments_are_independent_and_two_keys_are_too() -> None:
    draw = assigner(running(1, "one"), running(2, "two"))
    found = [draw.arms(person, None) for person in people(20_000)]
    assert all(set(arms) == {"one", "two"} for arms in found)
    pairs = Counter((arms["one"], arms["two"]) for arms in found)
    assert chisquare(list(pairs.values())).pvalue > 1e-4
    anew = Counter((arms["one"], draw.arms(person, None, earlier=True)["one"])
                   for arms, person in zip(found, people(20_000), strict=True))  # fmt: skip
    assert chisquare(list(anew.values())).pvalue > 1e-4


def test_experiments_of_one_layer_never_share_a_visitor_and_have_their_shares() -> None:
    draw = assigner(
        running(1, "one", layer="home", slots=(0, 3_000)), running(2, "two", layer="home", slots=(3_000, 5_000))
    )
    found = [draw.arms(person, None) for person in people(10_000)]
    assert all(len(arms) <= 1 for arms in found)
    shares = Counter(key for arms in found for key in arms)
    assert abs(shares["one"] / 10_000 - 0.3) < 0.02
    assert abs(shares["two"] / 10_000 - 0.2) < 0.02


def test_who_is_held_out_is_in_nothing_else() -> None:
    draw = assigner(running(1, "one"), holdout=10)
    found = [draw.arms(person, None) for person in people(10_000)]
    held = [arms for arms in found if arms["holdout"] == "holdout"]
    assert abs(len(held) / 10_000 - 0.1) < 0.015
    assert all(set(arms) == {"holdout"} for arms in held)
    assert all(set(arms) == {"holdout", "one"} for arms in found if arms not in held)


@given(st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16))
def test_arms_survive_a_new_epoch_with_no_more_kept_than_where_the_new_draw_differs(before: bytes, now: bytes) -> None:
    experiments = running(1, "one"), running(2, "two", slots=(0, 5_000))
    draw = assigner(*experiments, holdout=20)
    kept = draw.carried(None, before, now)
    assert draw.arms(now, kept) == draw.arms(before, None, earlier=True)
    anew = assigner(*experiments).arms(now, None) | {"holdout": draw.arms(now, None)["holdout"]}
    for number, part in read_parts(kept).items():
        key = {0: "holdout", 1: "one", 2: "two"}[number]
        assert part.arm != anew.get(key, "")
        assert not part.exposed


def test_what_a_row_says_overrules_the_draw_and_what_ended_is_let_go() -> None:
    draw = assigner(running(1, "one"))
    person = people(1)[0]
    for arm in ("a", "b"):
        assert draw.arms(person, write_parts({1: Part(arm, lists=3)})) == {"one": arm}
    assert draw.arms(person, write_parts({1: Part("")})) == {}
    assert draw.arms(person, b"\xc1 broken") == draw.arms(person, None)
    assert draw.current({1: Part("a"), 7: Part("b")}) == {1: Part("a")}


# ---- over an open node


async def begin(node: Node, *designs: Design) -> None:
    for each in designs:
        draft = await node.experiments.add(each, node.clock.now())
        await node.experiments.replace(draft, msgspec.structs.replace(draft, state="running", last_slot=SLOTS))


@pytest.mark.anyio
async def test_arms_survive_the_rotation_of_keys_before_and_after_the_visitor_is_back(tmp_path: Path) -> None:
    async with open_shop(tmp_path, node=EVENTS, experiments={"holdout": 10.0}) as node:
        at(node, BEGAN)
        await begin(node, design("one"), design("two"), design("three"))
        anons = [secrets.token_hex(16) for _ in range(40)]
        for anon in anons:
            await send(node, batch(event(node, "view_item", "june", "S1"), anon=anon), kind="server")
        told = {anon: node_arms(node, anon) for anon in anons}
        assert len({tuple(sorted(arms.items())) for arms in told.values()}) > 4, "they differ from each other"
        await rotate(node)
        assert {anon: node_arms(node, anon) for anon in anons} == told, "read where the row lies"
        at(node, BEGAN + DAY)
        for anon in anons:
            await send(node, batch(event(node, "view_item", "again", "S2"), anon=anon), kind="server")
        assert {anon: node_arms(node, anon) for anon in anons} == told, "once it has moved"
        at(node, BEGAN + 100 * DAY)
        await rotate(node)
        for anon in anons:
            await send(node, batch(event(node, "view_item", "later", "S2"), anon=anon), kind="server")
        assert {anon: node_arms(node, anon) for anon in anons} == told, "and once more"


@pytest.mark.anyio
async def test_a_withdrawn_consent_takes_arm_and_record_with_it(tmp_path: Path) -> None:
    async with open_shop(tmp_path, node=EVENTS) as node:
        at(node, BEGAN)
        await begin(node, design("one"))
        await send(node, batch(event(node, "view_item", "june", "S1")), kind="server")
        assert set(node_arms(node, ANON)) == {"one"}
        await rotate(node)
        at(node, BEGAN + DAY)
        found = row(node)
        while found is None or found.experiments is None:  # half of the keys draw the same arm: then nothing is kept
            await send(node, batch(event(node, "view_item", f"again {node.keys.epoch}", "S1")), kind="server")
            found = row(node)
            if found is not None and found.experiments is None:
                await rotate(node)
        update = event(node, "consent_update", "no more")
        assert outcomes(await send(node, batch(update, consent="session"), kind="server")) == ["accepted"]
        assert node_arms(node, ANON) == {}
        (left,) = node.reader.execute("SELECT count(*) FROM profiles WHERE experiments IS NOT NULL").fetchone()
        assert left == 0


def node_arms(node: Node, anon: str) -> dict[str, str]:
    """The arms a request of somebody who says nothing new is answered in."""
    reader = VisitorReader(
        lambda: node.gatekeeper, node.keys, node.person, node.vault, node.config.features, node.catalogue,
        node.assigner,
    )  # fmt: skip
    return dict(reader.read(Claim(anon=anon), ConsentSignal(), node.clock.now())[0].arms)
