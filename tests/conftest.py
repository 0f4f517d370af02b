"""What every test may ask for: the asyncio event loop and the browser."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# Speed is never a test, and CI asks the same questions every time; on a developer's machine they differ.
settings.register_profile("facts", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("facts")

CHROMIUM = Path("/usr/bin/chromium")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The server runs on asyncio, so the async tests do too; session-wide, so that any fixture may be async."""
    return "asyncio"


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """The browser that `make test` installs; playwright's own download is never used."""
    if not CHROMIUM.exists():
        pytest.fail(f"{CHROMIUM} is missing; run `make test`, or: sudo apt-get install -y chromium")
    return str(CHROMIUM)
