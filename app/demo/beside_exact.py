"""What privacy costs a generated shop: beside its generation the same people learned from as they are, on the same
days.

Only of people who were made up, and what was made up of them: those that the generator names, without the few as whom
visitors of the demo may browse, and until the moment it ran. What real people do is never learned from in `exact` for
a comparison: the figure itself would be a release nobody paid for. So a real shop's card says why it has none.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from app.config import Config
from app.demo.mark import DemoShop, read_mark
from app.learning.dataset import Dataset
from app.learning.held_out import Case, hold_out
from app.learning.judge import Judge, Verdict, judgement
from app.learning.memory import Memory
from app.learning.model import LearnedModel
from app.learning.read import DAY, collect
from plugins.calls import PluginFailed
from plugins.manager import Plugins
from store.catalogue import Catalogue
from store.database import open_reader
from store.erasure import find_people
from store.generation import StoredGeneration
from store.keys import open_keys

if TYPE_CHECKING:
    from app.learning.train import Draft

PRIVATE = "not computed: real people's data is never learned from in 'exact' for a comparison, only a generated shop's"


def beside_exact(
    draft: Draft, folder: Path, plugins: Plugins, steps: Sequence[Callable[[Draft], None]]
) -> dict[str, Any]:
    """The card's part: both on the same days of the same made-up people, or why not. `steps`: how `exact` learns."""
    shop = read_mark(folder)
    if shop is None or not shop.complete:
        return {"why": PRIVATE}
    options = draft.config
    plain = msgspec.structs.replace(
        options,
        privacy=msgspec.structs.replace(options.privacy, learned="exact"),
        training=msgspec.structs.replace(options.training, choose_by=0),
        ranking=msgspec.structs.replace(options.ranking, learned=False),
    )
    generated = generated_people(plain, folder, draft.catalogue, shop)
    if not generated.cases:
        return {"why": "not computed: none of the generated people asked about came back on another day"}
    exact = _learning_from(draft, plain, generated)
    for step in steps:
        step(exact)
    exact.arrays |= {name: array for name, array in draft.arrays.items() if name.startswith("content.")}
    try:
        mine, theirs = (
            judged(options, each.catalogue, plugins, each.arrays, each.card, exact.cases).report
            for each in (draft, exact)
        )
    except PluginFailed as failed:
        return {"why": f"not computed: {failed}"}
    return {
        "metric": theirs.metric,
        "people": theirs.people,
        "this": round(mine.new, 4),
        "exact": round(theirs.new, 4),
        "popularity": round(theirs.popularity, 4),
        "why": "of generated people and nobody else; exact as configured, nothing chosen on a slice of the past",
    }


def judged(
    config: Config, catalogue: Catalogue, plugins: Plugins, arrays: dict[str, Any], card: dict[str, Any],
    cases: Sequence[Case],
) -> Verdict:  # fmt: skip
    """How well the days kept out are foretold, figures as they are. Raises PluginFailed."""
    stored = StoredGeneration(str(card.get("id", "draft")), Path(), arrays, {}, card)
    return judgement(Judge(config, catalogue, plugins), cases, LearnedModel(stored, catalogue, config), None)


class Generated(NamedTuple):
    """Whom the generator made up, up to when it ran: what may be learned from, and whom to ask about."""

    learned: Dataset
    cases: list[Case]
    until: float


def generated_people(config: Config, folder: Path, catalogue: Catalogue, shop: DemoShop) -> Generated:
    """Of nobody else in the data folder; `config` learns in `exact`."""
    people = asyncio.run(_numbers(folder, shop, config.node.tenant))
    options, until = config.training, float(shop.now)
    builder = collect(config, folder, catalogue.sensitive, until, since=max(until - options.window_days * DAY, 0.0))
    data = builder.build(people)
    return Generated(*hold_out(data, options.judged_share, options.judged_people, options.seed), until)


def _learning_from(draft: Draft, config: Config, generated: Generated) -> Draft:
    card = {"id": "exact", "learned": "exact", "items": draft.catalogue.size}
    return dataclasses.replace(
        draft, config=config, dataset=generated.learned, now=generated.until, cases=generated.cases, before=None,
        door=None, folder=None, memory=Memory(), arrays={}, files={}, card=card,
    )  # fmt: skip


async def _numbers(folder: Path, shop: DemoShop, tenant: str) -> set[int]:
    """The store's numbers of the generated people, but for those as whom a visitor of the demo may browse."""
    from app.demo.shoppers import CAST, generate_shoppers

    named = generate_shoppers(shop.seed, shop.now)[len(CAST) :]
    person_file = folder / "person.db"
    async with open_keys(folder / "keys.db", now=0, beside=person_file, tenant=tenant) as keys:
        pseudonyms = [found for shopper in named for found in keys.pseudonyms("anon", shopper.anon)]
    with closing(open_reader(person_file)) as reader:
        return {known.surrogate for known in find_people(reader, pseudonyms)}
