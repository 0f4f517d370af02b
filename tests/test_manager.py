import logging
from pathlib import Path

import numpy as np
import pytest

from app.logs import PlacesOnly
from plugins.calls import PluginFailed
from plugins.contract import NO_ITEMS, Candidates
from plugins.loading import PluginProblems, dropped_in_names, shipped_names
from plugins.manager import Plugins, load_plugins
from store.records import Line, LoggedEvent, ProfileFeatures
from tests.small_shop import asking, shopper, small_catalogue

DROP_IN = Path(__file__).parent / "drop_in"
HEAD = "from dataclasses import dataclass\nimport numpy as np\nfrom plugins.contract import hookimpl\n"
CLASS = "\n@dataclass(frozen=True)\nclass Plugin:\n"


def dropped_in(folder: Path, **modules: str) -> Path:
    for name, body in modules.items():
        (folder / f"{name}.py").write_text(f'"""{name} for a test."""\n{HEAD}{CLASS}{body}')
    return folder


def candidates(*items: int) -> Candidates:
    return Candidates(np.array(items, np.int32), small_catalogue())


def problems(tables: dict[str, object], folder: Path | None = None) -> list[str]:
    with pytest.raises(PluginProblems) as told:
        load_plugins(tables, folder)
    return told.value.problems


def test_a_dropped_in_scorer_changes_the_score_without_being_named_by_a_placement() -> None:
    plugins = load_plugins({"popular": {}, "prefer_cheap": {"weight": 2.0}}, DROP_IN)
    total, parts = plugins.score(candidates(0, 9), asking(small_catalogue()), {"popular": 1.0})
    assert list(parts) == ["popular", "prefer_cheap"]
    assert parts["prefer_cheap"].tolist() == pytest.approx([2 / 2, 2 / 11])
    assert total.tolist() == pytest.approx((parts["popular"] + parts["prefer_cheap"]).tolist())


def test_a_scorer_that_ships_counts_only_where_the_placement_names_it() -> None:
    plugins = load_plugins({"popular": {}, "new_items": {}}, None)
    _, parts = plugins.score(candidates(1, 2), asking(small_catalogue()), {"new_items": 0.5})
    assert list(parts) == ["new_items"]


def test_plugins_are_called_in_the_order_of_the_configuration(tmp_path: Path) -> None:
    body = "    @hookimpl\n    def arrange(self, ranked):\n        return np.arange(len(ranked))[{}]\n"
    folder = dropped_in(tmp_path, reverse=body.format("::-1"), first_two=body.format(":2"))
    context = asking(small_catalogue())
    assert load_plugins({"reverse": {}, "first_two": {}}, folder).arrange(candidates(1, 2, 3), context).tolist() == [
        2,
        1,
    ]
    assert load_plugins({"first_two": {}, "reverse": {}}, folder).arrange(candidates(1, 2, 3), context).tolist() == [
        1,
        0,
    ]


