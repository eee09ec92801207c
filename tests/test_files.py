from __future__ import annotations

import errno
import json

import numpy as np
import pytest

from poise.errors import DataError, PoiseError
from poise.files import atomic_directory, atomic_file, read_json, write_json


def _fill(folder):
    (folder / "new").write_text("new")


def _write(how, path, error):
    """Begin to write ``path``, and fail."""
    with how(path) as temporary:
        (temporary / "half" if temporary.is_dir() else temporary).write_text("half")
        raise error


def test_atomic_directory_replaces_the_old_one(tmp_path):
    path = tmp_path / "deep" / "model"
    with atomic_directory(path) as folder:
        _fill(folder)
        assert not path.exists()
    assert [file.name for file in path.iterdir()] == ["new"]
    assert path.stat().st_mode & 0o700 == 0o700
    with atomic_directory(path) as folder:
        (folder / "new").write_text("newer")
        assert (path / "new").read_text() == "new"
    assert (path / "new").read_text() == "newer"
    assert [file.name for file in path.parent.iterdir()] == ["model"]


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, ValueError, SystemExit])
def test_an_interrupted_write_leaves_the_old_file(tmp_path, interruption):
    path = tmp_path / "model"
    with atomic_directory(path) as folder:
        _fill(folder)
    with pytest.raises(interruption):
        _write(atomic_directory, path, interruption)
    with pytest.raises(interruption):
        _write(atomic_file, tmp_path / "table.json", interruption)
    assert [file.name for file in tmp_path.iterdir()] == ["model"]
    assert [file.name for file in path.iterdir()] == ["new"]


FULL = [
    OSError(errno.ENOSPC, "No space left on device"),
    OSError(errno.EDQUOT, "Disk quota exceeded"),
    OSError("100000 requested and 32752 written"),  # NumPy, of a short write
    OSError("No space left on device (os error 28)"),  # polars, without a number
    RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)"),  # as safetensors does
]


@pytest.mark.parametrize("error", FULL, ids=str)
def test_a_full_disk_is_a_one_line_error(tmp_path, error):
    for write in (atomic_directory, atomic_file):
        with pytest.raises(PoiseError, match="the disk is full") as caught:
            _write(write, tmp_path / "model", error)
        assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_other_errors_are_not_taken_for_a_full_disk(tmp_path):
    with pytest.raises(ZeroDivisionError):
        _write(atomic_directory, tmp_path / "model", ZeroDivisionError("of 3 requested"))
    with pytest.raises(PoiseError, match="cannot be written"):
        _write(atomic_file, tmp_path / "model", PermissionError(errno.EACCES, "Permission denied"))


def test_a_directory_never_replaces_a_file(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("mine")
    with pytest.raises(PoiseError, match="is a file"):
        _write(atomic_directory, path, ValueError())
    with pytest.raises(PoiseError, match="cannot be written"):
        _write(atomic_directory, path / "model", ValueError())
    assert path.read_text() == "mine"
    assert [file.name for file in tmp_path.iterdir()] == ["notes.txt"]


def test_a_directory_of_other_files_is_never_replaced(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    with atomic_directory(home) as folder:  # nothing is lost
        _fill(folder)
    (home / "new").rename(home / "thesis.tex")
    with pytest.raises(PoiseError, match="holds other files") as caught, atomic_directory(home) as folder:
        _fill(folder)
    assert "\n" not in str(caught.value)
    assert [file.name for file in home.iterdir()] == ["thesis.tex"]
    assert [file.name for file in tmp_path.iterdir()] == ["home"]


def test_json_is_written_and_read(tmp_path):
    path = tmp_path / "a" / "b.json"
    write_json(path, {"ü": [1, None]})
    assert read_json(path) == {"ü": [1, None]}
    assert "ü" in path.read_text(encoding="utf-8")
    with pytest.raises(TypeError):
        write_json(path, {"array": np.zeros(1)})
    assert json.loads(path.read_text(encoding="utf-8")) == {"ü": [1, None]}
    assert [file.name for file in path.parent.iterdir()] == ["b.json"]


def test_unreadable_json_is_an_error(tmp_path):
    for name, content in (("cut.json", b'{"a": '), ("empty.json", b""), ("binary.json", b"\xff\xfe\x00")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match="not valid JSON") as caught:
            read_json(tmp_path / name)
        assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match="does not exist"):
        read_json(tmp_path / "none.json")
    with pytest.raises(DataError, match="cannot be read"):
        read_json(tmp_path)
    with pytest.raises(DataError, match="cannot be read"):
        read_json(tmp_path / "cut.json" / "model.json")
