from app.serving.options import PlacementOptions
from app.serving.placements import placements_of, problems_of
from plugins.loading import shipped_names
from plugins.manager import load_plugins


def test_a_placement_of_a_new_name_starts_as_home_and_changes_what_it_says() -> None:
    placements = placements_of({"gifts": PlacementOptions(title="Gifts", weights={"popular": 0.9})})
    home, gifts = placements["home"], placements["gifts"]
    assert (gifts.name, gifts.title, gifts.retrieve) == ("gifts", "Gifts", home.retrieve)
    assert gifts.weights == home.weights | {"popular": 0.9, "rule_boosts": home.weights["rule_boosts"] + 0.8}


def test_what_a_placement_names_is_checked_at_the_start_all_at_once() -> None:
    plugins = load_plugins({name: {} for name in shipped_names()}, None)
    wrong = PlacementOptions(weights={"popluar": 1}, retrieve=("diversity",), filter="price < ")
    assert problems_of({"home": PlacementOptions(filter="price < 5")}, plugins) == []
    by_filter, by_hook, by_name = problems_of({"home": wrong}, plugins)
    assert by_filter.startswith("placements.home.filter: character 9")
    assert "'diversity' has no retrieve hook" in by_hook
    assert by_name == "placements.home.weights: there is no plugin 'popluar'; did you mean 'popular'?"
