"""The four folders are imported by their own names, so nothing that is installed may carry them."""

from importlib.metadata import packages_distributions

import pytest


@pytest.mark.parametrize("name", ["app", "plugins", "store", "web", "tests", "tools"])
def test_no_dependency_owns_the_name_of_a_folder(name: str) -> None:
    owners = set(packages_distributions().get(name, [])) - {"personalize"}
    assert owners == set(), f"{owners} would be imported instead of our {name}/"
