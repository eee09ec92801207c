"""The text of a first ``poise.toml``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from poise.config import PipelineTable
from poise.config.tables import EvaluationTable
from poise.data.dataset import Dataset
from poise.data.schema.column_names import Table
from poise.project.scaffold.proposals import as_list, encoder_lines, feedback_lines, hide_seen_lines, value_lines
from poise.project.scaffold.sources import Source

_ENOUGH_USERS = 50  # to test on, below which a split by time tells more
_TITLES: Mapping[Table, str] = {"events": "columns", "items": "item_columns", "users": "user_columns"}


def scaffold(
    folder: Path,
    sources: Mapping[Table, Source],
    dataset: str | None,
    data: Dataset | None,
    time_format: str | None = None,
) -> str:
    """Return a ``poise.toml`` with these sources, and other keys as comments.

    Args:
        folder: of the project, which it is named after.
        sources: the files.
        dataset: the name of a known data set, in place of files.
        data: of the files; None before they were read.
        time_format: the notation of times that the user gives.
    """
    lines = [
        "# What Poise recommends from, and how. 'poise check' looks at the data, 'poise fit' makes a run.",
        f"name = {_quoted(folder.resolve().name)}",
        "",
        "[data]",
    ]
    if dataset is not None:
        lines += [f"dataset = {_quoted(dataset)}"]
    lines += [f"{table} = {_quoted(source.path)}" for table, source in sources.items()]
    if time_format is not None:
        lines.append(f"time_format = {_quoted(time_format)}")
    lines += _described(sources)
    lines += value_lines(data)
    for table, source in sources.items():
        lines += ["", f"[data.{_TITLES[table]}]  # what Poise calls it = what your file calls it"]
        lines += [f"{canonical} = {_quoted(name)}" for canonical, name in source.columns.items()]
    log = sources.get("events")
    if log is not None and log.title_of_items is not None:
        lines += ["", "[data.item_columns]", f"title = {_quoted(log.title_of_items)}"]
    if without_header := {table: source.names for table, source in sources.items() if source.names is not None}:
        lines += ["", "[data.names]  # what the columns of files without a header are called"]
        lines += [f"{table} = {as_list(names)}" for table, names in without_header.items()]
    lines += feedback_lines(data)
    if dataset is None:
        lines += [
            "",
            "[data.cleaning]  # refused events are kept in quarantine.parquet with the reason",
            "# k_core = 5           # leave out users and items with fewer events",
            '# unknown_items = "drop"  # events of items that the catalogue does not list',
        ]
    lines += [
        "",
        "[encoder]  # reads the catalogue, so that new items are understood",
        *encoder_lines(data),
        "",
        "[pipeline]",
        f"# models = {json.dumps(PipelineTable().models)}  # several are blended, validation weighs them",
        "",
        "[policy]",
        *hide_seen_lines(data, _protocols(data)),
        "",
        "[evaluation]",
        f"protocols = {json.dumps(_protocols(data))}",
        f"k = {json.dumps(_cutoffs(data))}",
        "",
        "[fit]",
        "refit = true  # learn from all events, once it is known how good the pipeline is",
        "",
    ]
    return "\n".join(lines)


def _described(sources: Mapping[Table, Source]) -> list[str]:
    log = sources.get("events")
    if log is None:
        return []
    return [
        f"{key} = {as_list(columns)}  # columns of the events that describe the {whom}"
        for key, columns, whom in (
            ("item_columns_in_events", log.of_items, "item"),
            ("user_columns_in_events", log.of_users, "user"),
        )
        if columns
    ]


def _cutoffs(data: Dataset | None) -> list[int]:
    usual = EvaluationTable().k
    return usual if data is None else ([k for k in usual if k <= data.n_items] or [data.n_items])


def _protocols(data: Dataset | None) -> list[str]:
    if data is None:
        return ["leave-last-out"]
    if not data.events.is_ordered:
        return ["leave-random-out"]
    enough = int((np.diff(data.events.offsets) >= 3).sum()) >= _ENOUGH_USERS
    return ["leave-last-out", "global-time"] if enough else ["global-time", "leave-last-out"]


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # a TOML string is written like a JSON one
