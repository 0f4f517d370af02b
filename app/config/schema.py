"""Every section of personalize.toml in one record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from app.admin.options import AdminOptions
from app.catalogue.options import CatalogueOptions
from app.config.sections import (
    NodeOptions,
    PrivacyOptions,
    RetentionOptions,
    ServerOptions,
    ShopOptions,
    TrainingOptions,
)
from app.config.standard import with_standard
from app.dialects.segment import SegmentOptions
from app.experiences.options import ExperienceOptions
from app.experiments.options import ExperimentOptions
from app.features.options import FeatureOptions
from app.feeds.options import FeedOptions
from app.ingest.options import IngestLimits
from app.ingest.wire import EVENT_NAMES
from app.privacy.erasure_options import ErasureOptions
from app.privacy.policy import ConsentPolicy
from app.privacy.pseudonyms import PseudonymOptions
from app.rules.options import RulesOptions
from app.search.options import SearchOptions
from app.serving.options import PlacementOptions, RankingOptions, RetrievalOptions, ServingOptions
from app.suggestion import suggest


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """What `personalize.toml` says; every setting has a default, so an empty file is a valid one."""

    node: NodeOptions = NodeOptions()
    server: ServerOptions = ServerOptions()
    shop: ShopOptions = ShopOptions()
    privacy: PrivacyOptions = PrivacyOptions()
    consent: ConsentPolicy = ConsentPolicy()
    pseudonyms: PseudonymOptions = PseudonymOptions()
    retention: RetentionOptions = RetentionOptions()
    erasure: ErasureOptions = ErasureOptions()
    features: FeatureOptions = FeatureOptions()
    ingest: IngestLimits = IngestLimits()
    training: TrainingOptions = TrainingOptions()
    retrieval: RetrievalOptions = RetrievalOptions()
    serving: ServingOptions = ServingOptions()
    ranking: RankingOptions = RankingOptions()
    search: SearchOptions = SearchOptions()
    experiments: ExperimentOptions = ExperimentOptions()
    rules: RulesOptions = RulesOptions()
    catalogue: CatalogueOptions = CatalogueOptions()
    admin: AdminOptions = AdminOptions()
    feeds: dict[str, FeedOptions] = {}
    segment: SegmentOptions = SegmentOptions()
    placements: dict[str, PlacementOptions] = {}
    experiences: dict[str, ExperienceOptions] = {}
    """Pages of the shop and what they show whom."""
    plugins: dict[str, Any] = {}
    """`folder`, `standard`, and a table per plugin; the plugins themselves type their options."""

    @property
    def plugin_tables(self) -> dict[str, Any]:
        """[plugins.NAME] tables in call order, with those that ship."""
        return with_standard(self.plugins)

    def contradictions(self) -> list[str]:
        """Problems that only show across settings."""
        found = [f"consent.{setting}: {sentence}" for setting, sentence in self.consent.problems()]
        found += [f"shop.{setting}: {sentence}" for setting, sentence in self.shop.problems()]
        found += [f"server.{setting}: {sentence}" for setting, sentence in self.server.problems()]
        found += [f"privacy.{setting}: {sentence}" for setting, sentence in self.privacy.problems()]
        found += [f"feeds.{name}.{said}" for name, feed in self.feeds.items() for said in feed.problems()]
        found += [
            f"training.weights.{name}: no such event{suggest(name, EVENT_NAMES)}"
            for name in self.training.weights
            if name not in EVENT_NAMES
        ]
        if self.retention.raw_events_days > self.pseudonyms.epoch_days:
            found.append(
                "retention.raw_events_days: raw events may not outlive a pseudonym key"
                f" (it is {self.retention.raw_events_days:g}, pseudonyms.epoch_days is {self.pseudonyms.epoch_days:g})"
            )
        folder = self.plugins.get("folder", "plugins.d")
        if not isinstance(folder, str):
            found.append(f"plugins.folder: expected a folder's name, got {folder!r}")
        standard = self.plugins.get("standard", True)
        if not isinstance(standard, bool):
            found.append(f"plugins.standard: expected true or false, got {standard!r}")
        return found

    def folder_of_plugins(self, base: Path) -> Path:
        """The drop-in folder, relative to the configuration file's folder."""
        return base / str(self.plugins.get("folder", "plugins.d"))
