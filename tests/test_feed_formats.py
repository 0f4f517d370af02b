from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.feeds.money import NotMoney, money_of
from app.feeds.options import FeedOptions
from app.feeds.raw import FeedBroken
from app.feeds.reading import RowError, read_feed
from app.feeds.text import words_of
from store.records import Item

GOOGLE = """<?xml version="1.0" encoding="utf-8"?>
<rss version="2.0" xmlns:g="http://base.google.com/ns/1.0"><channel><title>Shop</title>
<item><g:id>A1</g:id><title>Fallback</title><g:title>Oak lamp &amp; shade</g:title><link>https://shop.example/a1</link>
<description>&lt;p&gt;Warm &lt;b&gt;light&lt;/b&gt;.&lt;/p&gt;</description><g:image_link>https://shop.example/a1.jpg</g:image_link>
<g:price>49.90 EUR</g:price><g:sale_price>39.90 EUR</g:sale_price><g:availability>in_stock</g:availability>
<g:brand>Alder</g:brand><g:product_type>Home &gt; Lamps</g:product_type><g:color>oak</g:color>
<g:shipping><g:country>DE</g:country><g:price>4.90 EUR</g:price></g:shipping></item>
<item><g:id>A2</g:id><g:title>Brass lamp</g:title><g:price>10 EUR</g:price>
<g:availability>out of stock</g:availability></item>
</channel></rss>"""


def read(folder: Path, text: str | bytes, **options: object) -> list[Item | RowError]:
    path = folder / "feed"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return list(read_feed(path, FeedOptions(file="feed", **options), "EUR"))  # type: ignore[arg-type]


def items(told: list[Item | RowError]) -> list[Item]:
    assert all(isinstance(each, Item) for each in told), told
    return [each for each in told if isinstance(each, Item)]


def wrong(told: list[Item | RowError]) -> list[tuple[str, str]]:
    return [(each.place, one.pointer) for each in told if isinstance(each, RowError) for one in each.errors]


def test_a_google_merchant_rss_feed_is_read_with_its_namespace_and_its_escaped_html(tmp_path: Path) -> None:
    lamp, brass = items(read(tmp_path, GOOGLE))
    assert (lamp.id, lamp.title, lamp.description) == ("A1", "Oak lamp & shade", "Warm light.")
    assert (lamp.price, lamp.sale_price, lamp.currency) == (49.9, 39.9, "EUR")
    assert (lamp.category, lamp.brand, lamp.attributes) == (("Home", "Lamps"), "Alder", {"color": "oak"})
    assert (lamp.url, lamp.image) == ("https://shop.example/a1", "https://shop.example/a1.jpg")
    assert brass.availability == "out_of_stock"


def test_an_atom_feed_is_a_google_merchant_feed_as_well(tmp_path: Path) -> None:
    atom = (
        '<feed xmlns="http://www.w3.org/2005/Atom" xmlns:g="http://base.google.com/ns/1.0"><entry><g:id>A1</g:id>'
        '<title>Lamp</title><link href="https://shop.example/a1"/><g:price>5.00 GBP</g:price></entry></feed>'
    )
    assert [(each.id, each.url, each.currency) for each in items(read(tmp_path, atom))] == [
        ("A1", "https://shop.example/a1", "GBP")
    ]


def test_a_google_merchant_table_names_its_columns_with_spaces_or_underscores(tmp_path: Path) -> None:
    for link in ("image link", "image_link"):
        table = f"id\ttitle\t{link}\tprice\tproduct type\nA1\tLamp\thttps://x.example/i.jpg\t5.00 EUR\tHome > Lamps\n"
        (item,) = items(read(tmp_path, table))
        assert (item.image, item.category) == ("https://x.example/i.jpg", ("Home", "Lamps"))


SHOPIFY = {
    "older": "Handle,Title,Body (HTML),Vendor,Type,Tags,Published,Option1 Name,Option1 Value,Variant SKU,"
    "Variant Inventory Tracker,Variant Inventory Qty,Variant Inventory Policy,Variant Price,Variant Compare At Price,"
    "Image Src,Status",
    "present": "URL handle,Title,Description,Vendor,Type,Tags,Published on online store,Option1 name,Option1 value,SKU,"
    "Inventory tracker,Inventory quantity,Continue selling when out of stock,Price,Compare-at price,"
    "Product image URL,Status",
}
VARIANTS = """
tee,Plain tee,"<p>Soft <em>cotton</em></p>",Alder,Tops > Tees,"summer, cotton",TRUE,Size,S,T-S,shopify,0,deny,18.00,25.00,https://x.example/t.jpg,active
tee,,,,,,,,M,T-M,shopify,4,deny,20.00,,,
hat,Hat,,Birch,Hats,,TRUE,Title,Default Title,H,shopify,0,deny,9.00,,,active
cap,Cap,,Birch,Hats,,TRUE,Title,Default Title,C,shopify,-2,continue,9.00,,,draft
"""


