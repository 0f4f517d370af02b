"""Small dense data: ratings of films with times, titles and genres (ml_latest_small).

Ratings of 3.5 stars and more are interactions. Each person's last fifth by time is guessed from what came before.
Cold start: a fifth of the films lose all their ratings, and are ranked for everyone by how close their title and genres
lie to what the person liked of the others, as `content_similar` does, beside chance and beside the popularity those
films came to have, which no shop could know.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from app.config.sections import TrainingOptions
from app.learning import content
from app.learning.lists import K, Scores, recall_and_ndcg
from app.quality import interactions
from app.quality.files import Interactions, read_interactions
from app.quality.measure import Measure
from store.records import Floats, Item

LIKED = 3.5
SHARE = 0.2
LEAST_FANS = 5


@dataclass(frozen=True)
class Ratings:
    """Liked films per person, in the order of time."""

    people: dict[str, list[str]]
    films: dict[str, Item]


def read_ratings(folder: Path) -> Ratings:
    with (folder / "movies.csv").open(newline="", encoding="utf-8") as lines:
        films = {
            row["movieId"]: Item(id=row["movieId"], title=row["title"], attributes={"genres": row["genres"]})
            for row in csv.DictReader(lines)
        }
    with (folder / "ratings.csv").open(newline="", encoding="utf-8") as lines:
        rows = [
            (int(row["timestamp"]), row["userId"], row["movieId"])
            for row in csv.DictReader(lines)
            if float(row["rating"]) >= LIKED and row["movieId"] in films
        ]
    people: dict[str, list[str]] = {}
    for _, person, film in sorted(rows):
        people.setdefault(person, []).append(film)
    return Ratings(people, films)


def measure(folder: Path, scratch: Path, options: TrainingOptions, said: Callable[[str], None]) -> list[Measure]:
    """Next films, and films nobody has rated yet."""
    ratings = read_ratings(folder)
    scratch.mkdir(parents=True, exist_ok=True)
    data = split(ratings, scratch)
    learned = interactions.learn(data.train, data.order, options, said)
    found = interactions.measure(data, learned, "ml_latest_small", interactions.Floors())
    return found + cold_start(ratings, options)


def split(ratings: Ratings, scratch: Path) -> Interactions:
    """Each person's last fifth against what came before, through the format of everybody's files."""
    lines: dict[str, list[str]] = {"train": [], "test": []}
    for person, liked in ratings.people.items():
        cut = len(liked) - int(len(liked) * SHARE)
        lines["train"].append(" ".join((person, *liked[:cut])))
        lines["test"].append(" ".join((person, *liked[cut:])))
    for name, text in lines.items():
        (scratch / name).write_text("\n".join(text))
    return read_interactions(scratch / "train", scratch / "test")


def cold_start(ratings: Ratings, options: TrainingOptions) -> list[Measure]:
    """Recall@20 among films that nothing is known of but what they are."""
    random = np.random.default_rng(options.seed)
    names = sorted(ratings.films)
    number = {name: place for place, name in enumerate(names)}
    liked = _liked(ratings, number)
    fans = np.bincount(liked.indices, minlength=len(names))
    known = np.flatnonzero(fans >= LEAST_FANS)
    cold = np.sort(random.permutation(known)[: int(SHARE * len(known))])
    items = [_with_genres(ratings.films[name]) for name in names]
    vectors = np.asarray(
        content.fit(items, dimensions=options.content_dimensions, seed=options.seed)["vectors"], np.float32
    )
    warm = csr_matrix(liked @ _diagonal(~np.isin(np.arange(len(names)), cold)))
    people = np.flatnonzero((np.diff(liked[:, cold].indptr) > 0) & (np.asarray(warm.sum(axis=1)).ravel() > 0))
    wanted, tastes = csr_matrix(liked[people][:, cold]), warm[people] @ vectors
    wanted.sort_indices()
    nothing = csr_matrix(wanted * np.float32(0))
    nothing.eliminate_zeros()
    orders: dict[str, Scores] = {
        "random": lambda start, stop: random.random((stop - start, len(cold))).astype(np.float32),
        "popularity to come": lambda start, stop: np.tile(fans[cold].astype(np.float32), (stop - start, 1)),
        "content": lambda start, stop: np.asarray(tastes[start:stop] @ vectors[cold].T, dtype=np.float32),
    }
    found = {name: float(recall_and_ndcg(scores, nothing, wanted)[0].mean()) for name, scores in orders.items()}
    return [
        Measure(f"films nobody rated, {name}", f"Recall@{K}", value, 1.0 if name == "content" else 0.0,
                static=found["random"])
        for name, value in found.items()
    ]  # fmt: skip


def _with_genres(film: Item) -> Item:
    """Genres as words of the title: films have several, and a category path has one way down."""
    genres = str(film.attributes.get("genres", "")).replace("|", " ")
    return Item(id=film.id, title=f"{film.title} {genres}")


def _liked(ratings: Ratings, number: dict[str, int]) -> csr_matrix:
    rows = np.repeat(np.arange(len(ratings.people)), [len(liked) for liked in ratings.people.values()])
    columns = np.array([number[film] for liked in ratings.people.values() for film in liked])
    ones = np.ones(len(rows), np.float32)
    table = csr_matrix((ones, (rows, columns)), shape=(len(ratings.people), len(number)), dtype=np.float32)
    table.data[:] = 1
    return table


def _diagonal(kept: NDArray[np.bool_]) -> csr_matrix:
    size = len(kept)
    ones: Floats = kept.astype(np.float32)
    return csr_matrix((ones, np.arange(size), np.arange(size + 1)), shape=(size, size))
