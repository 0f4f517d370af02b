"""What every test may ask for: the asyncio event loop and the browser."""

from pathlib import Path

import pytest

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