@pytest.mark.parametrize("generation", SHOPIFY)
def test_variants_of_a_shopify_product_are_one_product_in_both_generations_of_the_file(
    tmp_path: Path, generation: str
) -> None:
    tee, hat, cap = items(read(tmp_path, SHOPIFY[generation] + VARIANTS))
    assert (tee.id, tee.title, tee.description, tee.url) == ("tee", "Plain tee", "Soft cotton", "/products/tee")
    assert (tee.price, tee.sale_price, tee.availability) == (25.0, 18.0, "in_stock")
    assert tee.attributes == {"size": "S, M", "tags": "summer, cotton"}
    assert (hat.availability, hat.attributes, hat.sale_price) == ("out_of_stock", {}, None)
    assert (cap.availability, cap.hidden) == ("in_stock", True)


def test_variations_of_a_woocommerce_product_give_it_price_and_stock_wherever_they_stand(tmp_path: Path) -> None:
    table = (
        "ID,Type,SKU,Name,Published,Visibility in catalog,Description,In stock?,Stock,Sale price,Regular price,"
        "Categories,Images,Parent,Attribute 1 name,Attribute 1 value(s)\n"
        '11,variation,H-S,Hoodie S,1,visible,,0,,,40,,,id:10,Size,S\n'
        '10,variable,H,Hoodie,1,visible,"Warm",1,,,,"Clothing > Hoodies, Sale",'
        '"https://x.example/1.jpg, b.jpg",,Size,"S, M"\n'
        '12,variation,H-M,Hoodie M,1,visible,,1,,30,35,,,H,Size,M\n'
        '13,simple,B,Belt,1,hidden,,backorder,,,12.50,Clothing,,,,\n'
        '14,simple,S,Sock,-1,visible,,1,,,3,Clothing,,,,\n'
    )  # fmt: skip
    hoodie, belt, sock = items(read(tmp_path, table))
    assert (hoodie.id, hoodie.price, hoodie.sale_price, hoodie.availability) == ("10", 35.0, 30.0, "in_stock")
    assert (hoodie.category, hoodie.image) == (("Clothing", "Hoodies"), "https://x.example/1.jpg")
    assert (belt.availability, belt.hidden) == ("backorder", True)
    assert sock.hidden


def test_products_are_found_in_jsonld_of_any_shape_and_in_pages(tmp_path: Path) -> None:
    product = (
        '{"@type":"Product","sku":"A1","name":"Lamp","brand":{"@type":"Brand","name":"Alder"},"image":["https://x.example/a.jpg"],'
        '"category":"Home > Lamps","offers":{"@type":"Offer","price":"19.90","priceCurrency":"EUR",'
        '"availability":"https://schema.org/OutOfStock"}}'
    )
    shapes = [
        product,
        f"[{product}]",
        f'{{"@context":"https://schema.org","@graph":[{{"@type":"WebPage"}},{product}]}}',
        f'{{"@type":"ItemList","itemListElement":[{{"@type":"ListItem","item":{product}}}]}}',
        f'<!doctype html><title>x</title><script type="application/ld+json">{product}</script><p>hello',
    ]
    for shape in shapes:
        (item,) = items(read(tmp_path, shape))
        assert (item.id, item.title, item.brand, item.category) == ("A1", "Lamp", "Alder", ("Home", "Lamps")), shape
        assert (item.price, item.currency, item.availability) == (19.9, "EUR", "out_of_stock")


def test_the_cheapest_of_several_offers_counts_and_a_group_has_those_of_its_variants(tmp_path: Path) -> None:
    group = (
        '{"@type":"ProductGroup","productGroupID":"G","name":"Tee","hasVariant":[{"@type":"Product","sku":"a","offers":'
        '{"price":12,"priceCurrency":"EUR","availability":"OutOfStock"}},{"@type":"Product","sku":"b","offers":'
        '{"price":9.5,"priceCurrency":"EUR","availability":"InStock"}}]}'
    )
    (item,) = items(read(tmp_path, group))
    assert (item.id, item.price, item.availability) == ("G", 9.5, "in_stock")


