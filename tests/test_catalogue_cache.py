"""A start reads the catalogue's columns from a file where they are still true, else the products themselves."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from store.catalogue import Catalogue
from store.records import Item
from store.sensitive import Sensitive
from store.shop import ShopStore, open_shop

pytestmark = pytest.mark.anyio

ITEMS = [
    Item(
        id=f"SKU{number}", title=f"Running shoe number {number}", description="light and grey" if number % 2 else "",
        price=None if number % 7 == 0 else 5.0 + number, sale_price=4.0 if number % 5 == 0 else None,
        category=("shoes", "running") if number % 3 else ("health",), brand="Alder" if number % 2 else "",
        availability="out_of_stock" if number % 11 == 0 else "in_stock", hidden=number == 4, published=1e9 + number,
        regions=("FR",) if number % 4 == 0 else (),
        attributes={"colour": "red" if number % 2 else "blue", "size": number / 2, "wide": number % 2 == 0}
        if number % 6 else {"colour": 3.0},
    )
    for number in range(40)
]  # fmt: skip
COLUMNS = (
    "price", "log_price", "discount", "published", "category", "top_category", "brand", "band", "availability",
    "servable", "sensitive", "regions",
)  # fmt: skip


@pytest.fixture
async def file(tmp_path: Path) -> Path:
    """A shop with some products, one of them deleted."""
    path = tmp_path / "shop.db"
    async with open_shop(path) as shop:
        await shop.put_items(ITEMS, 1e9)
        await shop.delete("SKU9", 1e9)
    return path


def state(shop: ShopStore) -> list[object]:
    """Everything one can see of a catalogue and its index."""
    catalogue: Catalogue = shop.catalogue
    found: list[object] = [getattr(catalogue, name).tolist() for name in COLUMNS]
    found += [catalogue.ids, catalogue.category_names, catalogue.brand_names, catalogue.region_names]
    found += [catalogue.item(number) if catalogue.exists(number) else None for number in range(catalogue.size)]
    found += [catalogue.affinity_keys(number) for number in range(catalogue.size)]
    found += [catalogue.number("SKU3"), catalogue.number("SKU9"), catalogue.categories_below("shoes").tolist()]
    for name, column in sorted(catalogue.attributes.items()):
        found += [name, column.words.names, column.code_cells(catalogue.size).tolist()]
        found.append(np.nan_to_num(column.number_cells(catalogue.size), nan=-1.0).tolist())
    for query in ("running shoes", "grey", "alder", "blue", "runing"):
        matches = shop.search.matches(query)
        found.append((matches.items.tolist(), matches.relevance.round(5).tolist(), matches.tier.tolist()))
    return [np.nan_to_num(np.array(one), nan=-1.0).tolist() if index < 2 else one for index, one in enumerate(found)]


async def test_the_second_start_gives_the_same_catalogue(file: Path) -> None:
    async with open_shop(file, cached_from=1) as shop:
        first = state(shop)
        await shop.finish_search()
    cache = file.with_suffix(".cache")
    assert cache.stat().st_mode & 0o777 == 0o600
    async with open_shop(file, cached_from=1) as shop:
        assert shop.search.vocabulary.words  # not read anew: the bodies were not decoded
        assert state(shop) == first
        # It grows and changes as any other.
        new = msgspec.structs.replace(ITEMS[1], id="NEW", attributes={"colour": "green"}, category=("shoes", "trail"))
        numbers = await shop.put_items([new, msgspec.structs.replace(ITEMS[2], price=1.0)], 1e9)
        assert numbers == [40, 2]
        assert shop.catalogue.price[2] == 1.0
        assert set(shop.catalogue.categories_below("shoes").tolist()) >= {int(shop.catalogue.category[40])}
        assert 40 in shop.search.matches("green").items
        changed = state(shop)
    async with open_shop(file, cached_from=1) as shop:  # what changed is read from the products
        before_bands = COLUMNS.index("band")  # its limits are found anew at every start
        assert state(shop)[:before_bands] == changed[:before_bands]
        assert shop.catalogue.number("NEW") == 40


async def test_after_a_start_from_the_cache_a_product_may_change_that_was_there_before(file: Path) -> None:
    async with open_shop(file, cached_from=1) as shop:
        await shop.finish_search()
    async with open_shop(file, cached_from=1) as shop:
        assert shop.catalogue.discount.shape == (40,)
        assert shop.catalogue.discount[10] == pytest.approx(100 * (1 - 4.0 / 15.0))
        await shop.put_items([msgspec.structs.replace(ITEMS[10], sale_price=7.5)], 1e9)
        assert shop.catalogue.discount[10] == pytest.approx(50)


def sayings(shop: ShopStore) -> list[object]:
    """What `state` tells, but for codes: those of new names depend on when they came."""
    catalogue = shop.catalogue
    numbers = range(catalogue.size)
    found: list[object] = [getattr(catalogue, name).tolist() for name in ("servable", "sensitive", "band")]
    found += [np.nan_to_num(getattr(catalogue, name), nan=-1.0, neginf=-9.0).tolist()
              for name in ("price", "log_price", "discount", "published")]  # fmt: skip
    found += [catalogue.item(number) if catalogue.exists(number) else None for number in numbers]
    found += [catalogue.affinity_keys(number) for number in numbers]
    found += [catalogue.number(item_id) for item_id in catalogue.ids]
    for query in ("running shoes", "grey", "alder", "blue", "runing", "boots", "purple", "number"):
        matches = shop.search.matches(query)
        found.append((matches.items.tolist(), matches.relevance.round(5).tolist(), matches.tier.tolist()))
    for column in catalogue.attributes.values():
        names = [*column.words.names, ""]
        found.append([names[code] for code in column.code_cells(catalogue.size).tolist()])
        found.append(np.nan_to_num(column.number_cells(catalogue.size), nan=-1.0).tolist())
    return found


async def test_products_that_changed_since_are_read_and_the_others_come_from_the_cache(file: Path) -> None:
    async with open_shop(file, cached_from=1) as shop:
        await shop.finish_search()
    cache = file.with_suffix(".cache")
    boots = {"title": "Boots", "category": ("boots",), "brand": "Birch", "attributes": {"colour": "purple", "deep": 3}}
    async with open_shop(file, cached_from=1) as shop:
        await shop.put_items([msgspec.structs.replace(ITEMS[2], sale_price=1.0)], 1e9)
        await shop.put_items([msgspec.structs.replace(ITEMS[3], **boots)], 1e9)
        await shop.put_items([msgspec.structs.replace(ITEMS[5], id="NEW", **boots), ITEMS[9]], 1e9)  # one comes back
        await shop.delete("SKU8", 1e9)
        await shop.delete("SKU0", 1e9)
    written = cache.stat().st_mtime_ns
    async with open_shop(file, cached_from=1) as shop:
        patched, parted = sayings(shop), shop.search.whole
        await shop.finish_search()
        assert sayings(shop) == patched
        assert (parted, shop.search.whole) == (False, True)
    assert cache.stat().st_mtime_ns > written
    async with open_shop(file, cached_from=1) as shop:
        assert shop.search.whole, "what was read is kept"
        assert sayings(shop) == patched
    async with open_shop(file, cached_from=1_000) as shop:
        assert sayings(shop) == patched


async def test_where_most_products_changed_all_are_read(file: Path) -> None:
    async with open_shop(file, cached_from=1) as shop:
        await shop.finish_search()
        await shop.put_items([msgspec.structs.replace(item, price=3.0) for item in ITEMS[:30]], 1e9)
    async with open_shop(file, cached_from=1) as shop:
        assert shop.search.whole
        found = sayings(shop)
    async with open_shop(file, cached_from=1_000) as shop:
        assert sayings(shop) == found


async def test_a_cache_of_another_program_or_denylist_is_not_used(file: Path) -> None:
    async with open_shop(file, cached_from=1) as shop:
        await shop.finish_search()
    async with open_shop(file, cached_from=1, sensitive=Sensitive(["shoes"])) as shop:
        assert shop.catalogue.sensitive[1]
        assert not shop.catalogue.sensitive[0]


async def test_a_damaged_cache_is_told_and_made_anew(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with open_shop(file, cached_from=1) as shop:
        first = state(shop)
        await shop.finish_search()
    cache = file.with_suffix(".cache")
    whole = cache.read_bytes()
    for damaged in (whole[: len(whole) // 2], whole[:2000] + b"x" * 50 + whole[2050:], b"", b"nothing"):
        cache.write_bytes(damaged)
        async with open_shop(file, cached_from=1) as shop:
            assert state(shop) == first
            await shop.finish_search()
        assert "is made anew" in caplog.text
        caplog.clear()
        assert cache.read_bytes() != damaged


async def test_what_changes_before_it_is_kept_is_not_kept(file: Path) -> None:
    async with open_shop(file, cached_from=1) as shop:
        await shop.put_items([ITEMS[0]], 1e9)
        await shop.finish_search()
    assert not file.with_suffix(".cache").exists()


async def test_a_small_catalogue_keeps_no_cache(file: Path) -> None:
    async with open_shop(file) as shop:
        await shop.finish_search()
    assert not file.with_suffix(".cache").exists()
