"""The four folders are imported by their own names, so nothing that is installed may carry them.

`tests` is not among them: PyPI's iab-tcf, the oracle for consent strings, installs a package of that name. Ours is a
package too and is found first, as pytest puts the checkout before everything installed.
"""

from importlib.metadata import packages_distributions

import pytest


@pytest.mark.parametrize("name", ["app", "plugins", "store", "web", "tools"])
def test_no_dependency_owns_the_name_of_a_folder(name: str) -> None:
    owners = set(packages_distributions().get(name, [])) - {"personalize"}
    assert owners == set(), f"{owners} would be imported instead of our {name}/"
