from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from poise.data import split
from poise.data.ingest.indexing import index
from poise.data.storage import open_dataset, save_dataset
from poise.errors import DataError, PoiseError

ARRAYS = ("user", "item", "behaviour", "value", "timestamp", "offsets")


def _same(left, other):
    for column in ARRAYS:
        a, b = getattr(left.events, column), getattr(other.events, column)
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)  # NaN equals NaN
    for name in ("item_ids", "user_ids", "behaviour_ids"):
        assert getattr(left, name) == getattr(other, name)
        assert getattr(left, name).series.to_list() == getattr(other, name).series.to_list()
    for name in ("items", "users"):
        assert getattr(left, name).equals(getattr(other, name))
        assert getattr(left, name).schema == getattr(other, name).schema
    assert left.events.context.equals(other.events.context)
    for name in ("item_kinds", "user_kinds", "title_column", "name", "fingerprint"):
        assert getattr(left, name) == getattr(other, name)
    assert left.events.has_time == other.events.has_time
    assert list(left.vectors) == list(other.vectors)
    for name, vectors in left.vectors.items():
        np.testing.assert_array_equal(vectors, other.vectors[name])


def test_a_saved_data_set_is_opened_as_it_was(films, tmp_path):
    data = films.with_vectors("hub/model, v1.5", np.eye(films.item_ids.size, 3, k=-1, dtype=np.float16))
    save_dataset(data, tmp_path / "films")
    opened = open_dataset(tmp_path / "films")
    _same(data, opened)
    again = open_dataset(str(tmp_path / "films"))
    again.__dict__.pop("fingerprint")
    assert again.fingerprint == data.fingerprint  # of what was read, not only of what was noted
    assert opened.titles == data.titles
    _same(split.leave_last_out(data).train, split.leave_last_out(opened).train)
    save_dataset(opened, tmp_path / "films")  # over the files that it is mapped from
    _same(data, open_dataset(tmp_path / "films"))


def test_the_smallest_data_set_is_saved_and_opened(tmp_path):
    data = index(pl.DataFrame({"user_id": ["a"], "item_id": ["ü"]}), name="one")
    save_dataset(data, tmp_path / "one")
    opened = open_dataset(tmp_path / "one")
    _same(data, opened)
    assert not opened.events.has_time
    assert len(opened.queries()) == 1


def test_tables_without_rows_for_some_ids(tmp_path):
    data = index(
        pl.DataFrame({"user_id": ["a", "b"], "item_id": ["x", "y"], "when": [["am"], []]}),
        pl.DataFrame({"item_id": ["y"], "tags": [["new", None]], "price": [1.5], "seen": [True]}),
        pl.DataFrame({"user_id": ["c"], "born": [1990]}),
        item_kinds={"tags": "categories", "price": "number"},
    )
    save_dataset(data, tmp_path / "data")
    _same(data, open_dataset(tmp_path / "data"))


def test_saved_arrays_cannot_be_changed(films, tmp_path):
    save_dataset(films, tmp_path / "films")
    opened = open_dataset(tmp_path / "films")
    with pytest.raises(ValueError, match="read-only"):
        opened.events.item[0] = 2
    with pytest.raises(ValueError, match="read-only"):
        opened.vectors["text"][1] = 2


def _damage(folder, name, how):
    path = folder / name
    content = path.read_bytes()
    if how == "gone":
        path.unlink()
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif how == "other":
        path.write_bytes(b"this is a letter to my grandmother\n" * 40)


FILES = ["dataset.json", *(f"{name}.npy" for name in ARRAYS), "vectors.0.npy"]
FILES += [f"{name}.arrow" for name in ("context", "items", "users", "item_ids", "user_ids", "behaviour_ids")]


@pytest.mark.parametrize("how", ["gone", "empty", "cut", "other"])
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_data_set_is_a_one_line_error(films, tmp_path, name, how):
    folder = tmp_path / "films"
    save_dataset(films, folder)
    _damage(folder, name, how)
    with pytest.raises(DataError) as caught:
        open_dataset(folder)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("key", ["n_events", "has_time", "fingerprint", "vocabularies", "vectors", "format", None])
def test_a_header_with_missing_keys(films, tmp_path, key):
    save_dataset(films, tmp_path / "films")
    path = tmp_path / "films" / "dataset.json"
    header = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps([] if key is None else {name: header[name] for name in header if name != key}))
    with pytest.raises(DataError, match="damaged") as caught:
        open_dataset(tmp_path / "films")
    assert "\n" not in str(caught.value)


def test_event_arrays_that_are_cut_off(films, tmp_path):
    save_dataset(films, tmp_path / "films")
    np.save(tmp_path / "films" / "value.npy", films.events.value[:-1])
    with pytest.raises(DataError, match="events are missing"):
        open_dataset(tmp_path / "films")


def test_a_data_set_of_a_newer_format_is_refused(films, tmp_path):
    save_dataset(films, tmp_path / "films")
    path = tmp_path / "films" / "dataset.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"format": 1', '"format": 2'))
    with pytest.raises(DataError, match="newer"):
        open_dataset(tmp_path / "films")


def test_opening_a_folder_that_does_not_exist(tmp_path):
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "none", tmp_path, tmp_path / "file"):
        with pytest.raises(DataError) as caught:
            open_dataset(path)
        assert "\n" not in str(caught.value)


def test_a_full_disk_leaves_no_data_set(films, tmp_path, monkeypatch):
    def full(*args, **options):
        raise OSError("1000 requested and 12 written")

    monkeypatch.setattr(pl.DataFrame, "write_ipc", full)
    with pytest.raises(PoiseError, match="the disk is full"):
        save_dataset(films, tmp_path / "films")
    assert not list(tmp_path.iterdir())
