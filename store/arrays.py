"""Named arrays in one file that is whole or as it was before."""

from __future__ import annotations

import contextlib
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from store.faults import DatabaseFull, DatabaseUnreadable


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of a file; none where there is no file. Raises DatabaseUnreadable."""
    if not path.exists():
        return {}
    try:
        with np.load(path, allow_pickle=False) as found:
            return {name: found[name] for name in found.files}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError, KeyError) as error:
        raise DatabaseUnreadable(path, f"cannot be read ({error}); restore it from a backup, or remove it") from error


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Replace the file in one step. Raises DatabaseFull where that cannot be done."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o600)
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise DatabaseFull(path, f"cannot be written ({error.strerror}); make room, or mend its folder") from error
