"""The audit finds what the release spends, never more than is claimed, and it sees every way to break the promise."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from app.cli import cli
from app.config.sections import PrivacyOptions
from app.learning import audit as audits
from app.learning import bounding, contributions, counted, person_statistics, release
from app.learning.audit import audit, canaries_of, lower_bound_of_mu, membership
from app.learning.audit_sums import audit_sums
from app.learning.dataset import Dataset
from app.learning.noise import NoiseSource
from app.learning.triangles import Doubles
from store.records import Floats

BOUNDED, NORMAL = contributions.bounded_weights, NoiseSource.normal


def noise_by_3(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(NoiseSource, "normal", lambda source, *what: NORMAL(source, *what) / 3)


def no_clipping(patch: pytest.MonkeyPatch) -> None:
    def whole(vectors: Floats, longest: float) -> Doubles:
        return np.nan_to_num(vectors).astype(np.float64) / longest

    patch.setattr(person_statistics, "clipped", whole)


def weights_by_3(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(contributions, "bounded_weights", lambda *what: 3 * BOUNDED(*what))


def sensitivity_by_3(patch: pytest.MonkeyPatch) -> None:
    kept = release.Door.release

    def too_little(door: release.Door, statistic: Doubles, *, sensitivity: float, **more: Any) -> Doubles:  # noqa: ANN401
        return kept(door, statistic, sensitivity=sensitivity / 3, **more)

    patch.setattr(release.Door, "release", too_little)


@pytest.mark.parametrize("epsilon", [1.0, 3.0, 8.0])
def test_the_bound_is_below_the_claim_and_from_3_on_above_half_of_it(epsilon: float) -> None:
    found = audit(PrivacyOptions(epsilon=epsilon))
    assert found.verdict == ""
    assert 0 < found.at_least <= epsilon
    if epsilon >= 3:
        assert found.at_least >= epsilon / 2


@pytest.mark.parametrize("epsilon", [1.0, 8.0])
@pytest.mark.parametrize("broken", [noise_by_3, no_clipping, weights_by_3, sensitivity_by_3])
def test_every_broken_promise_is_seen(broken: Any, epsilon: float, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN401
    broken(monkeypatch)
    found = audit(PrivacyOptions(epsilon=epsilon))
    assert found.leaks, found
    assert "is spent where" in found.verdict


def test_an_audit_that_sees_nothing_says_that_it_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NoiseSource, "normal", lambda source, *what: NORMAL(source, *what) * 5)
    found = audit(PrivacyOptions(epsilon=3.0), 500)
    assert found.blind
    assert "proves nothing" in found.verdict


def test_canaries_contribute_as_much_as_one_person_may_and_nobody_else_touches_their_items() -> None:
    canaries = canaries_of(50)
    squares = canaries.weights.multiply(canaries.weights).sum(axis=1).A1
    assert squares == pytest.approx(np.full(50, audits.RECIPE.per_person), rel=0.01)
    assert (canaries.weights.getnnz(axis=0) == 1).all()


@settings(max_examples=20)
@given(seed=st.integers(0, 1000), mu=st.floats(0, 3))
def test_the_bound_lies_below_how_far_the_groups_really_are_apart(seed: int, mu: float) -> None:
    random = np.random.default_rng(seed)
    inside, outside = random.normal(mu, 1, 4000), random.normal(0, 1, 4000)
    bound = lower_bound_of_mu(inside, outside)
    assert max(mu - 0.2, 0) <= bound <= mu + 0.1


def test_an_audit_spends_nothing_of_the_shop_and_repeats_for_machines(tmp_path: Path) -> None:
    (tmp_path / "personalize.toml").write_text('[privacy]\nlearned = "dp"\nepsilon = 8.0\n')
    called = CliRunner().invoke(
        cli, ["-c", str(tmp_path / "personalize.toml"), "audit", "--epsilon", "5", "--canaries", "1000", "--json"]
    )
    assert called.exit_code == 0, called.output
    vectors, counts, _, pairs, _ = json.loads(called.output)
    for found in (vectors, counts, pairs):
        assert (found["claimed"], found["canaries"] % 1000) == (5.0, 0)
        assert 2.5 <= found["at_least"] <= 5
    assert [path.name for path in tmp_path.iterdir()] == ["personalize.toml"]


def test_a_failed_audit_ends_with_1_and_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "personalize.toml").write_text("")
    noise_by_3(monkeypatch)
    called = CliRunner().invoke(cli, ["-c", str(tmp_path / "personalize.toml"), "audit", "--canaries", "400"])
    assert called.exit_code == 1
    assert "FAILED  item vectors: at least ε = " in called.output


def test_an_attack_on_the_final_vectors_stays_inside_the_promised_curve(monkeypatch: pytest.MonkeyPatch) -> None:
    attacked = membership(PrivacyOptions(epsilon=3.0), 8_000)
    assert attacked.false < attacked.at_most == pytest.approx(0.0073, abs=1e-4)
    assert attacked.found <= attacked.at_most
    monkeypatch.setattr(NoiseSource, "normal", lambda source, *what: NORMAL(source, *what) / 30)
    seen = membership(PrivacyOptions(epsilon=3.0), 8_000)
    assert seen.found > 0.3 > seen.at_most, "and it is no blind attack: with little noise it finds most"


def test_counts_and_pairs_spend_what_they_claim_and_the_greedy_no_more() -> None:
    for epsilon in (1.0, 3.0, 8.0):
        counts, greedy_counts, pairs, greedy_pairs = audit_sums(PrivacyOptions(epsilon=epsilon), 2_000)
        for found in (counts, pairs):
            assert found.verdict == ""
            assert (epsilon / 2 if epsilon >= 3 else 0) < found.at_least <= epsilon
        for found in (greedy_counts, greedy_pairs):
            assert found.verdict == ""
            assert found.at_least < epsilon


def no_bound_on_how_many(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(bounding, "_first_of_each", lambda person, key, most: np.arange(len(person)))


def no_bound_on_how_much(patch: pytest.MonkeyPatch) -> None:
    kept = bounding.wants

    def whole(data: Dataset, most: int) -> bounding.Wants:
        found = kept(data, most)
        return found._replace(value=found.value * data.weight.max())

    patch.setattr(counted, "wants", whole)


@pytest.mark.parametrize("epsilon", [1.0, 8.0])
@pytest.mark.parametrize(
    ("broken", "releases"),
    [
        (noise_by_3, {"counts", "pairs"}),
        (sensitivity_by_3, {"counts", "pairs"}),
        (no_bound_on_how_many, {"counts of who did too much", "pairs of who did too much"}),
        (no_bound_on_how_much, {"counts"}),
    ],
)
def test_every_broken_promise_of_counts_and_pairs_is_seen(
    broken: Any,  # noqa: ANN401
    releases: set[str],
    epsilon: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken(monkeypatch)
    leaking = {found.release for found in audit_sums(PrivacyOptions(epsilon=epsilon), 2_000) if found.leaks}
    assert releases <= leaking


def test_counts_that_drown_in_noise_prove_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NoiseSource, "normal", lambda source, *what: NORMAL(source, *what) * 5)
    for found in audit_sums(PrivacyOptions(epsilon=3.0), 500):
        assert found.blind != found.bounding
