"""What people in experiments did, credited by the tokens of the lists they saw, and summed up over each arm.

Counted in the transaction that writes the events, so nothing is counted twice or lost. Who was never shown a list of
the experiment is not in it: a click, a cart or an order never makes anyone a part of it, or the better arm would look
larger.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from app.experiments.assignment import EVERYONE, HELD_OUT, HOLDOUT_NUMBER, Assigner
from app.ingest.incoming import Draft
from app.ingest.known import Known
from app.ingest.work import Work
from store.experiment_sums import ArmSums
from store.experiments import HOLDOUT, ExperimentStore
from store.parts import Part, Parts, read_parts, write_parts
from store.place_sums import Grown as GrownPlaces
from store.place_sums import PlaceSums
from store.records import Purpose

COUNTED: Mapping[str, str] = {
    "view_item_list": "lists", "recommendation_served": "lists",
    "select_item": "clicks", "add_to_cart": "carts", "purchase": "orders",
}  # fmt: skip
HOLDOUT_ARMS = (HELD_OUT.key, EVERYONE.key)
_EXPERIMENTS = int(Purpose.EXPERIMENTS)
Grown = dict[tuple[int, int], ArmSums]
"""(experiment's number, arm's place) -> what came to its sums."""
_AT_PLACES = ("lists", "clicks", "orders")


class Outcomes:
    """Counts groups of batches."""

    def __init__(self, assigner: Assigner, experiments: ExperimentStore, most: int) -> None:
        """`most`: of anything one person does in one experiment."""
        self._assigner = assigner
        self._experiments = experiments
        self._most = most

    def count(self, works: Iterable[Work]) -> tuple[Grown, GrownPlaces]:
        """Write into the rows of the people what they did, and say what came to the sums of arms and of places."""
        grown: Grown = {}
        places: GrownPlaces = {}
        if self._assigner.idle:
            return grown, places
        for work in works:
            person = work.person
            if person is None or not int(work.decision.purposes) & _EXPERIMENTS:
                continue
            drafts = [draft for draft in work.kept if draft.arms and draft.name in COUNTED and _accepted(work, draft)]
            if drafts:
                self._count(person, drafts, grown, places)
        return grown, places

    def _count(self, person: Known, drafts: list[Draft], grown: Grown, places: GrownPlaces) -> None:
        parts = self._assigner.current(read_parts(person.row.experiments))
        # A page tells what it showed when it is left, and the click that left it just before.
        for draft in sorted(drafts, key=lambda each: COUNTED[each.name] != "lists"):
            for number, (request, arm) in self._credited(draft).items():
                part = self._part(person, parts, number, arm)
                if part is not None:
                    self._add(part, COUNTED[draft.name], request, (number, self._place(number, arm)), grown)
            if draft.places and COUNTED[draft.name] in _AT_PLACES:
                self._count_places(parts, draft, places)
        person.row.experiments = write_parts(parts)
        person.changed = True

    def _count_places(self, parts: Parts, draft: Draft, grown: GrownPlaces) -> None:
        """What was seen, clicked or bought at the places of pins, by who is counted in the experiment anyway."""
        running = {each.key: each for each in self._experiments.running}
        for request, label, rule in dict.fromkeys(draft.places):
            key, _, arm = label.partition("/")
            experiment = running.get(key)
            part = parts.get(experiment.number) if experiment is not None else None
            if experiment is not None and part is not None and part.arm == arm and part.exposed:
                where = (experiment.number, experiment.place(arm), rule)
                self._add_at_place(part, _AT_PLACES.index(COUNTED[draft.name]), request, where, grown)

    def _add_at_place(
        self, part: Part, what: int, request: str, where: tuple[int, int, int], grown: GrownPlaces
    ) -> None:
        rule = where[2]
        had = part.places.get(rule, (0, 0, 0))
        if what == 0 and (part.last != request or rule in part.seen):
            return
        new_here = rule not in part.places
        if had[what] >= self._most or (new_here and (what != 0 or len(part.places) >= self._most)):
            return
        if what == 0:
            part.seen.append(rule)
        now = part.places[rule] = (had[0] + (what == 0), had[1] + (what == 1), had[2] + (what == 2))
        more = [new - old for new, old in zip(_place_sums(now), _place_sums(had), strict=True)]
        before = grown.get(where, PlaceSums())
        grown[where] = PlaceSums(*(old + new for old, new in zip(before, more, strict=True)))

    def _credited(self, draft: Draft) -> dict[int, tuple[str, str]]:
        """Experiment's number -> request and arm; of several lists of one experiment the first."""
        found: dict[int, tuple[str, str]] = {}
        for request, label in draft.arms:
            for number, arm in self._numbered(label):
                found.setdefault(number, (request, arm))
        return found

    def _numbered(self, label: str) -> Iterator[tuple[int, str]]:
        """The running experiments that a token's `key/arm` counts in."""
        key, _, arm = label.partition("/")
        if key == HOLDOUT:
            yield HOLDOUT_NUMBER, arm
            return
        for experiment in self._experiments.running:
            if experiment.key == key and experiment.arm(arm) is not None:
                yield experiment.number, arm
        yield HOLDOUT_NUMBER, EVERYONE.key

    def _part(self, person: Known, parts: Parts, number: int, arm: str) -> Part | None:
        """The person's record in an experiment; None where a token says another arm than is theirs, as it does when
        somebody passes a page on."""
        part = parts.get(number)
        if part is None:
            if self._assigner.arm_of(person.pseudonym, parts, number) != arm:
                return None
            part = parts[number] = Part(arm)
        return part if part.arm == arm else None

    def _place(self, number: int, arm: str) -> int:
        if number == HOLDOUT_NUMBER:
            return HOLDOUT_ARMS.index(arm)
        return next(each.place(arm) for each in self._experiments.running if each.number == number)

    def _add(self, part: Part, what: str, request: str, arm: tuple[int, int], grown: Grown) -> None:
        if what == "lists":
            if part.last == request:
                return
            part.last = request
            part.seen = []
        elif not part.exposed:
            return
        before = getattr(part, what)
        if before >= self._most:
            return
        had = _sums(part)
        setattr(part, what, before + 1)
        more = [new - old for new, old in zip(_sums(part), had, strict=True)]
        grown[arm] = ArmSums(*(old + new for old, new in zip(grown.get(arm, ArmSums()), more, strict=True)))


def _sums(part: Part) -> ArmSums:
    """What one person is in the sums."""
    if not part.exposed:
        return ArmSums()
    lists, clicks, carts, orders = part.lists, part.clicks, part.carts, part.orders
    return ArmSums(
        1, lists, clicks, carts, orders, lists * lists, clicks * clicks, carts * carts, orders * orders, clicks * lists
    )


def _place_sums(counts: tuple[int, int, int]) -> PlaceSums:
    """What one person is in the sums of a rule's places."""
    shown, clicked, bought = counts
    if not shown:
        return PlaceSums()
    return PlaceSums(
        1, shown, clicked, bought, shown * shown, clicked * clicked, bought * bought, clicked * shown, bought * shown
    )


def _accepted(work: Work, draft: Draft) -> bool:
    result = work.results[draft.place]
    return result is not None and result.status == "accepted"
