"""Makes of drafts the events as the log keeps them, sealed where they are the vault's, and learns from each."""

from collections.abc import Callable

import msgspec

from app.features.options import FeatureOptions
from app.ingest.incoming import Draft
from app.ingest.wire import DropReason, EventResult
from app.ingest.work import Pause, Work
from plugins.manager import Plugins
from store.catalogue import Catalogue
from store.keys import KeyRing
from store.records import VAULT, LoggedEvent, Purchase, Purpose, ShownList
from store.vault import CATEGORY_NAMES, Entry, Place, Search, VaultStore

_LASTING = int(Purpose.SESSION | Purpose.PROFILE)
_TRAINING = int(Purpose.TRAINING)
_SIGN = {"purchase": 1.0, "refund": -1.0}
Vaulted = dict[Purpose, list[Entry]]
Shown = Callable[[str, int], ShownList | None]
"""(request id, item) -> what is remembered of the list that a click on the item came from."""


class Builder:
    """Each event as far as its person's purposes go."""

    def __init__(
        self, vault: VaultStore, keys: KeyRing, catalogue: Catalogue, plugins: Plugins, options: FeatureOptions,
        shown: Shown,
    ) -> None:  # fmt: skip
        self._vault = vault
        self._keys = keys
        self._catalogue = catalogue
        self._plugins = plugins
        self._options = options
        self._shown = shown

    async def build(self, works: list[Work]) -> None:
        """Events as the log keeps them, refused by a plugin or learned from, in slices short enough for shoppers."""
        await self._keys.ensure_data_keys(self._vault_owners(works))
        pause = Pause()
        for work in works:
            person = work.person
            for draft in work.kept:
                assert person is not None
                event = self._event(work, draft, person.row.surrogate)
                refused = self._plugins.reject_event(event)
                if refused is not None:
                    work.results[draft.place] = EventResult(draft.id, "dropped", DropReason.REJECTED, refused)
                    continue
                person.learn(event, self._catalogue, self._plugins, self._options)
                work.events.append(self._with_sealed(work, draft, event))
                work.results[draft.place] = EventResult(draft.id, "accepted")
                await pause.now_and_then()

    def _event(self, work: Work, draft: Draft, surrogate: int) -> LoggedEvent:
        incoming, purposes = work.incoming, int(work.decision.purposes)
        order = draft.name in _SIGN
        lines = draft.lines if purposes & _LASTING and not order else ()
        return LoggedEvent(
            person=surrogate,
            session=incoming.session,
            at_ms=draft.at_ms,
            name=draft.name,
            purposes=purposes,
            lines=lines,
            affinities=draft.affinities if purposes & _LASTING else {},
            value=draft.value if not order or work.decision.allows(Purpose.PURCHASES) else 0.0,
            region=incoming.region,
            placement=draft.placement,
            request=draft.request,
            trust=incoming.trust,
            counted=draft.counted,
            shown=self._shown_list(draft, purposes) if lines else None,
        )

    def _shown_list(self, draft: Draft, purposes: int) -> ShownList | None:
        """What a click in a list of ours was chosen among; only where its person may be learned from."""
        if draft.name != "select_item" or not draft.request or not purposes & _TRAINING:
            return None
        return self._shown(draft.request, draft.lines[0].item)

    def _vault_owners(self, works: list[Work]) -> set[int]:
        return {
            work.person.row.surrogate
            for work in works
            if work.person is not None and work.kept
            if _location_allowed(work) or any(_vaulted(work, draft) for draft in work.kept)
        }

    def _with_sealed(self, work: Work, draft: Draft, event: LoggedEvent) -> LoggedEvent:
        entries = _vaulted(work, draft)
        if not work.events and _location_allowed(work):
            place = work.incoming.location
            assert place is not None
            entries[Purpose.LOCATION] = [Place(place.lat, place.lon, draft.at_ms // 1000)]
        if not entries:
            return event
        sealed = {
            CATEGORY_NAMES[category]: self._vault.seal(event.person, category, found)
            for category, found in entries.items()
        }
        return msgspec.structs.replace(event, sealed=sealed)


def _location_allowed(work: Work) -> bool:
    return work.incoming.location is not None and work.decision.allows(Purpose.LOCATION)


def _vaulted(work: Work, draft: Draft) -> Vaulted:
    """What of an event belongs in the vault and may go there; its place is the batch's and is added once."""
    at, found = draft.at_ms // 1000, Vaulted()
    orders = bool(draft.lines) and draft.name in _SIGN
    if not (orders or draft.search) or not work.decision.purposes & VAULT:
        return found
    if draft.search and work.decision.allows(Purpose.SEARCHES):
        found[Purpose.SEARCHES] = [Search(draft.search, at)]
    if orders and work.decision.allows(Purpose.PURCHASES):
        sign, trust = _SIGN[draft.name], work.incoming.trust
        found[Purpose.PURCHASES] = [
            Purchase(line.item, sign * line.quantity, line.price, at, trust) for line in draft.lines
        ]
    return found
