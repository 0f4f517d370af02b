"""Next click of a visit: every prefix of every test session, asked over HTTP (LEARNING.md, "Sessions")."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

from app.quality.measure import Measure
from app.quality.retail import reciprocal_rank
from app.quality.scratch import Shop

K = 20


def read_sessions(file: Path) -> list[list[str]]:
    """Item ids of each session in the order they were clicked."""
    sessions: dict[str, list[tuple[float, str]]] = defaultdict(list)
    with file.open(newline="") as lines:
        for row in csv.DictReader(lines, delimiter="\t"):
            sessions[row["SessionId"]].append((float(row["Time"]), row["ItemId"]))
    return [[item for _, item in sorted(clicks, key=lambda click: click[0])] for clicks in sessions.values()]


def measure(shop: Shop, test: Path) -> list[Measure]:
    """MRR@20 and HR@20 over all prefixes; the current item is never offered again."""
    ranks = []
    for session in read_sessions(test):
        for length in range(1, len(session)):
            answer = shop.recommend("next", {"consent": "denied"}, limit=K, viewed=session[:length])
            ranks.append(reciprocal_rank(answer, session[length]))
    count = max(1, len(ranks))
    return [
        Measure("serenade sessions", "MRR@20", sum(ranks) / count, 0.32, 0.338, anchor=".3277 published"),
        Measure("serenade sessions", "HR@20", sum(rank > 0 for rank in ranks) / count, 0.62, 0.64,
                anchor=".6402 published"),
    ]  # fmt: skip
