"""One event changes what is known of a visitor: the visit going on, and, where agreed to, the lasting profile.

Pure but for the two records handed in, which are changed in place. Weights decay by half-lives without being touched:
they are kept as of the profile's own `updated` moment, and a later event enters as much heavier as the earlier ones
have faded since (forward decay: Cormode, Shkapenyuk, Srivastava, Xu, "Forward decay", ICDE 2009). So an event costs
what its own few keys cost, and events that arrive late count exactly what they would have counted on time.
"""

from typing import Protocol

from app.features.options import FeatureOptions
from store.records import LoggedEvent, ProfileFeatures, Purpose, SessionState

DAY = 86_400.0
_SESSION = int(Purpose.SESSION)
_PROFILE = int(Purpose.PROFILE)
# Purchases are the vault's: what they say is worked out in memory, for the request.
_VAULTED = frozenset({"purchase", "refund"})
_FADED = 1e-4
"""A weight below this says nothing any more."""


class AffinityNaming(Protocol):
    """What of the catalogue this needs."""

    def affinity_keys(self, number: int) -> tuple[str, ...]: ...


def apply_event(
    session: SessionState,
    profile: ProfileFeatures,
    event: LoggedEvent,
    catalogue: AffinityNaming,
    options: FeatureOptions,
) -> None:
    """Change `session` and `profile` by an event, each only where the event's purposes allow it.

    Every collection stays within its bound in `options`. The items of purchases and refunds never enter.
    """
    if event.name in _VAULTED:
        return
    weight = _weight(event, options)
    at = event.at_ms // 1000
    keys = _affinities(event, catalogue) if weight else {}
    dismissed = event.name == "dismiss_item"
    if event.purposes & _SESSION and _in_visit(session, event, options):
        if weight:
            _apply_to_session(session, event, weight, at, options)
            _add(session.affinities, keys, weight, options.session_affinities)
        if dismissed:
            _dismiss(session.dismissed, event, at, options)
            session.items = [held for held in session.items if held[0] not in session.dismissed]
    if event.purposes & _PROFILE:
        if weight:
            factor = _landmark(profile, at, options.half_life_days * DAY)
            _apply_to_profile(profile, event, weight * factor, at, options)
            _add(profile.affinities, keys, weight * factor, options.profile_affinities)
        if dismissed:
            _dismiss(profile.dismissed, event, at, options)
            for line in event.lines:
                profile.items.pop(line.item, None)


def merge_extra(profile: ProfileFeatures, changes: dict[str, float], options: FeatureOptions) -> None:
    """Take over what `update_features` plugins say, already named "plugin.name"; new names beyond the bound are not."""
    for name, value in changes.items():
        if name in profile.extra or len(profile.extra) < options.extra_features:
            profile.extra[name] = value


def faded(updated: int, now: float, half_life_seconds: float) -> float:
    """What a weight kept as of `updated` is worth `now`, as a factor."""
    exponent = (updated - now) / half_life_seconds
    return float(2.0 ** max(-1000.0, min(1000.0, exponent)))


def _weight(event: LoggedEvent, options: FeatureOptions) -> float:
    weight: float = getattr(options.weights, event.name, 0.0)
    if event.name == "user_engagement":
        weight *= min(1.0, event.value / (1000.0 * options.engaged_seconds))
    return weight


def _affinities(event: LoggedEvent, catalogue: AffinityNaming) -> dict[str, float]:
    if len(event.lines) == 1 and not event.affinities:
        return dict.fromkeys(catalogue.affinity_keys(event.lines[0].item), 1.0)
    keys = dict(event.affinities)
    for line in event.lines:
        for key in catalogue.affinity_keys(line.item):
            keys[key] = keys.get(key, 0.0) + 1.0
    return keys


def _in_visit(session: SessionState, event: LoggedEvent, options: FeatureOptions) -> bool:
    """Start anew where another visit began; False for a straggler of a visit that is over."""
    idle = options.idle_minutes * 60_000
    other = bool(event.session) and event.session != session.session
    if session.seen_ms and event.at_ms < session.seen_ms - (0 if other else idle):
        return False
    if other or event.at_ms - session.seen_ms > idle:
        session.session = event.session
        session.items, session.affinities, session.dismissed = [], {}, {}
    session.seen_ms = max(session.seen_ms, event.at_ms)
    return True


def _apply_to_session(
    session: SessionState, event: LoggedEvent, weight: float, at: int, options: FeatureOptions
) -> None:
    for line in event.lines:
        total = weight
        for place, (item, before, _) in enumerate(session.items):
            if item == line.item:
                total += before
                del session.items[place]
                break
        if total > 0:
            session.items.append((line.item, total, at))
    del session.items[: max(0, len(session.items) - options.session_items)]


def _landmark(profile: ProfileFeatures, at: int, half_life: float) -> float:
    """The factor by which an event at `at` enters; moves the landmark on when it lies a half-life back."""
    if not profile.updated:
        profile.updated = at
    if at - profile.updated > half_life:
        factor = faded(profile.updated, at, half_life)
        profile.affinities = {
            key: weight * factor for key, weight in profile.affinities.items() if abs(weight * factor) > _FADED
        }
        profile.items = {
            item: (weight * factor, seen) for item, (weight, seen) in profile.items.items() if weight * factor > _FADED
        }
        profile.updated = at
    return faded(at, profile.updated, half_life)


def _apply_to_profile(
    profile: ProfileFeatures, event: LoggedEvent, weight: float, at: int, options: FeatureOptions
) -> None:
    items = profile.items
    for line in event.lines:
        before, seen = items.get(line.item, (0.0, 0))
        if before + weight > _FADED:
            items[line.item] = (before + weight, max(seen, at))
        else:
            items.pop(line.item, None)
    if len(items) > options.profile_items:
        _trim_items(items, options.profile_items)


def _trim_items(items: dict[int, tuple[float, int]], bound: int) -> None:
    """Keep the newest quarter whatever it weighs, of the others the heaviest; an eighth more goes, so that the next
    events need not sort again."""
    keep = max(1, bound - bound // 8)
    newest = max(1, keep // 4)
    by_age = sorted(items, key=lambda item: items[item][1])
    older = sorted(by_age[:-newest], key=lambda item: items[item][0])
    for item in older[: len(items) - keep]:
        del items[item]


def _add(affinities: dict[str, float], keys: dict[str, float], weight: float, bound: int) -> None:
    for key, share in keys.items():
        affinities[key] = affinities.get(key, 0.0) + weight * share
    if len(affinities) > bound:
        _trim_affinities(affinities, bound)


def _trim_affinities(affinities: dict[str, float], bound: int) -> None:
    """Keep the strongest, of those alike the latest; an eighth more goes, as above."""
    surplus = len(affinities) - max(1, bound - bound // 8)
    limit = sorted(map(abs, affinities.values()))[surplus - 1]
    weak = [key for key, weight in affinities.items() if abs(weight) < limit]
    alike = [key for key, weight in affinities.items() if abs(weight) == limit]
    for key in weak + alike[: surplus - len(weak)]:
        del affinities[key]


def _dismiss(dismissed: dict[int, int], event: LoggedEvent, at: int, options: FeatureOptions) -> None:
    for line in event.lines:
        dismissed.pop(line.item, None)
        dismissed[line.item] = at
    while len(dismissed) > options.dismissed_items:
        del dismissed[next(iter(dismissed))]
