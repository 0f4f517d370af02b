"""What is installed is pinned, hash-checked, the same everywhere, and says nothing about where it was fetched."""

import json
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LOCKS = ["requirements.lock", "requirements-build.lock", "requirements-dev.lock"]
PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)==(\S+)(.*?)(?=^[a-z0-9]|\Z)", re.MULTILINE | re.DOTALL)


def pins(lock: str) -> dict[str, tuple[str, int]]:
    """Version and number of hashes of each locked package."""
    text = (ROOT / lock).read_text()
    return {name: (version, rest.count("--hash=sha256:")) for name, version, rest in PIN.findall(text)}


def declared(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=~! ;]", requirement)[0].lower() for requirement in requirements}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_is_pinned_and_hashed(lock: str) -> None:
    lines = (ROOT / lock).read_text().splitlines()
    packages = [line for line in lines if line and not line.startswith((" ", "#"))]
    assert len(packages) == len(pins(lock)) > 0
    assert [name for name, (_, hashes) in pins(lock).items() if hashes == 0] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_address(lock: str) -> None:
    assert re.findall(r"https?://\S+|--(?:extra-)?index-url.*", (ROOT / lock).read_text()) == []


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-build.lock"])
def test_the_server_is_tested_with_the_versions_it_runs_on(lock: str) -> None:
    tested = pins("requirements-dev.lock")
    assert {name: pin for name, pin in pins(lock).items() if tested.get(name) != pin} == {}


def test_everything_declared_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert declared(project["project"]["dependencies"]) - pins("requirements.lock").keys() == set()
    groups = project["dependency-groups"]
    assert declared(groups["build"]) - pins("requirements-build.lock").keys() == set()
    assert declared(groups["dev"]) - pins("requirements-dev.lock").keys() == set()


def test_every_npm_package_carries_its_hash_and_no_address() -> None:
    packages = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    fetched = {name: package for name, package in packages.items() if name}
    assert fetched
    assert [name for name, package in fetched.items() if not package.get("integrity", "").startswith("sha512-")] == []
    assert [name for name, package in fetched.items() if "resolved" in package] == []
