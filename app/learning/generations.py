"""Which generation serves: takes over what is published, keeps the last good one when a new one cannot be read."""

from __future__ import annotations

import logging
from pathlib import Path

from app.config import Config
from app.learning.model import LearnedModel
from store.catalogue import Catalogue
from store.faults import GenerationUnreadable
from store.generation import current, generations, load_generation

logger = logging.getLogger("personalize")


class Generations:
    """The serving model, swapped by replacing one reference: a request keeps the one it began with."""

    def __init__(self, folder: Path, catalogue: Catalogue, config: Config) -> None:
        self.folder = folder
        self.serving = LearnedModel.empty(catalogue, config)
        self.problem = ""
        """Why the published generation is not the serving one; empty when it is."""
        self._catalogue = catalogue
        self._config = config
        self._tried = ""

    def take_over(self) -> bool:
        """Serve the published generation if it is another one; cheap when nothing changed. True after a swap."""
        try:
            published = current(self.folder)
            if published is None or published == self._tried:
                if published == self.serving.id:
                    self.problem = ""
                return False
            self._tried = published
            self._swap(published)
        except GenerationUnreadable as damaged:
            if self.problem == str(damaged):  # said before, and nothing has changed
                return False
            self.problem = str(damaged)
            logger.error("%s; generation %s keeps serving", damaged, self.serving.id or "(none)")
            return self._fall_back()
        self.problem = ""
        return True

    def _swap(self, name: str) -> None:
        self.serving = LearnedModel.load(load_generation(self.folder, name), self._catalogue, self._config)

    def _fall_back(self) -> bool:
        """At start there is no last good one in memory: the newest readable one on disk is."""
        if self.serving.id:
            return False
        for name in reversed(generations(self.folder)):
            if name == self._tried:
                continue
            try:
                self._swap(name)
            except GenerationUnreadable as damaged:
                logger.error("%s", damaged)
            else:
                logger.warning("generation %s serves instead", name)
                return True
        return False
