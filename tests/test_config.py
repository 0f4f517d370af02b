import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.config import Config, ConfigError, load_config, parse_config
from app.config.template import fill
from app.node import configured_plugins
from app.privacy.policy import EuropeanUnion
from plugins.loading import PluginProblems

SHIPPED = Path(__file__).parent.parent / "personalize.toml"


def problems_of(table: dict[str, Any]) -> list[str]:
    with pytest.raises(ConfigError) as wrong:
        parse_config(table)
    return wrong.value.problems


def unnamed(kind: msgspec.Struct, table: dict[str, Any], path: str = "") -> list[str]:
    """Settings of a section, and of the sections in it, that a table leaves out."""
    left_out = []
    for field in msgspec.structs.fields(type(kind)):
        default, here = getattr(kind, field.name), f"{path}{field.encode_name}"
        if isinstance(default, msgspec.Struct):
            left_out += unnamed(default, table.get(field.encode_name, {}), f"{here}.")
        elif field.encode_name not in table:
            left_out.append(here)
    return left_out


def test_the_shipped_file_says_what_holds_without_it() -> None:
    config = load_config(SHIPPED)
    assert msgspec.to_builtins(msgspec.structs.replace(config, plugins={})) == msgspec.to_builtins(Config())


def test_the_shipped_file_switches_on_what_is_on_without_it() -> None:
    folder = SHIPPED.parent / "personalize.toml"
    named = [(each.name, each.options) for each in configured_plugins(load_config(SHIPPED), folder).describe()]
    assert named == [(each.name, each.options) for each in configured_plugins(Config(), folder).describe()]


def test_the_shipped_file_names_every_setting() -> None:
    table = tomllib.loads(SHIPPED.read_text("utf-8"))
    silent = {
        # Shown as comments, or named once for all jurisdictions; events whose weight is 0 say nothing.
        *(["placements", "experiences", "plugins", "feeds", "consent.more"]),
        *(
            f"consent.{place}.{name}"
            for place in ("eu", "us-ca", "default")
            for name in EuropeanUnion.__struct_fields__
        ),
        *(f"features.weights.{name}" for name in ("page_view", "view_item_list", "view_cart", "begin_checkout")),
    }
    assert set(unnamed(Config(), table)) - silent == set()
    assert set(table["consent"]["eu"]) == set(EuropeanUnion.__struct_fields__) - {"regions"}


@pytest.mark.parametrize("name", ["app/demo/demo.toml", "app/quality/quality.toml"])
def test_every_configuration_that_ships_is_right(name: str) -> None:
    path = SHIPPED.parent / name
    assert configured_plugins(load_config(path), path).describe()


def test_an_empty_file_is_a_valid_one(tmp_path: Path) -> None:
    path = tmp_path / "personalize.toml"
    path.write_bytes(b"")
    assert load_config(path) == Config()


def test_a_file_saved_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    path = tmp_path / "personalize.toml"
    path.write_bytes('[shop]\nname = "Bäckerei"\n'.encode("utf-8-sig"))
    assert load_config(path).shop.name == "Bäckerei"


def test_all_problems_are_told_at_once_each_with_its_path_and_what_would_be_right() -> None:
    found = problems_of(
        {
            "servr": {},
            "server": {"bnd": "x", "backlog": 0},
            "node": {"clock": "event", "queue": "many"},
            "features": {"weights": {"view_itm": 1.0}},
            "placements": {"home": {"limt": 3}},
            "shop": "mine",
        }
    )
    assert found == [
        "servr: unknown setting; did you mean 'server'?",
        "server.bnd: unknown setting; did you mean 'bind'?",
        "server.backlog: expected int >= 1 (it is 0)",
        "node.clock: 'event' is no choice here; did you mean 'events'?",
        "node.queue: expected int, got str (it is 'many')",
        "features.weights.view_itm: unknown setting; did you mean 'view_item'?",
        "placements.home.limt: unknown setting; did you mean 'limit'?",
        "shop: expected a table [shop], got a string",
    ]


