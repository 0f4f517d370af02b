from hypothesis import given
from hypothesis import strategies as st

from app.ingest.rate import RateLimit, client_address

NOON = 1_790_000_000.0


def test_a_flood_has_to_wait_and_its_neighbour_does_not() -> None:
    limit = RateLimit(per_minute=60, prefixes=10)
    assert [limit.wait("198.51.100.7", NOON) for _ in range(60)] == [0.0] * 60
    assert 0 < limit.wait("198.51.100.8", NOON) <= 1  # one network prefix, one bucket
    assert limit.wait("203.0.113.1", NOON) == 0
    assert limit.wait("198.51.100.7", NOON + 1) == 0


def test_the_addresses_themselves_are_nowhere() -> None:
    limit = RateLimit(per_minute=60, prefixes=10)
    limit.wait("198.51.100.7", NOON)
    assert bytes([198, 51, 100]) not in b"".join(limit._buckets)


def test_yesterdays_hashes_are_forgotten() -> None:
    limit = RateLimit(per_minute=1, prefixes=10)
    assert limit.wait("198.51.100.7", NOON) == 0
    before = set(limit._buckets)
    assert limit.wait("198.51.100.7", NOON + 86_400) == 0
    assert not before & set(limit._buckets)


@given(st.lists(st.tuples(st.text(max_size=20) | st.ip_addresses().map(str), st.floats(0, 1000)), max_size=60))
def test_any_senders_fit_the_bound(calls: list[tuple[str, float]]) -> None:
    limit = RateLimit(per_minute=5, prefixes=4)
    for address, after in calls:
        assert limit.wait(address, NOON + after) >= 0
    assert len(limit._buckets) <= 4


def test_only_the_shops_own_proxies_are_believed() -> None:
    assert client_address("10.0.0.1", "6.6.6.6, 203.0.113.9", 0) == "10.0.0.1"
    assert client_address("10.0.0.1", "6.6.6.6, 203.0.113.9", 1) == "203.0.113.9"
    assert client_address("10.0.0.1", "", 1) == "10.0.0.1"
