from math import isclose, sqrt

import pytest
from dp_accounting.pld.privacy_loss_distribution import from_gaussian_mechanism
from hypothesis import given
from hypothesis import strategies as st

from app.learning.accounting import cost_of, delta_of, epsilon_of, mu_of, multiplier_for

EPSILONS = [(1.0, 0.237), (3.0, 0.648), (8.0, 1.532)]


@pytest.mark.parametrize(("epsilon", "mu"), EPSILONS)
def test_the_budget_of_an_epsilon_is_the_published_one(epsilon: float, mu: float) -> None:
    assert abs(mu_of(epsilon, 1e-6) - mu) < 1e-3


@pytest.mark.parametrize("multiplier", [0.5, 0.65, 1.0, 1.54, 4.2])
@pytest.mark.parametrize("delta", [1e-5, 1e-6])
def test_one_release_costs_what_the_privacy_loss_distribution_says(multiplier: float, delta: float) -> None:
    theirs = from_gaussian_mechanism(multiplier, value_discretization_interval=1e-4).get_epsilon_for_delta(delta)
    assert abs(epsilon_of(1 / multiplier, delta) - theirs) < 1e-3


def test_many_releases_cost_what_composed_privacy_loss_distributions_say() -> None:
    multipliers = [2.0, 3.0, 3.0, 5.5, 8.0]
    composition = from_gaussian_mechanism(multipliers[0], value_discretization_interval=1e-4)
    for multiplier in multipliers[1:]:
        composition = composition.compose(from_gaussian_mechanism(multiplier, value_discretization_interval=1e-4))
    assert abs(epsilon_of(sqrt(sum(map(cost_of, multipliers))), 1e-6) - composition.get_epsilon_for_delta(1e-6)) < 1e-3


@given(st.floats(0.05, 50), st.floats(1e-9, 1e-3))
def test_mu_and_epsilon_are_each_others_inverse(epsilon: float, delta: float) -> None:
    mu = mu_of(epsilon, delta)
    assert isclose(epsilon_of(mu, delta), epsilon, rel_tol=1e-6)
    assert isclose(delta_of(epsilon, mu), delta, rel_tol=1e-6)


def test_a_release_spends_the_cost_it_was_given() -> None:
    assert isclose(cost_of(multiplier_for(0.37)), 0.37)
    assert epsilon_of(0.0, 1e-6) == 0
    assert cost_of(0.0) == float("inf")


@pytest.mark.parametrize("delta", [0.0, 1.0, -1e-6])
def test_a_delta_that_is_none_is_refused(delta: float) -> None:
    with pytest.raises(ValueError, match="delta lies between 0 and 1"):
        mu_of(1.0, delta)
