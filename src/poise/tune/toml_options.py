"""The options that a search found, as lines of ``poise.toml``."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from poise.config import FILE, check_config
from poise.errors import PoiseError, UsageError, one_line
from poise.files import atomic_file


def toml_lines(model: str, options: Mapping[str, Any]) -> str:
    """Return the table of ``poise.toml`` that gives a model these options."""
    lines = [f"{name} = {json.dumps(value)}" for name, value in options.items() if value is not None]
    return "\n".join([f"[models.{model}]", *lines])  # what JSON writes for such values is TOML, too


def write_options(folder: Path, model: str, options: Mapping[str, Any]) -> Path:
    """Put options of a model into the ``poise.toml`` of a project folder; comments and order stay as they are.

    Raises:
        PoiseError: the file cannot be changed automatically, or may not be written; it is unchanged.
    """
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    path = folder / FILE
    before = path.read_bytes().decode()
    try:
        if model in tomllib.loads(before).get("models", {}):
            document = tomlkit.parse(before)
            table: Any = document["models"]
            for name, value in options.items():
                table[model][name] = value
            after = tomlkit.dumps(document)
        else:
            line_end = "\r\n" if "\r\n" in before else "\n"
            added = f"\n\n{toml_lines(model, options)}\n".replace("\n", line_end)
            after = before.rstrip() + added
        wanted = {**tomllib.loads(before).get("models", {}).get(model, {}), **options}
        if check_config(tomllib.loads(after)).models.get(model) != wanted:
            raise UsageError("the options would not be read back as they were written")
    except (TOMLKitError, tomllib.TOMLDecodeError, UsageError) as error:
        raise PoiseError(f"{path} cannot be changed by itself ({one_line(error)}): put the lines in by hand") from error
    with atomic_file(path) as temporary:
        temporary.write_bytes(after.encode())
    return path
