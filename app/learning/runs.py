"""What becomes of a training, as the process that runs it tells the one that started it."""

from __future__ import annotations

REFUSED = 3
"""Exit code of a training whose result was not good enough to serve."""
