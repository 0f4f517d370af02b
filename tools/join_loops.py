"""Prints the inner loops as the one module they are compiled as.

store/loops/source has them by idea. Cython compiles each module for itself, and modules of plain Python cannot call
each other's C functions: so the files are put behind each other, those first that others import, without these imports.
"""

from __future__ import annotations

import re
from graphlib import TopologicalSorter
from hashlib import sha256
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "store" / "loops" / "source"
HEAD = '''"""The inner loops, joined from store/loops/source by tools/join_loops.py."""
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False

import cython

if not cython.compiled:
    raise ImportError("the inner loops were not compiled; `make setup` does it")

BUILT_FROM = "{built_from}"
'''
_IMPORT = re.compile(r"^from store\.loops\.source\.(\w+) import (?:\([^)]*\)|[^(\n]*)\n", re.MULTILINE)


def joined() -> str:
    """All of it, with the SHA-256 of what it was made from, as store/loops/compiled.py works it out."""
    files = {path.stem: path.read_text() for path in sorted(SOURCE.glob("*.py"))}
    built_from = sha256("".join(files.values()).encode()).hexdigest()
    order = TopologicalSorter({name: _IMPORT.findall(text) for name, text in files.items()}).static_order()
    return "\n".join([HEAD.replace("{built_from}", built_from), *(_IMPORT.sub("", files[name]) for name in order)])


if __name__ == "__main__":
    print(joined())
