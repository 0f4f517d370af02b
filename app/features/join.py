"""Two records of one person become one: who was known by a random id signs in, a visit goes on under a lasting id."""

from app.features.options import FeatureOptions
from app.features.update import DAY, faded
from store.records import ProfileFeatures, SessionState


def join_profiles(into: ProfileFeatures, other: ProfileFeatures, options: FeatureOptions) -> None:
    """Add what `other` knows; every weight counts what it would have counted had all been learned as one."""
    if not into.updated:
        into.updated = other.updated
    scale = faded(other.updated, into.updated, options.half_life_days * DAY)
    for key, weight in other.affinities.items():
        into.affinities[key] = into.affinities.get(key, 0.0) + weight * scale
    for item, (weight, at) in other.items.items():
        own, seen = into.items.get(item, (0.0, 0))
        into.items[item] = (own + weight * scale, max(seen, at))
    for item, at in other.dismissed.items():
        into.dismissed[item] = max(at, into.dismissed.get(item, 0))
        into.items.pop(item, None)
    for name, value in other.extra.items():
        if len(into.extra) < options.extra_features:
            into.extra.setdefault(name, value)
    into.affinities = _most(into.affinities, options.profile_affinities)
    heaviest = sorted(into.items, key=lambda item: -into.items[item][0])[: options.profile_items]
    into.items = {item: into.items[item] for item in heaviest}
    into.dismissed = _latest(into.dismissed, options.dismissed_items)


def join_visits(into: SessionState, other: SessionState, options: FeatureOptions) -> None:
    """Add what was done in the same visit under another id; of two visits too far apart the later one stays."""
    apart = options.idle_minutes * 60_000
    if not other.seen_ms or into.seen_ms - other.seen_ms > apart:
        return
    if other.seen_ms - into.seen_ms > apart:
        into.items, into.affinities, into.dismissed = [], {}, {}
    into.seen_ms = max(into.seen_ms, other.seen_ms)
    into.session = into.session or other.session
    found: dict[int, tuple[float, int]] = {}
    for item, weight, at in (*other.items, *into.items):
        own, seen = found.get(item, (0.0, 0))
        found[item] = (own + weight, max(seen, at))
    into.dismissed = _latest({**other.dismissed, **into.dismissed}, options.dismissed_items)
    ordered = sorted(
        (at, item, weight) for item, (weight, at) in found.items() if item not in into.dismissed and weight > 0
    )
    into.items = [(item, weight, at) for at, item, weight in ordered[-options.session_items :]]
    for key, weight in other.affinities.items():
        into.affinities[key] = into.affinities.get(key, 0.0) + weight
    into.affinities = _most(into.affinities, options.session_affinities)


def _most(weights: dict[str, float], bound: int) -> dict[str, float]:
    return dict(sorted(weights.items(), key=lambda entry: -abs(entry[1]))[:bound])


def _latest(times: dict[int, int], bound: int) -> dict[int, int]:
    return dict(sorted(times.items(), key=lambda entry: entry[1])[-bound:])