def test_in_a_list_each_table_and_each_choice_is_told_by_its_place() -> None:
    found = problems_of(
        {
            "segment": {"consent": "grnted", "categories": {"Ads": ["ad_storage", "analytics_stroage"]}},
            "experiences": {"home": {"sections": ["home"], "banners": [{"id": "a", "titel": "x"}]}},
        }
    )
    assert found == [
        "segment.consent: 'grnted' is no choice here; did you mean 'granted'?",
        "segment.categories.Ads[1]: 'analytics_stroage' is no choice here; did you mean 'analytics_storage'?",
        "experiences.home.banners[0].titel: unknown setting; did you mean 'title'?",
        "experiences.home.banners[0].title: missing",
    ]


def test_a_feed_that_could_not_be_read_is_told_before_it_is() -> None:
    feed = {"file": "x.csv", "fields": {"titel": "name"}, "encoding": "utf-88"}
    titel, encoding = problems_of({"feeds": {"main": feed}})
    assert titel == "feeds.main.fields.titel: no such field; did you mean 'title'?"
    assert encoding.startswith("feeds.main.encoding: there is no encoding 'utf-88'")


def test_what_cannot_be_meant_is_told_too() -> None:
    found = problems_of(
        {
            "server": {"bind": "localhost", "allowed_origins": ["https://shop.example/", "shop.example"]},
            "training": {"weights": {"purchse": 1.0}},
            "consent": {"home": "mars"},
            "plugins": {"folder": 3, "standard": "yes"},
        }
    )
    assert [sentence.partition(":")[0] for sentence in found] == [
        "consent.home", "server.bind", "server.allowed_origins", "server.allowed_origins", "training.weights.purchse",
        "plugins.folder", "plugins.standard",
    ]  # fmt: skip
    assert found[1].endswith("such as '127.0.0.1:8787' (it is 'localhost')")
    assert found[4].endswith("did you mean 'purchase'?")


@pytest.mark.parametrize("bind", ["127.0.0.1:0", "[::1]:8787", "localhost:80", ":8787"])
def test_addresses_a_server_can_listen_on_are_taken(bind: str) -> None:
    assert parse_config({"server": {"bind": bind}}).server.bind == bind


@pytest.mark.parametrize("bind", ["", "8787", "localhost:http", "127.0.0.1:70000", "::1:80", "http://a:80/"])
def test_addresses_nobody_can_listen_on_are_not(bind: str) -> None:
    assert problems_of({"server": {"bind": bind}})


def test_a_scorer_nobody_knows_in_the_search_weights_is_found_with_the_plugins(tmp_path: Path) -> None:
    config = parse_config({"search": {"weights": {"tste": 1.0, "affinity": 0.5}}})
    with pytest.raises(PluginProblems) as wrong:
        configured_plugins(config, tmp_path / "personalize.toml")
    assert wrong.value.problems == ["search.weights.tste: no such plugin; did you mean 'taste'?"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "there is no such file; `personalize init` writes a commented one"),
        (b"[node\n", "not valid TOML"),
        (b'[shop]\n\nname = "caf\xe9"\n', "line 3 is not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "personalize.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=said) as wrong:
        load_config(path)
    assert str(path) in str(wrong.value)


@pytest.mark.parametrize("minimal", [True, False])
def test_the_answers_of_a_shop_are_in_the_file_that_is_written_for_it(tmp_path: Path, minimal: bool) -> None:
    answers = {"shop": {"name": 'Zoë\'s "Lamps"', "currency": "GBP"}, "server": {}, "node": {"data": "/var/lib/shop"}}
    path = tmp_path / "personalize.toml"
    path.write_text(fill(answers, minimal=minimal), "utf-8")
    config = load_config(path)
    assert (config.shop.name, config.shop.currency, config.node.data) == ('Zoë\'s "Lamps"', "GBP", "/var/lib/shop")
    rest = msgspec.structs.replace(config, shop=Config().shop, node=Config().node, plugins={})
    assert msgspec.to_builtins(rest) == msgspec.to_builtins(Config())


_VALUES: st.SearchStrategy[object] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([*Config.__struct_fields__, "nodes"]), _VALUES, max_size=4))
def test_whatever_stands_in_a_file_is_taken_or_named(table: dict[str, Any]) -> None:
    problems = ["."]
    try:
        parse_config(table)
    except ConfigError as wrong:
        problems = wrong.problems
    assert problems
    assert all(sentence.partition(":")[0].partition(".")[0] in {*table, ""} for sentence in problems)
