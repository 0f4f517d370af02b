"""This very program as a command, for what runs in processes of its own: trainings, feeds, the demo's generator."""

from __future__ import annotations

import shutil
import sys

NICE = ("nice", "-n", "19") if shutil.which("nice") else ()
"""Put before a command that must not be in the way of the requests."""


def program() -> list[str]:
    """The frozen binary itself, or the interpreter with the module."""
    return [sys.executable] if getattr(sys, "frozen", False) else [sys.executable, "-m", "app"]
