"""Files that are whole or absent: written under a temporary name, then renamed."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from poise.errors import DataError, PoiseError

_NOT_WRITABLE = (errno.EACCES, errno.EROFS, errno.EPERM, errno.ENOTDIR, errno.EEXIST)


def cache_folder() -> Path:
    """Return where what can be made or fetched anew is kept: ``$POISE_CACHE``, or the user's own cache folder."""
    from platformdirs import user_cache_path

    folder = os.environ.get("POISE_CACHE")
    return Path(folder).expanduser() if folder else user_cache_path("poise", appauthor=False)


@contextmanager
def atomic_directory(path: Path | str) -> Iterator[Path]:
    """Give a temporary directory that becomes ``path`` when the block ends well, and vanishes when it does not.

    A directory that stands at ``path`` is replaced only at the end, and only by one of its kind.

    Raises:
        PoiseError: the disk is full or may not be written to, or a file or somebody's other files stand at ``path``.
    """
    path = Path(path)
    if path.exists() and not path.is_dir():
        raise PoiseError(f"{path} is a file, and a folder is to be written there; choose another name")
    with _explain_disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent))
        try:
            yield temporary
            os.chmod(temporary, 0o777 & ~_umask())  # mkdtemp makes it private
            if path.exists():
                _require_same_kind(path, temporary)
                old = temporary.with_suffix(".old")
                path.rename(old)
                temporary.rename(path)
                shutil.rmtree(old)
            else:
                temporary.rename(path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def atomic_file(path: Path | str) -> Iterator[Path]:
    """Give a temporary file name that becomes ``path`` when the block ends well, and vanishes when it does not.

    Raises:
        PoiseError: the disk is full or may not be written to, or ``path`` is a folder or a device.
    """
    path = Path(path)
    if path.exists() and not path.is_file():  # to rename over a device would remove it
        raise PoiseError(f"{path} is no ordinary file, and one is to be written there; choose another name")
    with _explain_disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            yield temporary
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def write_json(path: Path | str, value: Any) -> None:
    """Write ``value`` as indented JSON, whole or not at all."""
    with atomic_file(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path: Path | str) -> Any:
    """Read a JSON file.

    Raises:
        DataError: there is no such file, or it is not JSON.
    """
    path = Path(path)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{path} does not exist") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror})") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataError(f"{path} is not valid JSON ({error}); it was damaged or is another kind of file") from None


@contextmanager
def _explain_disk_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if _is_full_disk(error):
            raise PoiseError(
                f"the disk is full while writing {path}; nothing was written: free some space and run again"
            ) from error
        if isinstance(error, OSError) and error.errno in _NOT_WRITABLE:
            raise PoiseError(f"{path} cannot be written ({error.strerror}); choose another folder") from error
        raise


def _is_full_disk(error: Exception) -> bool:
    """Tell by the number or by the words: polars, safetensors and a short write of NumPy's give no number."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return True
    return any(words in str(error) for words in ("No space left on device", "Disk quota exceeded", " requested and "))


def _require_same_kind(old: Path, new: Path) -> None:
    """Refuse to replace a directory that has no file in common with the new one: it would be somebody's other work."""
    there = {file.name for file in old.iterdir()}
    if there and there.isdisjoint(file.name for file in new.iterdir()):
        raise PoiseError(f"{old} holds other files, which would be lost; choose another folder, or empty it")


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
