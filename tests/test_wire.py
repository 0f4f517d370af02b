import json
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.ingest.wire import EVENT_NAMES, EventOnWire, EventResult, Refused, read_batch, read_event

EVENT: dict[str, Any] = {"id": "t-1", "name": "view_item", "ts": 1_790_000_000_000, "item": "SKU1"}
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)


def batch(*events: object, **more: object) -> bytes:
    return json.dumps({"v": 1, "events": events, **more}).encode()


def test_one_broken_event_does_not_spoil_the_others() -> None:
    body = batch(EVENT, 7, {"id": "t-2", "name": "search"}, {**EVENT, "params": {"items": [{"item_id": []}]}}, EVENT)
    found = [read_event(raw) for raw in read_batch(body, 10).events]
    assert [type(event) for event in found] == [EventOnWire, EventResult, EventResult, EventResult, EventOnWire]
    missing, wrong = found[2], found[3]
    assert isinstance(missing, EventResult)
    assert isinstance(wrong, EventResult)
    assert (missing.id, missing.reason) == ("t-2", "malformed")
    assert "`ts`" in missing.detail
    assert "item_id" in wrong.detail


def test_a_refusal_says_where_and_what_would_be_right() -> None:
    with pytest.raises(Refused, match=r"Expected 'str \| null'") as refused:
        read_batch(batch(EVENT, region=5), 10)
    assert refused.value.pointer == "/region"
    with pytest.raises(Refused, match="at most 2") as refused:
        read_batch(batch(EVENT, EVENT, EVENT), 2)
    assert refused.value.pointer == "/events"


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"events":' + b"[" * 100_000, b'{"v":2,"events":[]}'],
)
def test_what_is_not_a_batch_is_refused(body: bytes) -> None:
    with pytest.raises(Refused):
        read_batch(body, 10)


def test_an_event_nested_without_end_is_dropped_or_refused() -> None:
    deep = '{"id":"x","name":"search","ts":1,"params":' + '{"a":' * 50_000 + "1" + "}" * 50_000 + "}"
    with pytest.raises(Refused, match="deep"):
        read_batch(f'{{"events":[{deep}]}}'.encode(), 10)


def test_fields_nobody_asked_for_are_not_kept() -> None:
    secret = "ann@example.com"
    event = {**EVENT, "email": secret, "params": {"name": secret, "items": [{"item_id": "SKU1", "note": secret}]}}
    read = read_batch(batch(event, email=secret, page={"url": secret}), 10)
    assert secret not in repr(read_event(read.events[0]))
    assert secret not in repr(msgspec.structs.replace(read, events=[]))


@pytest.mark.parametrize(
    "event",
    [
        {**EVENT, "id": ""},
        {**EVENT, "id": "x" * 129},
        {**EVENT, "ts": -1},
        {**EVENT, "ts": 2**60},
        {**EVENT, "item": "x" * 129},
        {**EVENT, "params": {"items": [{"item_id": "x"}] * 1001}},
        {**EVENT, "params": {"search_term": "x" * 513}},
        {**EVENT, "params": {"items": [{"item_id": "x", "quantity": -1}]}},
        {**EVENT, "params": {"items": [{"item_id": "x", "price": 1e300}]}},
        {**EVENT, "params": {"items": [{"item_id": "x", "price": -0.01}]}},
        {**EVENT, "params": {"items": [{"item_id": "x" * 10_000}]}},
    ],
)
def test_values_beyond_their_bounds_are_malformed(event: dict[str, Any]) -> None:
    found = read_event(read_batch(batch(event), 10).events[0])
    assert isinstance(found, EventResult)
    assert found.reason == "malformed"


def test_letters_that_are_no_utf_8_spoil_only_their_own_event() -> None:
    body = batch(EVENT, {**EVENT, "item": "caf?"}).replace(b"caf?", b"caf\xe9")
    good, spoiled = (read_event(each) for each in read_batch(body, 10).events)
    assert isinstance(good, EventOnWire)
    assert isinstance(spoiled, EventResult)
    assert spoiled.reason == "malformed"


@given(st.dictionaries(st.sampled_from(["id", "name", "ts", "item", "params", "items", "x"]), anything) | anything)
def test_any_json_is_an_event_or_malformed(value: object) -> None:
    found = read_event(read_batch(batch(value), 10).events[0])
    assert isinstance(found, EventOnWire) or found.reason == "malformed"


@given(st.binary(max_size=200) | anything.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_a_batch_or_refused(body: bytes) -> None:
    with suppress(Refused):
        assert len(read_batch(body, 10).events) <= 10


def test_the_names_of_the_web_page_are_all_known() -> None:
    assert {"view_item", "purchase", "refund", "consent_update", "dismiss_item", "recommendation_served"} <= EVENT_NAMES
    assert len(EVENT_NAMES) == 16
