import anyio
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store.catalogue import Catalogue
from store.records import Item
from store.search_index import SearchIndex
from store.search_words import bulk_words, raw_words, singular
from store.spelling import Spelling

SHOP = {
    "runner": Item(id="runner", title="Trail Runner, moss green", category=("shoes", "running"), brand="Aldermoor"),
    "boot": Item(id="boot", title="Leather boots", category=("shoes",), attributes={"color": "moss green"}),
    "tent": Item(id="tent", title="Dome tent", description="Room for shoes and a trail map", category=("camping",)),
    "cafe": Item(id="cafe", title="Men's Café-Set", category=("kitchen",)),
    "teapot": Item(id="teapot", title="Teapot", category=("kitchen",)),
    "tea": Item(id="tea", title="Green tea", category=("kitchen",)),
}


def index_of(items: dict[str, Item]) -> SearchIndex:
    index = SearchIndex(Catalogue())
    for number, item in enumerate(items.values()):
        index.catalogue.put(number, item)
    numbered = list(enumerate(items.values()))
    index.build({n: item.title for n, item in numbered}, {n: item.description for n, item in numbered})
    return index


def put(index: SearchIndex, number: int, item: Item) -> None:
    index.catalogue.put(number, item)
    index.put(number, item)


def found(index: SearchIndex, query: str, least_tier: int = 0) -> set[str]:
    matches = index.matches(query)
    return {index.catalogue.ids[item] for item in matches.items[matches.tier >= least_tier]}


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("trail", {"runner"}),
        ("TRAIL runner", {"runner"}),
        ("shoes", {"runner", "boot"}),
        ("shoe", {"runner", "boot"}),
        ("moss shoes", {"runner", "boot"}),
        ("aldermoor", {"runner"}),
        ("mens cafe", {"cafe"}),
        ("MEN’S CAFÉ", {"cafe"}),
        ("tea", {"tea"}),
        ("teapo", {"teapot"}),
        ("teap", {"teapot", "tea"}),
        ("aldermor", {"runner"}),
        ("trial runner", {"runner"}),
        ("lether", {"boot"}),
        ("leathre boost", {"boot"}),
        ("xylophone", set()),
        ("", set()),
        (" ,;! ", set()),
    ],
)
def test_a_query_finds_what_holds_all_its_words_where_it_counts(query: str, ids: set[str]) -> None:
    assert found(index_of(SHOP), query, least_tier=2) == ids


def test_descriptions_longer_words_and_partial_matches_come_below() -> None:
    index = index_of(SHOP)
    assert found(index, "shoes") == {"runner", "boot", "tent"}
    assert found(index, "shoes", least_tier=2) == {"runner", "boot"}
    assert found(index, "tea") == {"tea", "teapot"}
    assert found(index, "leather tent", least_tier=1) == set()
    assert found(index, "leather tent") == {"boot", "tent"}


def test_a_correction_is_told() -> None:
    index = index_of(SHOP)
    assert index.matches("lether boots").corrected == {"lether": "leather"}
    assert index.matches("leather boots").corrected == {}
    assert index.matches("leath").corrected == {}


def test_words_most_items_have_are_not_insisted_on() -> None:
    shop = {f"i{n}": Item(id=f"i{n}", title=f"Chair for the garden {n}") for n in range(20)}
    shop["stool"] = Item(id="stool", title="Garden stool")
    shop["bench"] = Item(id="bench", title="Bench")
    assert found(index_of(shop), "stool for the garden", least_tier=2) == {"stool"}


def test_a_changed_item_is_found_by_its_new_words_only() -> None:
    index = index_of(SHOP)
    put(index, 2, Item(id="tent", title="Igloo"))
    put(index, 6, Item(id="new", title="Zeppelin"))
    assert found(index, "igloo") == {"tent"}
    assert found(index, "zepelin") == {"new"}
    assert found(index, "zepp") == {"new"}
    assert found(index, "dome") == set()
    index.remove(2)
    assert found(index, "igloo") == set()
    put(index, 2, SHOP["tent"])
    assert found(index, "dome") == {"tent"}


