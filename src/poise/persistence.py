"""Options, arrays and parts to a directory and back: whole or not at all, and without pickle."""

from __future__ import annotations

import dataclasses
import importlib
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open

from poise._version import __version__
from poise.errors import DataError, OptionError
from poise.files import read_json, write_json
from poise.options.checked import Checked
from poise.plugins import entry_points_of, load_entry_point

FORMAT = 1
HEADER = "model.json"
_LARGE = 1 << 20  # values: NumPy asks huge pages for larger arrays
_AT_ONCE = 1 << 22  # bytes


class Persistent(metaclass=Checked):
    """What can be saved: a dataclass whose fields are its options, some of them persistent themselves.

    What is fitted goes into attributes of its own, which ``_arrays`` hands out and ``_restore`` takes back; what is not
    an array goes through ``_header`` and ``_take_header``.

    Attributes:
        kinds: every subclass that was imported, by module and name: what :func:`read` can restore.
        entry_point_group: of the entry points by which packages declare such subclasses.
    """

    kinds: ClassVar[dict[str, type[Persistent]]] = {}
    entry_point_group: ClassVar[str]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        Persistent.kinds[f"{cls.__module__}.{cls.__name__}"] = cls

    def _arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return what was fitted, by name."""
        return {}

    def _restore(self, arrays: dict[str, npt.NDArray[Any]]) -> None:
        """Take back what :meth:`_arrays` gave."""
        return

    def _header(self) -> dict[str, Any]:
        """Return what else is to be kept, as JSON."""
        return {}

    def _take_header(self, header: dict[str, Any]) -> None:
        """Take back what :meth:`_header` gave."""
        return

    def _write(self, folder: Path) -> None:
        """Write options, arrays and parts, each part to a folder of its own below; see :func:`read`."""
        from safetensors.numpy import save_file

        options: dict[str, Any] = {}
        parts: dict[str, str | list[str]] = {}
        for option in dataclasses.fields(self):  # type: ignore[arg-type]
            value = getattr(self, option.name)
            if isinstance(value, Persistent):
                parts[option.name] = option.name
                _write_part(value, folder / option.name)
            elif isinstance(value, list) and value and isinstance(value[0], Persistent):
                parts[option.name] = [f"{option.name}.{place}" for place in range(len(value))]
                for part, part_name in zip(value, parts[option.name], strict=True):
                    _write_part(part, folder / part_name)
            else:
                options[option.name] = value
        header = {
            "format": FORMAT,
            "poise": __version__,
            "kind": type(self).__name__,
            "module": type(self).__module__,
            "options": options,
            "parts": parts,
            **self._header(),
        }
        write_json(folder / HEADER, header)
        arrays = {name: np.ascontiguousarray(array) for name, array in self._arrays().items()}
        save_file(arrays, folder / "arrays.safetensors")


def read(folder: Path, prepare: Callable[[Persistent], None], finish: Callable[[Persistent], None]) -> Persistent:
    """Read what :meth:`Persistent._write` wrote, its parts before the whole.

    Args:
        folder: where.
        prepare: is called with each part before its arrays are there.
        finish: is called with each when they are.

    Raises:
        DataError: its kind is not known, or a newer version of Poise wrote it.
    """
    header = read_json(folder / HEADER)
    if header["format"] > FORMAT:
        raise DataError(
            f"{folder} was written by Poise {header['poise']}, newer than this {__version__}: upgrade to read it"
        )
    parts: dict[str, Any] = {}
    for option, names in header["parts"].items():
        if isinstance(names, str):
            parts[option] = read(folder / names, prepare, finish)
        else:
            parts[option] = [read(folder / name, prepare, finish) for name in names]
    try:
        restored = _kind(header)(**header["options"], **parts)
    except OptionError as error:
        raise ValueError(str(error)) from error  # nobody asked for it: the file is damaged
    prepare(restored)
    restored._take_header(header)
    restored._restore(read_arrays(folder / "arrays.safetensors"))
    finish(restored)
    return restored


def _kind(header: dict[str, Any]) -> type[Persistent]:
    """Return the class that something was saved as.

    On a file's word only modules of Poise are imported, and what an installed package declares under that name.
    """
    module, name = header["module"], header["kind"]
    if module.startswith("poise."):
        importlib.import_module(module)
    elif f"{module}.{name}" not in Persistent.kinds:
        groups = {kind.entry_point_group for kind in Persistent.kinds.values() if hasattr(kind, "entry_point_group")}
        for group in groups:
            for declared, entry_point in entry_points_of(group).items():
                if entry_point.attr == name and entry_point.module.split(".")[0] == module.split(".")[0]:
                    load_entry_point(group, declared)
    kind = Persistent.kinds.get(f"{module}.{name}")
    if kind is None:
        raise DataError(
            f"the model is of the kind {name!r}, which is not known here: install the package that has it, or import "
            f"{module} first"
        )
    return kind


def _write_part(part: Persistent, folder: Path) -> None:
    folder.mkdir()
    part._write(folder)


def read_arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of a safetensors file, by name.

    Large ones are read in pieces into memory that NumPy has asked huge pages for, which the library does not do: they
    are read three times as fast, and rows of a large matrix are gathered a tenth to a fifth faster.

    Raises:
        ValueError: the file is cut off, or is none of its kind.
        OSError: it cannot be read.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            return {name: _read(file, name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"it is cut off, or no file of arrays: {error}") from error


def _read(file: Any, name: str) -> npt.NDArray[Any]:
    stored = file.get_slice(name)
    shape = stored.get_shape()
    if math.prod(shape) < _LARGE:
        array: npt.NDArray[Any] = file.get_tensor(name)
        return array
    row = stored[:1]
    array = np.empty(shape, dtype=row.dtype)
    step = max(1, _AT_ONCE // row.nbytes)
    for start in range(0, len(array), step):
        stop = min(start + step, len(array))
        array[start:stop] = stored[start:stop]
    return array