def test_every_mistake_is_told_at_once_with_its_path_and_what_would_be_right(tmp_path: Path) -> None:
    hook = "    @hookimpl\n    def {}(self, {}):\n        return None\n"
    folder = dropped_in(
        tmp_path,
        misspelled_hook=hook.format("scores", "candidates"),
        misspelled_argument=hook.format("score", "candidate"),
        no_hook="    size: int = 1\n",
        unmarked="    def keep(self, candidates):\n        return None\n",
        asynchronous="    @hookimpl\n    async def served(self, items):\n        return None\n",
        forgetful="    @hookimpl\n    def personal_data(self):\n        return ['a table']\n",
    )
    (folder / "no_class.py").write_text("Plugins = 1\n")
    (folder / "thawed.py").write_text(f"{HEAD}\n@dataclass\nclass Plugin:\n    pass\n")
    (folder / "unfinished.py").write_text("def (\n")
    (folder / "needy.py").write_text("import no_such_library\n")
    (folder / "popular.py").write_text("")
    tables: dict[str, object] = {name: {} for name in dropped_in_names(folder)} | {
        "populer": {},
        "new_items": {"half_life_day": 3, "half_life_days": "long"},
        "trending": 3,
        "diversity": {"brand_share": 2},
    }
    told = "\n".join(problems(tables, folder))
    for expected in (
        "plugins.populer: no such plugin; did you mean 'popular'?",
        "plugins.new_items.half_life_day: unknown option; did you mean 'half_life_days'?",
        "plugins.new_items.half_life_days: expected float, got str (it is 'long')",
        "plugins.trending: expected a table [plugins.trending], got 3",
        "plugins.diversity.brand_share: expected float <= 1.0 (it is 2)",
        "plugins.misspelled_hook: no hook is called 'scores'; did you mean 'score'?",
        "plugins.misspelled_argument.score: there is no argument 'candidate'; did you mean 'candidates'?",
        "plugins.no_hook: `Plugin` in",
        "plugins.unmarked: keep is the name of a hook but lacks @hookimpl",
        "plugins.asynchronous.served: must be a plain function, not async",
        "plugins.forgetful: personal_data and person_erased come together",
        "no_class.py defines no class `Plugin`; did you mean 'Plugins'?",
        "thawed.py must be a @dataclass(frozen=True)",
        "unfinished.py: SyntaxError",
        "needy.py:1: ModuleNotFoundError: No module named 'no_such_library'",
        "plugins.popular: " + str(folder),
    ):
        assert expected in told
    assert len(told.splitlines()) == len(tables) + 1


def test_an_option_without_a_default_must_be_set_and_a_plugin_may_refuse_its_options(tmp_path: Path) -> None:
    hook = "    @hookimpl\n    def served(self):\n        return None\n"
    folder = dropped_in(
        tmp_path,
        needs_one=f"    size: int\n{hook}",
        refuses=f"    low: int = 3\n{hook}    def __post_init__(self):\n        raise ValueError('low: too low')\n",
    )
    assert problems({"needs_one": {}, "refuses": {}}, folder) == [
        "plugins.needs_one.size: missing, and it has no default",
        "plugins.refuses: low: too low",
    ]


def test_a_drop_in_is_read_as_it_is_now_and_nothing_is_written_beside_it(tmp_path: Path) -> None:
    hook = "    @hookimpl\n    def reject_event(self):\n        return {!r}\n"
    event = LoggedEvent(1, 1, 1, "view_item", 0)
    for answer in ("one", "two"):
        folder = dropped_in(tmp_path, gate=hook.format(answer))
        assert load_plugins({"gate": {}}, folder).reject_event(event) == answer
    assert [file.name for file in tmp_path.iterdir()] == ["gate.py"]


def test_two_folders_may_hold_plugins_of_one_name(tmp_path: Path) -> None:
    loaded = []
    for answer in ("one", "two"):
        (tmp_path / answer).mkdir()
        folder = dropped_in(
            tmp_path / answer, gate=f"    @hookimpl\n    def reject_event(self):\n        return {answer!r}\n"
        )
        loaded.append(load_plugins({"gate": {}}, folder))
    assert [plugins.reject_event(LoggedEvent(1, 1, 1, "x", 0)) for plugins in loaded] == ["one", "two"]


def test_a_failing_scorer_is_left_out_counted_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    plugins = load_plugins({"broken_scorer": {}, "popular": {}}, DROP_IN)
    with caplog.at_level(logging.ERROR, "personalize.plugins"):
        scored = [plugins.score(candidates(1, 2), asking(small_catalogue()), {"popular": 1.0}) for _ in range(3)]
    for total, parts in scored:
        assert list(parts) == ["popular"]
        assert np.isfinite(total).all()
    (call,) = (call for call in plugins.calls["score"] if call.plugin == "broken_scorer")
    assert (call.calls, call.failures) == (3, 3)
    assert len(caplog.records) == 1
    assert "plugins.broken_scorer: score failed" in caplog.text
    assert "no luck today" in caplog.text