WORDS = ["red", "green", "shoe", "boots", "tent", "trail", "tea", "teapot"]
some_item = st.builds(
    Item,
    id=st.just("x"),
    title=st.lists(st.sampled_from(WORDS), max_size=3).map(" ".join),
    description=st.lists(st.sampled_from(WORDS), max_size=3).map(" ".join),
    brand=st.sampled_from(["", "Red Trail", "Tea"]),
    category=st.sampled_from([(), ("boots",), ("tents", "green")]),
    attributes=st.dictionaries(st.sampled_from(["color", "kind"]), st.sampled_from(["red", "trail tea"]), max_size=2),
)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 7), st.none() | some_item), max_size=20), st.data())
def test_an_index_changed_step_by_step_answers_as_one_built_at_once(
    changes: list[tuple[int, Item | None]], data: st.DataObject
) -> None:
    index, kept = index_of({}), dict[int, Item]()
    for number, item in changes:
        if item is not None:
            put(index, number, item)
            kept[number] = item
        elif number in kept:
            index.catalogue.remove(number)
            index.remove(number)
            del kept[number]
        if data.draw(st.booleans()):
            index._take_over(index._folded())
    catalogue = Catalogue()
    for number in range(index.catalogue.size):
        if number in kept:
            catalogue.put(number, kept[number])
        else:
            catalogue.load(number, b"")
    fresh = SearchIndex(catalogue)
    fresh.build({n: item.title for n, item in kept.items()}, {n: item.description for n, item in kept.items()})
    for query in ("red", "shoe tea", "boot", "trail teapot green", "te"):
        ours, theirs = index.matches(query), fresh.matches(query)
        assert ours.items.tolist() == theirs.items.tolist()
        assert ours.tier.tolist() == theirs.tier.tolist()


def test_what_a_large_catalogue_says_in_descriptions_is_found_after_they_were_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("store.search_index.AT_ONCE", 2)
    index = index_of(SHOP)
    assert found(index, "map") == set()
    put(index, 3, Item(id="cafe", title="Atlas", description="a map"))

    async def read() -> None:
        await index.read_descriptions()
        put(index, 5, Item(id="tea", title="Green tea", description="map of Assam"))
        await index.compact()

    anyio.run(read)
    assert found(index, "map") == {"tent", "cafe", "tea"}
    assert found(index, "room") == {"tent"}
    assert found(index, "set") == set()


def test_500_single_edits_keep_nine_of_ten_results() -> None:
    generator = np.random.default_rng(5)
    syllables = [first + second for first in "bcdfgklmnprst" for second in ("a", "e", "i", "o", "u", "an", "el")]
    words = sorted({"".join(generator.choice(syllables, generator.integers(2, 5))) for _ in range(1_500)})
    chances = 1 / np.arange(1, len(words) + 1)
    titles = [list(generator.choice(words, 5, p=chances / chances.sum())) for _ in range(3_000)]
    index = index_of({f"i{n}": Item(id=f"i{n}", title=" ".join(title)) for n, title in enumerate(titles)})
    buyers = generator.pareto(1.2, len(titles))

    def first_ten(query: str) -> set[int]:
        matches = index.matches(query)
        order = np.lexsort((-buyers[matches.items], -matches.tier))
        return set(matches.items[order[:10]].tolist())

    recalls = []
    for _ in range(500):
        typed = titles[generator.integers(len(titles))][-int(generator.integers(1, 3)) :]
        slip = generator.integers(len(typed))
        slipped = [one_edit(word, generator) if place == slip else word for place, word in enumerate(typed)]
        meant = first_ten(" ".join(typed))
        recalls.append(len(meant & first_ten(" ".join(slipped))) / len(meant))
    assert np.mean(recalls) >= 0.9


def one_edit(word: str, generator: np.random.Generator) -> str:
    at, sign = int(generator.integers(len(word) - 1)), chr(97 + generator.integers(26))
    start, here, after, rest = word[:at], word[at], word[at + 1], word[at + 2 :]
    edits = (start + after + rest, start + sign + here + after + rest, start + sign + after + rest)
    return [*edits, start + after + here + rest][generator.integers(4)]


@given(
    st.text("abc", min_size=3, max_size=6), st.lists(st.text("abc", min_size=2, max_size=7), max_size=30, unique=True)
)
def test_near_words_are_those_at_distance_one(typed: str, words: list[str]) -> None:
    near = {words[place] for place in Spelling(words).near(typed)}
    assert near == {word for word in words if word in edits_of(typed)} - {typed}


def edits_of(word: str) -> set[str]:
    """All words one edit away, after Norvig's "How to Write a Spelling Corrector"."""
    cuts = [(word[:at], word[at:]) for at in range(len(word) + 1)]
    gone = {start + end[1:] for start, end in cuts if end}
    swapped = {start + end[1] + end[0] + end[2:] for start, end in cuts if len(end) > 1}
    other = {start + sign + end[1:] for start, end in cuts if end for sign in "abc"}
    more = {start + sign + end for start, end in cuts for sign in "abc"}
    return gone | swapped | other | more


@given(st.lists(st.text(max_size=20), max_size=8))
def test_reading_many_texts_at_once_finds_the_words_of_each(texts: list[str]) -> None:
    lines = " ".join(bulk_words(texts)).split("\n")
    one_by_one = [" ".join(raw_words(text.replace("\n", " "))) for text in texts]
    assert [line.strip() for line in lines[:-1]] == one_by_one


@pytest.mark.parametrize(
    ("many", "one"), [("shoes", "shoe"), ("boxes", "box"), ("berries", "berry"), ("glass", "glass"), ("gas", "gas")]
)
def test_plurals_are_found_by_singulars(many: str, one: str) -> None:
    assert singular(many) == singular(one) == one
