import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.serving.options import ServingOptions
from app.serving.token import Attribution, Tokens
from store.keys import Domain
from tests.small_shop import NOW

HOUR = 3600


class Ring:
    """Two epochs of keys, like the key ring's."""

    def __init__(self, *epochs: int) -> None:
        self._epochs = epochs

    def epochs(self) -> list[int]:
        return list(self._epochs)

    def key(self, domain: Domain, epoch: int | None = None) -> bytes:
        assert domain is Domain.TOKEN
        return bytes([self._epochs[0] if epoch is None else epoch]) * 32


def tokens(*epochs: int) -> Tokens:
    return Tokens(Ring(*epochs or (1,)), ServingOptions(token_hours=24))


@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=20))
def test_a_token_says_what_was_signed(request: str, placement: str, arm: str) -> None:
    token = tokens().sign(request, placement, NOW, arm=arm, model="m1", rules="r2")
    assert tokens().read(token, NOW) == Attribution(request, placement, arm, "m1", "r2", int(NOW // HOUR))


@given(st.data())
def test_a_changed_token_is_not_ours(data: st.DataObject) -> None:
    token = tokens().sign("1f2e", "home", NOW, model="m1")
    place = data.draw(st.integers(0, len(token) - 2))
    other = data.draw(st.sampled_from("abcXYZ019-_").filter(lambda letter: letter != token[place]))
    assert tokens().read(token[:place] + other + token[place + 1 :], NOW) is None
    assert tokens().read(token[:place], NOW) is None


@given(st.one_of(st.text(max_size=200), st.binary(max_size=100).map(lambda raw: raw.hex())))
def test_any_text_is_read_without_an_error(text: str) -> None:
    assert tokens().read(text, NOW) is None


def test_a_token_is_read_for_a_day_and_its_time_is_rounded_to_the_hour() -> None:
    token = tokens().sign("1f2e", "home", NOW)
    assert tokens().read(token, NOW + 23 * HOUR) is not None
    assert tokens().read(token, NOW + 26 * HOUR) is None
    assert tokens().read(token, NOW - 3 * HOUR) is None
    start = NOW // HOUR * HOUR
    assert len({tokens().sign("1f2e", "home", start + second) for second in np.linspace(0, 3599, 20)}) == 1


def test_a_token_of_the_last_epoch_is_still_read_and_of_a_destroyed_one_not() -> None:
    token = tokens(1).sign("1f2e", "home", NOW)
    assert tokens(2, 1).read(token, NOW) is not None
    assert tokens(3, 2).read(token, NOW) is None
    assert len(token) < 80
