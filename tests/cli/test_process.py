"""What only a real process shows: signals, pipes, exit codes, other terminals, what is imported."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import poise.cli

POISE = [sys.executable, "-m", "poise"]


@pytest.mark.parametrize("delay", [0.15, 0.6, 1.2])
def test_an_interrupt_at_any_moment_prints_one_line(shop, delay):
    process = subprocess.Popen([*POISE, "fit"], cwd=shop, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + delay
    while time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    if process.returncode:  # else it was done before
        assert "Traceback" not in err or delay < 0.2  # Python itself may still be starting
        assert all((run / "run.json").exists() for run in (shop / "runs").glob("*"))
        assert not [*shop.rglob("*.tmp"), *shop.rglob("*.old")]


def test_a_closed_output_pipe_is_no_error(fitted_shop):
    command = " ".join([*POISE, "recommend", "--user", "001", "--json", "|", "head", "-1"])
    completed = subprocess.run(command, shell=True, cwd=fitted_shop, capture_output=True, text=True, check=False)
    assert completed.stdout.strip() == "["
    assert "Traceback" not in completed.stderr


def test_output_to_an_ascii_terminal(fitted_shop):
    env = {**os.environ, "LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "NO_COLOR": "1"}
    completed = subprocess.run([*POISE, "similar", "i02"], cwd=fitted_shop, env=env, capture_output=True, check=False)
    assert completed.returncode == 0
    assert b"\x1b[" not in completed.stdout + completed.stderr
    assert completed.stdout.isascii()


MODELS = ("torch", "sentence_transformers", "transformers", "implicit", "usearch")
HEAVY = (*MODELS, "matplotlib", "numpy", "polars", "scipy", "pydantic", "sqlalchemy")


def imported_by(heavy, *arguments):
    """Return which of the heavy libraries a command imports."""
    code = (
        "import json, sys, poise\n"
        "from poise.cli.main import main\n"
        "try:\n    main()\n"
        f"finally:\n    print(json.dumps([name for name in {heavy!r} if name in sys.modules]), file=sys.stderr)"
    )
    command = [sys.executable, "-c", code, *map(str, arguments)]
    completed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert completed.returncode == 0, completed.stderr
    return json.loads(completed.stderr.splitlines()[-1])


def test_help_imports_nothing_heavy():
    assert imported_by(HEAVY, "--help") == []


def test_commands_import_nothing_heavy_before_they_run():
    names = [path.stem for path in Path(poise.cli.__file__).parent.glob("*.py")]
    code = (
        f"import importlib, json, sys\n[importlib.import_module(f'poise.cli.{{name}}') for name in {names!r}]\n"
        f"print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    )
    completed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(completed.stdout) == []


@pytest.fixture
def shop_of_torch(shop):
    """Return a project whose ``poise.toml`` names models that need torch."""
    with (shop / "poise.toml").open("a") as config:
        config.write("\n[models.SASRec]\nepochs = 1\n[models.TwoTower]\nepochs = 1\n")
    return shop


@pytest.mark.parametrize(
    "command",
    [
        ("keys", "create", "--scope", "read", "-p", "SHOP"),
        ("keys", "list", "-p", "SHOP"),
        ("runs", "list", "-p", "SHOP"),
        ("data", "list"),
        ("data", "import", "-p", "SHOP", "--events", "SHOP/more.csv"),
        ("init", "SHOP", "--force"),
        ("check", "-p", "SHOP", "--json"),
    ],
    ids=" ".join,
)
def test_commands_that_need_no_model_import_none(shop_of_torch, command):
    (shop_of_torch / "more.csv").write_text("user,item,time,rating\nzoe,i01,1710000000,4.1\n")
    arguments = [part.replace("SHOP", str(shop_of_torch)) for part in command]
    if command[0] == "init":
        (shop_of_torch / "more.csv").unlink()
    assert imported_by((*MODELS, "matplotlib"), *arguments) == []


def test_a_report_imports_matplotlib_and_no_model(shop_of_torch):
    assert imported_by((*MODELS, "matplotlib"), "check", "-p", shop_of_torch) == ["matplotlib"]
