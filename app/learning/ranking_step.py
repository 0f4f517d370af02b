"""The step of a training that learns how much each scorer counts in a placement, from what people clicked there.

In `dp` the sums (click_model.py) of all placements, for learning and for judging, are one release of one person's row;
they add up over trainings (rates.py) and everything after that is free. In `exact` they are taken as they are, again
and again until nothing moves. In `threshold` nothing of it is released. What is learned serves only where people whose
clicks it was not learned from bear it out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from app.config import Config
from app.learning.click_model import LONGEST, Blend, Sums, fitted, of_person, rows_of, weights_of, with_weights
from app.learning.clicks import Click
from app.learning.held_out import chances
from app.learning.memory import Memory
from app.learning.rates import DAY
from app.learning.release import Door
from app.learning.triangles import Doubles
from app.serving.placements import placements_of
from plugins.ruling import RULE_SCORE

if TYPE_CHECKING:
    from app.learning.train import Draft

PART = "ranking"
CLICKS = f"{PART}.clicks"
LAYOUT, REACH, BEGAN = f"{PART}.layout", f"{PART}.days", f"{PART}.began"
ROUNDS = 6
"""How often `exact` looks again from where it has come to; by then nothing moves any more."""
CLEARLY = 2.0
"""Standard errors by which there have to be enough people, and by which learned weights have to be better."""
_HELD_OUT_SEED = 7
LEARN, JUDGE = 0, 1
NOTHING_YET = "as configured: nothing was released of clicks in its lists yet"


def blends_of(config: Config) -> list[Blend]:
    """The placements whose weights can be learned: those where at least two scorers count, and one of them is free.

    What [placements.NAME] weights names is the marketer's own word: it never changes; the others are measured by it.
    """
    found = []
    for name, placement in placements_of(config.placements).items():
        told = config.placements[name].weights if name in config.placements else None
        weights = {scorer: weight for scorer, weight in placement.weights.items() if weight and scorer != RULE_SCORE}
        free = np.array([scorer not in (told or {}) for scorer in weights], np.bool_)
        if len(weights) >= 2 and free.any():
            found.append(Blend(name, tuple(weights), np.array(list(weights.values()), np.float64), free))
    return found


def learn_ranking(draft: Draft) -> None:
    """In `exact`."""
    blends = blends_of(draft.config)
    if not blends or not draft.config.ranking.learned:
        return
    at = {blend.placement: blend.start for blend in blends}
    spread = draft.config.ranking.spread
    for _ in range(ROUNDS):
        summed = _summed(draft, blends, at)
        sums = _read(summed, blends, at, 0.0)
        at = {blend.placement: fitted(sums[blend.placement][LEARN], blend, at[blend.placement], spread)
              for blend in blends}  # fmt: skip
    _tell(draft, blends, _read(_summed(draft, blends, at), blends, at, 0.0), at)


def release_clicks(draft: Draft, door: Door, memory: Memory) -> None:
    """The sums over everyone, where learning starts. A person is one row, of the length LONGEST at most, in the half
    that learns or in the one that judges.

    The first training only notes from when on clicks are counted: a shop that has just begun has none to pay for.
    """
    options = draft.config
    blends = blends_of(options)
    if door.mode != "dp" or not options.ranking.learned or not blends or not options.privacy.shares.get(PART):
        return
    if BEGAN not in memory.arrays:
        memory.arrays[BEGAN] = np.asarray(draft.now)
        return
    days = _reach(draft, float(memory.arrays[BEGAN]))
    if not days > 0:
        return
    at = {blend.placement: blend.start for blend in blends}
    multiplier = door.multiplier(PART)
    released = door.release(
        _summed(draft, blends, at).ravel(), name=CLICKS, sensitivity=LONGEST, noise_multiplier=multiplier
    )
    layout = _layout(blends)
    if str(memory.arrays.get(LAYOUT, "")) != layout:  # other weights, other scorers: what was released says nothing
        _forget(memory)
    rate = memory.rate(CLICKS, len(released))
    half_life = options.training.static_days
    before = float(memory.arrays.get(REACH, 0.0)) * 2.0 ** -(max(draft.now - rate.at, 0.0) / (half_life * DAY))
    rate.add(released, exposure=days, sigma=multiplier * LONGEST, at=draft.now, half_life_days=half_life)
    memory.keep(CLICKS, rate)
    memory.arrays |= {LAYOUT: np.array(layout), REACH: np.asarray(max(days, before))}
    memory.note_run(CLICKS, door.run.id)


def ranking_of(draft: Draft, memory: Memory) -> None:
    """The weights, of what was released so far."""
    blends = blends_of(draft.config)
    if not draft.config.ranking.learned or not blends or draft.config.privacy.learned != "dp":
        return
    if not memory.paid_by(CLICKS) or str(memory.arrays.get(LAYOUT, "")) != _layout(blends):
        draft.card["ranking"] = {
            blend.placement: {"people": None, "configured": _named(blend, blend.base), "why": NOTHING_YET}
            for blend in blends
        }
        return
    rate = memory.rate(CLICKS, 2 * sum(blend.length for blend in blends))
    days = float(memory.arrays[REACH])
    at = {blend.placement: blend.start for blend in blends}
    sums = _read((rate.per_day * days).reshape(2, -1), blends, at, rate.error * days)
    found = {
        blend.placement: fitted(sums[blend.placement][LEARN], blend, at[blend.placement], draft.config.ranking.spread)
        for blend in blends
    }
    _tell(draft, blends, sums, found)


def _summed(draft: Draft, blends: Sequence[Blend], at: Mapping[str, Doubles]) -> Doubles:
    """[learning and judging, all placements' rows]; where each begins follows from the order of the placements."""
    clicks = draft.dataset.clicks
    rows = dict(_rows_by_placement(clicks, blends, at))
    people: dict[int, dict[str, list[Doubles]]] = {}
    place = dict.fromkeys(rows, 0)
    for click in clicks:
        if click.placement in rows:
            mine = people.setdefault(click.person, {}).setdefault(click.placement, [])
            mine.append(rows[click.placement][place[click.placement]])
            place[click.placement] += 1
    summed = np.zeros((2, sum(blend.length for blend in blends)))
    if people:
        seed = draft.config.training.seed + _HELD_OUT_SEED
        judges = chances(np.array(list(people), np.int64), seed) < draft.config.ranking.held_out
        for judge, mine_by_placement in zip(judges.tolist(), people.values(), strict=True):
            arrays = {name: np.array(mine) for name, mine in mine_by_placement.items()}
            summed[JUDGE if judge else LEARN] += of_person(arrays, blends)
    return summed


def _rows_by_placement(
    clicks: Sequence[Click], blends: Sequence[Blend], at: Mapping[str, Doubles]
) -> Iterator[tuple[str, Doubles]]:
    for blend in blends:
        lists = [click.shown for click in clicks if click.placement == blend.placement]
        yield blend.placement, rows_of(lists, blend, blend.point(at[blend.placement]))


def _read(
    summed: Doubles, blends: Sequence[Blend], at: Mapping[str, Doubles], error: float
) -> dict[str, tuple[Sums, Sums]]:
    found, begins = {}, 0
    for blend in blends:
        point = blend.point(at[blend.placement])
        halves = [Sums.read(half[begins : begins + blend.length], blend, len(blends), point, error) for half in summed]
        found[blend.placement] = (halves[LEARN], halves[JUDGE])
        begins += blend.length
    return found


def _tell(
    draft: Draft, blends: Sequence[Blend], sums: Mapping[str, tuple[Sums, Sums]], found: Mapping[str, Doubles]
) -> None:
    """Put into the card what was learned for each placement, and why not where it was not."""
    draft.card["ranking"] = {
        blend.placement: judged(blend, *sums[blend.placement], found[blend.placement], draft.config) for blend in blends
    }


def judged(blend: Blend, learned: Sums, held_out: Sums, parameters: Doubles, config: Config) -> dict[str, Any]:
    """One placement's part of the card. `learned` under "weights" serves, where it is there."""
    options = config.ranking
    people, error = learned.people + held_out.people, np.sqrt(2) * learned.people_error
    card: dict[str, Any] = {"people": max(round(people), 0), "configured": _named(blend, blend.base)}
    if people - CLEARLY * error < options.people_at_least:
        sure = f", give or take {CLEARLY * error:.0f}" if error else ""
        least = f"fewer than {options.people_at_least}" if not error else f"not surely {options.people_at_least}"
        return {**card, "why": f"as configured: {least} people clicked in its lists ({card['people']}{sure})"}
    weights = weights_of(parameters, blend, options.range)
    if weights is None:
        return {**card, "why": "as configured: clicks hardly follow what scorers say"}
    mine = blend.point(with_weights(parameters, weights, blend))
    theirs = blend.point(fitted(learned, blend, _before(blend, learned, parameters), options.spread, free=False))
    gain, doubt = held_out.gain(mine, theirs)
    count = max(held_out.people, 1.0)
    card |= {"gain": round(gain / count, 6), "error": round(doubt / count, 6)}
    if not gain > CLEARLY * doubt:
        return {
            **card,
            "why": "as configured: on clicks it was not learned from another blend was not surely better",
        }
    return {**card, "why": "learned: better on clicks it was not learned from", "weights": _named(blend, weights)}


def _before(blend: Blend, sums: Sums, parameters: Doubles) -> Doubles:
    """The parameters the sums were taken at: where learning starts, or where it came to."""
    return blend.start if np.allclose(sums.at, blend.point(blend.start)) else parameters


def _named(blend: Blend, weights: Doubles) -> dict[str, float]:
    return {scorer: round(float(weight), 4) for scorer, weight in zip(blend.scorers, weights, strict=True)}


def _reach(draft: Draft, began: float) -> float:
    """Days of clicks behind the sums."""
    return min((draft.now - max(draft.since, began)) / DAY, draft.config.retention.raw_events_days)


def _layout(blends: Sequence[Blend]) -> str:
    """What the released numbers are about: they add up only with others about the same."""
    return json.dumps([[blend.placement, blend.scorers, blend.base.tolist(), blend.free.tolist()] for blend in blends])


def _forget(memory: Memory) -> None:
    for name in [name for name in memory.arrays if name.startswith(f"{CLICKS}.") or name == REACH]:
        del memory.arrays[name]
