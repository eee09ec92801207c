"""Only ``http`` and ``page`` know HTTP."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import poise.serve

SERVE = Path(poise.serve.__file__).parent
KNOW_HTTP = ("http", "page")
STARTS_IT_ALL = SERVE / "server.py"  # puts the application together, and may import it
FILES = sorted(path for path in SERVE.rglob("*.py") if path.relative_to(SERVE).parts[0] not in KNOW_HTTP)


def imported_by(path: Path) -> set[str]:
    """Return the modules that a file imports, anywhere in it."""
    modules = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules |= {f"{node.module}", *(f"{node.module}.{alias.name}" for alias in node.names)}
    return modules


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SERVE)))
def test_only_http_and_page_import_http(path: Path) -> None:
    modules = imported_by(path)
    assert not {name for name in modules if name.split(".")[0] in ("starlette", "http")}
    if path != STARTS_IT_ALL:
        faces = tuple(f"poise.serve.{room}" for room in KNOW_HTTP)
        assert not {name for name in modules if name.startswith(faces)}


def test_rendering_a_page_imports_no_model_and_no_polars() -> None:
    heavy = ("torch", "sentence_transformers", "implicit", "usearch", "matplotlib", "scipy", "polars", "pydantic")
    code = (
        "import json, sys\n"
        "from poise.serve.page import guard, pictures, render, visit, words\n"
        f"print(json.dumps([name for name in {heavy!r} if name in sys.modules]))"
    )
    completed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(completed.stdout) == []


def test_the_whole_server_is_imported_without_a_model() -> None:
    heavy = ("torch", "sentence_transformers", "implicit", "usearch", "matplotlib")
    code = (
        "import json, sys\n"
        "import poise.serve.server, poise.serve.page.routes\n"
        f"print(json.dumps([name for name in {heavy!r} if name in sys.modules]))"
    )
    completed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(completed.stdout) == []
