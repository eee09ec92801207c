"""What only a real process shows: signals, pipes, exit codes, other terminals, what is imported."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

POISE = [sys.executable, "-m", "poise"]


@pytest.mark.parametrize("delay", [0.15, 0.6, 1.2])
def test_an_interrupt_at_any_moment_is_one_line(shop, delay):
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


def test_the_reader_of_the_output_may_go_away(fitted_shop):
    command = " ".join([*POISE, "recommend", "--user", "001", "--json", "|", "head", "-1"])
    found = subprocess.run(command, shell=True, cwd=fitted_shop, capture_output=True, text=True, check=False)
    assert found.stdout.strip() == "["
    assert "Traceback" not in found.stderr


def test_a_terminal_that_knows_ascii_only(fitted_shop):
    env = {**os.environ, "LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "NO_COLOR": "1"}
    found = subprocess.run([*POISE, "similar", "i02"], cwd=fitted_shop, env=env, capture_output=True, check=False)
    assert found.returncode == 0
    assert b"\x1b[" not in found.stdout + found.stderr
    assert found.stdout.isascii()


def test_help_imports_nothing_heavy():
    heavy = ("numpy", "polars", "torch", "scipy", "pydantic", "sentence_transformers", "matplotlib")
    code = (
        "import json, sys, poise\n"
        "from poise.cli.main import main\n"
        "sys.argv = ['poise', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"print(json.dumps([name for name in {heavy!r} if name in sys.modules]))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(found.stdout.splitlines()[-1]) == []