def test_own_fields_come_as_ndjson_csv_and_yaml_and_other_names_are_mapped(tmp_path: Path) -> None:
    lines = '{"id":"1","title":"Lamp","price":5,"category":["home","lamps"],"attributes":{"watts":40},"color":"red"}\n'
    (item,) = items(read(tmp_path, lines))
    assert (item.category, item.attributes) == (("home", "lamps"), {"watts": 40, "color": "red"})
    table = "sku;name;preis;id\nS1;Lampe;1.299,00 EUR;9\n"
    (item,) = items(read(tmp_path, table, fields={"id": "sku", "title": "name", "price": "preis"}, format="csv"))
    assert (item.id, item.title, item.price) == ("S1", "Lampe", 1299.0)
    listed = "- id: x\n  name: Lamp\n  price: 5\n  stock: 0\n"
    (item,) = items(read(tmp_path, listed, fields={"title": "name", "availability": "stock"}))
    assert (item.title, item.availability) == ("Lamp", "out_of_stock")


def test_every_row_is_answered_for_itself_and_the_rest_is_kept(tmp_path: Path) -> None:
    table = (
        "id,title,price,availability\n"
        "1,Lamp,19.90 EUR,\n2,Desk,,\n1,Other,5,\n3,Chair,7 XYZ,\n4,,8,\n5,Rug,-3,\n6,Mat,9,maybe\n"
        "7,<b>Vase</b> &amp; bowl,9,\n"
    )
    told = read(tmp_path, table)
    assert [(each.id, each.title) for each in told if isinstance(each, Item)] == [("1", "Lamp"), ("7", "Vase & bowl")]
    assert wrong(told) == [
        ("line 3", "/price"), ("line 4", "/id"), ("line 5", "/price"), ("line 6", "/title"), ("line 7", "/price"),
        ("line 8", "/availability"),
    ]  # fmt: skip


DOCTYPE = '<?xml version="1.0"?><!DOCTYPE r ['
LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))


@pytest.mark.parametrize(
    ("feed", "said"),
    [
        (f'{DOCTYPE}<!ENTITY l0 "ha">{LAUGHS}]><rss><item><id>&l11;</id></item></rss>', "refused"),
        (f'{DOCTYPE}<!ENTITY x SYSTEM "file:///etc/passwd">]><rss><item>&x;</item></rss>', "refused"),
        ("<rss><channel><item><id>1</id>", "not well-formed"),
        ("<rss><channel></channel></rss>", "no <item>"),
        ("id,title,price\n1,Caf\xe9,5\n".encode("cp1252"), "cp1252"),
        ('{"id": "1", "title": "x"}\n{"id": ', "line 2"),
        ("- &a [1]\n- *a\n", "aliases"),
        ("", "empty"),
        ("a,b\n1,2\n", "say `format`"),
        ('{"@type": "Thing"}', "no schema.org Product"),
    ],
    ids=["laughs", "entity", "cut", "no items", "encoding", "ndjson", "yaml alias", "empty", "columns", "jsonld"],
)  # fmt: skip
def test_a_feed_that_cannot_be_read_says_where_and_what_would_be_right(
    tmp_path: Path, feed: str | bytes, said: str
) -> None:
    with pytest.raises(FeedBroken, match=said):
        read(tmp_path, feed)


def test_an_encoding_that_is_said_is_used_and_one_that_the_file_says_wins(tmp_path: Path) -> None:
    (item,) = items(read(tmp_path, "id,title,price\n1,Café,5\n".encode("cp1252"), encoding="cp1252"))
    assert item.title == "Café"
    (item,) = items(read(tmp_path, "id\ttitle\timage link\tprice\n1\tCafé\t\t5\n".encode("utf-16"), encoding="utf-8"))
    assert item.title == "Café"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("19.90 EUR", (19.9, "EUR")), ("EUR 19,90", (19.9, "EUR")), ("1,299.00 USD", (1299.0, "USD")),
        ("1.299,00", (1299.0, "")), ("1'299.00 CHF", (1299.0, "CHF")), ("€5", (5.0, "EUR")), ("1,299", (1299.0, "")),
        ("12.345", (12.345, "")), ("7", (7.0, "")), ("1.000.000 IDR", (1_000_000.0, "IDR")),
    ],
)  # fmt: skip
def test_prices_are_read_as_shops_write_them(text: str, meant: tuple[float, str]) -> None:
    assert money_of(text) == meant


@given(st.decimals(0, 10**7, places=2), st.sampled_from(["EUR", "USD", "JPY"]))
def test_a_price_with_a_point_is_the_number_it_is(amount: object, currency: str) -> None:
    assert money_of(f"{amount} {currency}") == (float(str(amount)), currency)


@pytest.mark.parametrize("text", ["free", "5 XYZ", "-3 EUR", ""])
def test_what_is_no_price_is_said(text: str) -> None:
    with pytest.raises(NotMoney):
        money_of(text)


@given(st.text())
def test_words_of_any_text_hold_no_script_and_are_their_own_words(text: str) -> None:
    found = words_of(f"<script>alert(1)</script>{text}")
    assert "alert(1)" not in found
    assert words_of("a < b & c") == "a < b & c"
