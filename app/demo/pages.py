"""The demo shop's front page, where neither [experiences.home] nor the console says anything else."""

from __future__ import annotations

from app.experiences.options import ExperienceOptions

HOME = ExperienceOptions(
    sections=["hero", "home", "aisles", "trending", "recently-viewed", "buy-again", "fresh"], fixed=2
)