@pytest.mark.parametrize(
    "answer", ["np.zeros(1)", "[1.0] * len(candidates)", "np.full(len(candidates), np.nan)", "np.zeros((2, 2))", "'x'"]
)
def test_scores_that_are_no_scores_are_left_out(tmp_path: Path, answer: str) -> None:
    folder = dropped_in(tmp_path, odd=f"    @hookimpl\n    def score(self, candidates):\n        return {answer}\n")
    plugins = load_plugins({"odd": {}, "popular": {}}, folder)
    total, parts = plugins.score(candidates(1, 2, 3), asking(small_catalogue()), {"popular": 1.0})
    assert list(parts) == ["popular"]
    assert total.tolist() == parts["popular"].tolist()
    assert plugins.calls["score"][0].failures == 1


@pytest.mark.parametrize(
    "answer", ["np.array([5000])", "np.array([-1])", "np.array([1.5])", "[1]", "np.zeros((1, 1), int)"]
)
def test_proposals_that_are_no_items_are_left_out(tmp_path: Path, answer: str) -> None:
    folder = dropped_in(tmp_path, odd=f"    @hookimpl\n    def retrieve(self):\n        return {answer}\n")
    plugins = load_plugins({"odd": {}, "popular": {}}, folder)
    assert list(plugins.retrieve(asking(small_catalogue()), 5)) == ["popular"]
    assert plugins.calls["retrieve"][0].failures == 1


@pytest.mark.parametrize("answer", ["np.array([0, 0])", "np.array([9])", "np.array([True])", "[0]"])
def test_an_order_that_is_no_order_is_left_out(tmp_path: Path, answer: str) -> None:
    folder = dropped_in(tmp_path, odd=f"    @hookimpl\n    def arrange(self):\n        return {answer}\n")
    plugins = load_plugins({"odd": {}}, folder)
    assert plugins.arrange(candidates(4, 5), asking(small_catalogue())).tolist() == [0, 1]
    assert plugins.calls["arrange"][0].failures == 1


@pytest.mark.parametrize("answer", ["np.ones(1, bool)", "np.ones(len(candidates))", "[True, True]", "1 / 0"])
def test_a_rule_that_does_not_answer_with_a_mask_fails_closed(tmp_path: Path, answer: str) -> None:
    folder = dropped_in(tmp_path, odd=f"    @hookimpl\n    def keep(self, candidates):\n        return {answer}\n")
    plugins = load_plugins({"odd": {}}, folder)
    with pytest.raises(PluginFailed, match=r"plugins\.odd"):
        plugins.keep(candidates(1, 2), asking(small_catalogue()))


