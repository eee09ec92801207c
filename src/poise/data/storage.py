"""A saved data set: NumPy arrays and Arrow files in a directory, mapped into memory when opened."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from poise.data.dataset import Dataset
from poise.data.event_log import EventLog
from poise.data.impressions import ImpressionLog
from poise.data.ingest.feedback import Feedback
from poise.data.vocabulary import Vocabulary
from poise.errors import DataError, PoiseError, one_line
from poise.files import atomic_directory, read_json

FORMAT = 1
_COLUMNS = ("user", "item", "behaviour", "value", "timestamp", "offsets")
_TABLES = ("items", "users")
_IMPRESSION_TABLES = ("requests", "context")
_VOCABULARIES = ("item_ids", "user_ids", "behaviour_ids")


def save_dataset(data: Dataset, path: Path | str) -> None:
    """Write ``data`` to the directory ``path``, whole or not at all; :func:`open_dataset` maps it into memory."""
    with atomic_directory(Path(path)) as folder:
        _write_log(data.events, folder)
        if data.rejections is not None:
            _write_log(data.rejections, folder, "rejections.")
        for table in _TABLES:
            _write_table(getattr(data, table), folder / f"{table}.arrow")
        for name in _VOCABULARIES:
            _write_table(getattr(data, name).series.to_frame(), folder / f"{name}.arrow")
        for number, vectors in enumerate(data.vectors.values()):  # by number: the name of an encoder may hold a slash
            np.save(folder / f"vectors.{number}.npy", vectors)
        if (impressions := data.impressions) is not None:
            for name, array in impressions.arrays():
                np.save(folder / f"impressions.{name}.npy", array)
            for name in _IMPRESSION_TABLES:
                _write_table(getattr(impressions, name), folder / f"impressions.{name}.arrow")
        header = {
            "format": FORMAT,
            "name": data.name,
            "fingerprint": data.fingerprint,
            "n_events": data.n_events,
            "has_time": data.events.has_time,
            "rejections": None if data.rejections is None else len(data.rejections),
            "value_kind": data.value_kind,
            "feedback": None if data.feedback is None else asdict(data.feedback),
            "item_kinds": dict(data.item_kinds),
            "user_kinds": dict(data.user_kinds),
            "title_column": data.title_column,
            "vectors": list(data.vectors),
            "impressions": None if impressions is None else _impression_header(impressions),
            "vocabularies": {name: getattr(data, name).fingerprint for name in _VOCABULARIES},
        }
        (folder / "dataset.json").write_text(json.dumps(header, indent=2, ensure_ascii=False), encoding="utf-8")


def open_dataset(path: Path | str) -> Dataset:
    """Map the data set that was saved at ``path`` into memory: the time does not depend on its size.

    Raises:
        DataError: nothing was saved there, it is damaged, or a newer version wrote it.
    """
    path = Path(path)
    header: dict[str, Any] = read_json(path / "dataset.json")
    try:
        if header["format"] > FORMAT:
            raise DataError(
                f"{path} was written by a newer Poise (format {header['format']}): upgrade Poise to read it"
            )
        return _open(path, header)
    except PoiseError:
        raise
    except Exception as error:  # there is no end to what a damaged file can bring about
        raise DataError(
            f"the data set in {path} is damaged ({one_line(error)}); delete the folder and make it anew"
        ) from error


def _open(path: Path, header: dict[str, Any]) -> Dataset:
    tables = {name: _read_table(path / f"{name}.arrow") for name in (*_TABLES, *_VOCABULARIES)}
    vectors = {
        name: np.load(path / f"vectors.{number}.npy", mmap_mode="r") for number, name in enumerate(header["vectors"])
    }
    events = _open_log(path, header["n_events"], has_time=header["has_time"])
    rejections = None
    if (n_rejections := header.get("rejections")) is not None:
        rejections = _open_log(path, n_rejections, "rejections.", has_time=header["has_time"])
    vocabularies: dict[str, Vocabulary] = {}
    for name in _VOCABULARIES:
        vocabularies[name] = Vocabulary._trusted(tables[name]["id"])
        vocabularies[name].__dict__["fingerprint"] = header["vocabularies"][name]
    impressions = None if header["impressions"] is None else _open_impressions(path, header["impressions"])
    data = Dataset(
        events=events,
        item_ids=vocabularies["item_ids"],
        user_ids=vocabularies["user_ids"],
        behaviour_ids=vocabularies["behaviour_ids"],
        items=tables["items"],
        users=tables["users"],
        item_kinds=header["item_kinds"],
        user_kinds=header["user_kinds"],
        vectors=vectors,
        title_column=header["title_column"],
        name=header["name"],
        impressions=impressions,
        rejections=rejections,
        value_kind=header.get("value_kind"),
        feedback=None if header.get("feedback") is None else Feedback(**header["feedback"]),
    )
    data.__dict__["fingerprint"] = header["fingerprint"]
    return data


def _write_log(log: EventLog, folder: Path, prefix: str = "") -> None:
    for column in _COLUMNS:
        np.save(folder / f"{prefix}{column}.npy", getattr(log, column))
    _write_table(log.context, folder / f"{prefix}context.arrow")


def _open_log(path: Path, n_events: int, prefix: str = "", *, has_time: bool) -> EventLog:
    arrays = {column: np.load(path / f"{prefix}{column}.npy", mmap_mode="r") for column in _COLUMNS}
    if any(len(arrays[column]) != n_events for column in _COLUMNS if column != "offsets"):
        raise DataError(f"the data set in {path} is damaged: events are missing; delete the folder and make it anew")
    return EventLog(**arrays, context=_read_table(path / f"{prefix}context.arrow"), has_time=has_time)


def _impression_header(impressions: ImpressionLog) -> dict[str, Any]:
    return {
        "sources": impressions.sources.series.to_list(),
        "lengths": {name: len(array) for name, array in impressions.arrays()},
    }


def _open_impressions(path: Path, header: dict[str, Any]) -> ImpressionLog:
    arrays = {name: np.load(path / f"impressions.{name}.npy", mmap_mode="r") for name in header["lengths"]}
    if any(len(array) != header["lengths"][name] for name, array in arrays.items()):
        raise DataError(
            f"the data set in {path} is damaged: impressions are missing; delete the folder and make it anew"
        )
    requests, context = (_read_table(path / f"impressions.{name}.arrow") for name in _IMPRESSION_TABLES)
    return ImpressionLog(**arrays, requests=requests, context=context, sources=Vocabulary(header["sources"]))


def _write_table(table: pl.DataFrame, path: Path) -> None:
    table.write_ipc(path, compression="uncompressed")


def _read_table(path: Path) -> pl.DataFrame:
    return pl.read_ipc(path)
