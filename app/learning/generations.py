"""Which generation serves: takes over what is published, keeps the last good one when a new one cannot be read."""

from __future__ import annotations

import logging
from pathlib import Path

from app.config import Config
from app.learning.model import LearnedModel
from store.beside import Rest, Stopped, at_once
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

    def take_over(self, rest: Rest = at_once) -> bool:
        """Serve the published generation if it is another one; cheap when nothing changed. True after a swap.

        `rest`: called after every little piece of work.
        """
        try:
            published = current(self.folder)
            if published is None or published == self._tried:
                if published == self.serving.id:
                    self.problem = ""
                return False
            self._tried = published
            self._swap(published, rest)
        except Stopped:
            self._tried = ""
            return False
        except GenerationUnreadable as damaged:
            if self.problem == str(damaged):  # said before, and nothing has changed
                return False
            self.problem = str(damaged)
            logger.error("%s; generation %s keeps serving", damaged, self.serving.id or "(none)")
            return self._fall_back()
        self.problem = ""
        return True

    def _swap(self, name: str, rest: Rest = at_once) -> None:
        stored = load_generation(self.folder, name, rest)
        model = LearnedModel.load(stored, self._catalogue, self._config, rest)
        left, self.serving = self.serving.memory(), model
        while left:  # all of it at once would hold requests up
            left.pop()
            rest()

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