def test_the_log_says_what_a_rule_should_have_answered_and_what_follows(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = dropped_in(tmp_path, odd="    @hookimpl\n    def keep(self, candidates):\n        return [True, True]\n")
    plugins = load_plugins({"odd": {}}, folder)
    caplog.handler.setFormatter(PlacesOnly("%(message)s"))
    with pytest.raises(PluginFailed):
        plugins.keep(candidates(1, 2), asking(small_catalogue()))
    assert "no items are shown" in caplog.text
    assert "keep must answer a boolean mask of 2, got list" in caplog.text


def test_rules_are_not_asked_about_nothing(tmp_path: Path) -> None:
    answer = "np.array([item > 1 for item in candidates.items])"
    body = f"    @hookimpl\n    def keep(self, candidates):\n        return {answer}\n"
    plugins = load_plugins({"listed": {}}, dropped_in(tmp_path, listed=body))
    assert plugins.keep(candidates(), asking(small_catalogue())).tolist() == []
    assert plugins.keep(candidates(0, 2), asking(small_catalogue())).tolist() == [False, True]


def test_all_rules_have_to_agree(tmp_path: Path) -> None:
    body = "    @hookimpl\n    def keep(self, candidates):\n        return candidates.items {}\n"
    folder = dropped_in(
        tmp_path,
        above=body.format("> 1"),
        below=body.format("< 4"),
        silent="    @hookimpl\n    def keep(self):\n        return None\n",
    )
    plugins = load_plugins({"above": {}, "below": {}, "silent": {}}, folder)
    dropped: dict[str, int] = {}
    assert plugins.keep(candidates(0, 1, 2, 3, 4), asking(small_catalogue()), dropped).tolist() == [
        False,
        False,
        True,
        True,
        False,
    ]
    assert dropped == {"above": 2, "below": 1}


def test_a_plugin_that_cannot_judge_an_event_refuses_it(tmp_path: Path) -> None:
    folder = dropped_in(
        tmp_path, judge="    @hookimpl\n    def reject_event(self, event):\n        return event.nothing\n"
    )
    plugins = load_plugins({"judge": {}}, folder)
    assert plugins.reject_event(LoggedEvent(1, 1, 1, "view_item", 0)) == "plugin_failed:judge"


def test_new_features_carry_the_name_of_their_plugin(tmp_path: Path) -> None:
    body = "    @hookimpl\n    def update_features(self, features, event):\n        return {}\n"
    folder = dropped_in(
        tmp_path, counter=body.format("{'events': features.extra.get('counter.events', 0) + 1}"), odd=body.format("[1]")
    )
    plugins = load_plugins({"counter": {}, "odd": {}, "price_level": {}}, folder)
    features = ProfileFeatures()
    for _ in range(2):
        features.extra |= plugins.update_features(features, LoggedEvent(1, 1, 1, "view_item", 0, (Line(3, 1, 10.0),)))
    assert features.extra["counter.events"] == 2
    assert features.extra["price_level.log_price"] == pytest.approx(np.log(10))
    assert plugins.calls["update_features"][1].failures == 2


def test_observers_that_fail_do_not_stop_the_others(tmp_path: Path) -> None:
    hook = "    @hookimpl\n    def {}(self):\n        raise RuntimeError\n"
    folder = dropped_in(tmp_path, deaf=hook.format("served") + hook.format("event_stored"))
    plugins = load_plugins({"deaf": {}, "frequency_cap": {}}, folder)
    plugins.served(asking(small_catalogue(), visitor=shopper(1)), np.array([1, 2], np.int32))
    plugins.event_stored(LoggedEvent(1, 1, 1, "view_item", 0))
    assert [call.calls for call in plugins.calls["served"]] == [1, 1]
    assert [call.failures for call in plugins.calls["event_stored"]] == [1, 0]


def test_what_plugins_keep_of_people_is_named_and_erased() -> None:
    plugins = load_plugins({"frequency_cap": {}}, None)
    (kept,) = plugins.personal_data()
    assert kept.startswith("frequency_cap: ")
    plugins.served(asking(small_catalogue(), visitor=shopper(1)), np.array([1], np.int32))
    assert plugins.person_erased(17) == 1
    assert plugins.person_erased(17) == 0


def test_what_is_on_describes_itself() -> None:
    popular, cheap = load_plugins({"new_items": {"half_life_days": 3}, "prefer_cheap": {}}, DROP_IN).describe()
    assert popular.name == "new_items"
    assert popular.options == {"half_life_days": 3.0}
    assert popular.hooks == ("retrieve", "score")
    assert popular.shipped
    assert popular.summary == "Offer and prefer what was published lately."
    assert not cheap.shipped
    assert cheap.file == str(DROP_IN / "prefer_cheap.py")


def test_a_drop_in_may_import_what_the_server_does_not() -> None:
    plugins = load_plugins({"needs_more": {}}, DROP_IN)
    _, parts = plugins.score(candidates(1, 2, 3), asking(small_catalogue()), {})
    assert len(parts["needs_more"]) == 3


def test_without_plugins_everything_has_an_answer() -> None:
    plugins, context = Plugins(), asking(small_catalogue())
    assert plugins.retrieve(context, 5) == {}
    assert plugins.keep(candidates(1), context).tolist() == [True]
    assert plugins.score(candidates(1), context, {})[0].tolist() == [0]
    assert plugins.arrange(candidates(1, 2), context).tolist() == [0, 1]
    assert plugins.background(None) == []
    assert plugins.arrange(Candidates(NO_ITEMS, small_catalogue()), context).tolist() == []


def test_all_that_ships_can_be_switched_on_together() -> None:
    names = shipped_names()
    assert [one.name for one in load_plugins({name: {} for name in names}, None).describe()] == names
