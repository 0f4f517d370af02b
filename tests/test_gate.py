"""A new generation serves only if it is good enough; what people did last, and nobody learned from, decides."""

import asyncio
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.learning.gate import published, settle
from app.learning.held_out import hold_out
from app.learning.runs import REFUSED
from app.learning.train import Draft, _draft, steps_of
from app.node import Node
from plugins.judgement import Judgement
from plugins.manager import load_plugins
from store.faults import GenerationUnreadable
from store.generation import current, generations, load_generation, refused
from tests.test_dataset import NOW, of, viewed
from tests.trained_shop import BEGAN, DAY, SMALL, clicks, shop, trained

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).parent.parent
JUDGED = {**SMALL, "judged_share": 0.5, "judged_people": 100}


async def two_days(node: Node, people: int = 60) -> None:
    """Everyone likes one of three kinds of things: they view some, and come back another day for others of the kind."""
    for day in (0, 3):
        node.clock.observe((BEGAN + day * DAY) * 1000)
        for number in range(people):
            kind = number % 3
            items = [f"S{kind + 3 * ((number + day + step) % 4)}" for step in range(2)]
            await clicks(node, f"shopper {number}", *items, buys=items[0])


async def draft_of(node: Node) -> Draft:
    draft = await asyncio.to_thread(_draft, node.config, node.folder)
    draft.before = published(node.folder / "generations")
    for _, step in steps_of(node.config, draft.dataset):
        step(draft)
    return draft


def spoil(draft: Draft) -> None:
    """What a training gone wrong may look like: finite, well-formed, and wrong about everyone."""
    for name in ("item_vectors", "popularity", "selling_now", "trending", "neighbours.data"):
        draft.arrays[name] = draft.arrays[name] * 0
    shown = np.argsort(draft.arrays["popularity"])[:1]
    draft.arrays["selling_now"][shown] = 1


async def test_a_generation_is_judged_by_days_it_was_not_learned_from(tmp_path: Path) -> None:
    async with shop(tmp_path, training=JUDGED) as node:
        await two_days(node)
        card = await trained(node)
        judged = card["judged"]
        assert judged["metric"] == "NDCG@10"
        assert 20 <= judged["people"] < 45
        assert 0 < judged["popularity"] <= judged["new"] <= 1
        assert (judged["serving"], judged["against"], card["refused"]) == (None, "", "")
        assert card["interactions"] == 60 * 6 - judged["people"] * 3
        second = await trained(node)
        assert (second["judged"]["against"], second["judged"]["serving"]) == (card["id"], second["judged"]["new"])
        assert current(node.folder / "generations") == second["id"]


async def test_one_that_loses_to_the_serving_one_and_to_popularity_is_kept_aside_with_the_reason(
    tmp_path: Path,
) -> None:
    async with shop(tmp_path, training=JUDGED) as node:
        await two_days(node)
        good = (await trained(node))["id"]
        draft, home = await draft_of(node), node.folder / "generations"
        popular = load_generation(home, good).arrays["popularity"]
        spoil(draft)
        draft.arrays["popularity"] = np.array(popular)  # what is popular is known; the lists are bad all the same
        draft.arrays["selling_now"] = -np.array(popular)
        settle(draft, "spoilt", home, draft.cases, load_plugins({"not_worse": {}, "selling_now": {}}, None))
        assert draft.card["refused"].startswith("plugins.not_worse: NDCG@10 over")
        assert "less than popularity" in draft.card["refused"]
        assert (current(home), generations(home), refused(home)) == (good, [good], ["spoilt"])
        assert load_generation(home / "refused", "spoilt").card["refused"] == draft.card["refused"]
        node.generations.take_over()
        assert (node.model.id, node.problems()) == (good, [])


async def test_before_anything_serves_popularity_ships_where_what_was_learned_loses_to_it(tmp_path: Path) -> None:
    async with shop(tmp_path, training=JUDGED) as node:
        await two_days(node)
        draft, home = await draft_of(node), node.folder / "generations"
        draft.arrays["selling_now"] = -draft.arrays["popularity"]
        settle(draft, "first", home, draft.cases, load_plugins({"not_worse": {}, "selling_now": {}}, None))
        assert "only what is the same for everyone serves: plugins.not_worse" in draft.card["left_out"]
        assert node.generations.take_over()
        assert (node.model.id, node.model.item_vectors, node.model.neighbours) == ("first", None, None)
        assert node.model.popularity("") is not None


