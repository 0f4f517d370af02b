"""Which of the compiled loops this processor can run."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec

NEEDED = ("AVX2", "FMA3")
"""What `_wide` is compiled for (tools/build_loops.sh)."""


def wide() -> bool:
    """Whether the loops with wide instructions were built and this processor has these."""
    return find_spec("store.loops._wide") is not None and all(features().get(name, False) for name in NEEDED)


def features() -> Mapping[str, bool]:
    """What this processor can do, as numpy found out when it was loaded; empty where numpy does not say."""
    try:
        found: Mapping[str, bool] = import_module("numpy._core._multiarray_umath").__cpu_features__
    except (ImportError, AttributeError):
        return {}
    return found
