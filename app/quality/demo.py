"""The generated shop, learned privately and as it is: how well either foretells the last days of generated people.

What ships: 4,000 shoppers, half a window's budget for the first training, every plugin and weight as in `personalize
demo`. The same days of the same people for both, none of them learned from (app/demo/beside_exact.py).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec

from app.config import load_config
from app.demo.beside_exact import generated_people, judged
from app.demo.mark import read_mark
from app.demo.shoppers import SHOPPERS
from app.quality import scratch
from app.quality.measure import Measure
from plugins.judgement import Judgement
from plugins.manager import load_plugins
from store.generation import current, load_generation
from store.sensitive import Sensitive
from store.shop import read_catalogue

_PRIVATE, _EXACT = 'learned = "dp"', 'learned = "exact"'


def measure(folder: Path, said: Callable[[str], None], shoppers: int = SHOPPERS) -> list[Measure]:
    """NDCG of the front page's list, in `exact` and in `dp`, beside what most people really bought. Raises
    QualityFailed."""
    folder.mkdir(parents=True)
    shutil.copyfile(Path(__file__).parent.parent / "demo" / "demo.toml", folder / "personalize.toml")
    scratch.personalize(folder, "demo-data", str(shoppers))
    said(f"the generated shop, {shoppers:,} shoppers: made")
    found: list[Measure] = []
    best_sellers = 0.0
    for name, learned in (("exact", _EXACT), ("dp", _PRIVATE)):
        trained = folder.with_name(f"{folder.name}-{name}")
        shutil.copytree(folder, trained)
        settings = (trained / "personalize.toml").read_text()
        assert settings.count(_PRIVATE) == 1
        (trained / "personalize.toml").write_text(settings.replace(_PRIVATE, learned))
        scratch.personalize(trained, "train", "--quiet")
        report = _report(trained)
        said(f"the generated shop in {name}: trained and asked for {report.people} people")
        best_sellers = best_sellers or report.popularity
        found.append(
            Measure(
                "generated shop",
                f"{report.metric}, {name} ({report.people} people)",
                report.new,
                1.0,
                static=best_sellers,
            )
        )
        shutil.rmtree(trained)
    return found


def _report(folder: Path) -> Judgement:
    """What serves in a folder, by the days kept out of its training; figures as they are: nobody in them is real."""
    config = load_config(folder / "personalize.toml")
    data = folder / config.node.data
    catalogue = read_catalogue(data / "shop.db", Sensitive(config.privacy.sensitive))
    plain = msgspec.structs.replace(config, privacy=msgspec.structs.replace(config.privacy, learned="exact"))
    shop = read_mark(data)
    name = current(data / "generations")
    assert shop is not None
    assert name is not None
    cases = generated_people(plain, data, catalogue, shop).cases
    stored = load_generation(data / "generations", name)
    plugins = load_plugins(config.plugin_tables, None)
    return judged(config, catalogue, plugins, dict(stored.arrays), stored.card, cases).report