async def test_numbers_that_are_none_are_told_and_nothing_is_written(tmp_path: Path) -> None:
    async with shop(tmp_path, training=JUDGED) as node:
        await two_days(node, 6)
        draft, home = await draft_of(node), node.folder / "generations"
        draft.arrays["item_vectors"][0, 0] = np.nan
        with pytest.raises(GenerationUnreadable, match="item_vectors holds nan or infinity"):
            settle(draft, "spoilt", home, draft.cases, node.plugins)
        draft = await draft_of(node)
        draft.arrays["popularity"] = draft.arrays["popularity"][:3]
        with pytest.raises(GenerationUnreadable, match="3 rows for 12 items"):
            settle(draft, "spoilt", home, draft.cases, node.plugins)
        assert (generations(home), refused(home), current(home)) == ([], [], None)


REFUSES = '''"""Nothing is good enough."""
from dataclasses import dataclass
from plugins.contract import hookimpl

@dataclass(frozen=True)
class Plugin:
    fails: bool = False

    @hookimpl
    def object_to_model(self, report):
        if self.fails:
            raise RuntimeError("out of order")
        return f"{report.people} people are not everyone"
'''


async def test_a_plugin_of_the_shops_own_has_its_say_also_when_it_fails(tmp_path: Path) -> None:
    (tmp_path / "plugins.d").mkdir()
    (tmp_path / "plugins.d" / "never.py").write_text(REFUSES)
    async with shop(tmp_path, training=JUDGED) as node:
        await two_days(node, 9)
        first = (await trained(node))["id"]
        home = node.folder / "generations"
    for fails, told in ((False, "people are not everyone"), (True, "out of order")):
        toml = '[privacy]\nlearned = "exact"\n[node]\nclock = "events"\n'
        toml += f"[training]\nevery_hours = 0\ncontent_dimensions = 8\n[plugins.never]\nfails = {str(fails).lower()}\n"
        (tmp_path / "personalize.toml").write_text(toml)
        command = [sys.executable, "-m", "app", "-c", str(tmp_path / "personalize.toml"), "train", "--quiet"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: ASYNC221
        assert done.returncode == REFUSED
        assert told in done.stderr
        assert "is kept aside, the one before it serves on: plugins.never: " in done.stderr
        assert current(home) == first


def test_beating_either_is_enough_and_few_people_say_nothing() -> None:
    plugin = load_plugins({"not_worse": {}}, None)

    def told(new: float, popularity: float, serving: float | None, people: int = 100) -> str | None:
        return plugin.object_to_model(Judgement("g", "exact", "NDCG@12", people, new, popularity, serving))

    assert told(0.2, 0.1, 0.3) is None
    assert told(0.2, 0.3, 0.1) is None
    assert told(0.2, 0.3, 0.2) is None
    assert told(0.2, 0.3, 0.4) == (
        "plugins.not_worse: NDCG@12 over 100 people is 0.2000,"
        " less than popularity 0.3000, the serving generation 0.4000"
    )
    assert told(0.2, 0.3, None) is not None
    assert told(0.2, 0.3, 0.4, people=19) is None


visits = st.lists(
    st.tuples(st.integers(1, 40), st.integers(0, 9), st.integers(0, 40)), min_size=1, max_size=120
)  # person, item, hours ago / 6


@given(visits, st.integers(0, 20))
def test_nobody_held_out_is_learned_from_on_their_last_day(rows: list[tuple[int, int, int]], most: int) -> None:
    data = of(*(viewed(person, item, at=NOW - ago * DAY // 4) for person, item, ago in rows))
    learned, cases = hold_out(data, 0.5, most, seed=7)
    assert len(cases) <= most
    if not most:
        assert learned is data
    last = {person: max(NOW - ago * DAY // 4 for who, _, ago in rows if who == person) for person, _, _ in rows}
    for case in cases:
        assert len(case.past)
        assert len(set(case.past.person.tolist())) == 1
        person = int(data.surrogates[case.past.person[0]])
        assert case.past.at.max() < last[person] - DAY <= case.at
        assert not (learned.person[learned.at >= last[person] - DAY] == case.past.person[0]).any()
        wanted = {item for who, item, ago in rows if who == person and NOW - ago * DAY // 4 >= last[person] - DAY}
        assert set(case.wanted.tolist()) == wanted


def test_who_is_held_out_does_not_depend_on_who_else_is_there() -> None:
    def chosen(people: range) -> set[int]:
        events = [viewed(person, 1, at=NOW - ago * DAY) for person in people for ago in (5, 0)]
        data = of(*events)
        _, cases = hold_out(data, 0.3, 1000, seed=7)
        return {int(data.surrogates[case.past.person[0]]) for case in cases}

    everyone = chosen(range(1, 400))
    assert 60 < len(everyone) < 180
    assert chosen(range(1, 100)) == {person for person in everyone if person < 100}
