"""The model card: what a generation was learned from and how, how good it is; JSON in the generation, and readable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from app.config import Config
from app.learning.runs import TrainingRun, peak_memory_mb
from app.serving.blends import Blends

TITLES = {
    "refused": "Kept aside",
    "left_out": "Left out",
    "vectors_left_out": "Item vectors left out",
    "privacy": "Privacy",
    "clipping": "What one person can contribute",
    "audit": "What an audit of the releases proved to be spent at least (epsilon)",
    "als": "Item vectors",
    "trust": "How far released neighbours are more than noise (0 to 1)",
    "judged": "Judged on days it was not learned from",
    "beside_exact": "What privacy costs, beside the same learned as it is",
    "popularity_bias": "How popular what it shows is (percentile; 1 is the best seller)",
    "seconds": "Seconds per step",
    "weights": "Blend weights per placement",
    "ranking": "Blend weights learned from clicks",
}
"""The parts of a card a reader looks for, in this order; the rest follows under its own name."""


def facts(config: Config, run: TrainingRun, ranking: Mapping[str, Any]) -> dict[str, Any]:
    """What holds for every generation, whatever was learned: bounds, weights, what the training took. `ranking`: what
    was learned of the weights."""
    options = config.training
    placements = Blends(config.placements, lambda: ranking).now
    return {
        "window_days": options.window_days,
        "clipping": {
            "unit": "a person",
            "interactions": options.max_items_per_person,
            "interactions of a browser": options.max_items_browser,
            "interactions of somebody signed in": options.max_items_signed_in,
        },
        "weights": {name: dict(placement.weights) for name, placement in placements.items()},
        "seconds": dict(run.seconds),
        "memory_mb": peak_memory_mb(),
    }


def readable(card: Mapping[str, Any], status: str = "") -> str:
    """A card as text."""
    created = datetime.fromtimestamp(float(card.get("created", 0)), UTC)
    head = f"generation {card.get('id', '?')}{f' ({status})' if status else ''}"
    lines = [
        head,
        f"  made {created:%Y-%m-%d %H:%M} UTC, learned: {card.get('learned', '?')}",
        "  " + ", ".join(f"{_told(card.get(name))} {name}" for name in ("items", "people", "interactions")),
    ]
    if card.get("memory_mb"):
        took = sum(card["seconds"].values()) if isinstance(card.get("seconds"), Mapping) else 0.0
        lines.append(f"  took {took:.1f} s and {card['memory_mb']:.0f} MB")
    said = {"id", "created", "learned", "items", "people", "interactions", "memory_mb"}
    for name in (*TITLES, *(name for name in card if name not in TITLES and name not in said)):
        if card.get(name) not in (None, "", {}, []):
            told = {place: _ranking(part) for place, part in card[name].items()} if name == "ranking" else card[name]
            lines += ["", *_part(TITLES.get(name, name.replace("_", " ")), told)]
    return "\n".join(lines)


def _ranking(part: Mapping[str, Any]) -> str:
    """What became of a placement's weights, in a line."""
    told = str(part["why"])
    if part["people"] is not None:
        told += f"; {part['people']} people"
    if "gain" in part:
        told += f", {part['gain']:+.4f} per person (± {part['error']:.4f})"
    before = part["configured"]
    moved = [f"{scorer} {_told(before[scorer])} → {_told(weight)}" for scorer, weight in part.get("weights", {}).items()
             if weight != before[scorer]]  # fmt: skip
    return f"{told}: {', '.join(moved)}" if moved else told


def _part(title: str, value: object) -> Iterator[str]:
    if not isinstance(value, Mapping):
        yield f"{title}: {_told(value)}"
        return
    yield title
    width = max(len(str(name)) for name in value)
    for name, entry in value.items():
        if isinstance(entry, Mapping):
            entry = ", ".join(f"{key} {_told(each)}" for key, each in entry.items()) or "–"
        yield f"  {name!s:<{width}}  {_told(entry)}"


def _told(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4f}".rstrip("0").rstrip(".") if abs(value) >= 1e-4 or value == 0 else f"{value:.3g}"
    return "–" if value is None or value == "" else str(value)
