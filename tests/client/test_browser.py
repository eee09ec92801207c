"""The snippet for browsers, in node, against the same server. Real browsers are left to the tests of the page."""

import os
import re
import shutil
import subprocess
import warnings
from pathlib import Path

import pytest

SNIPPET = Path(__file__).parents[2] / "clients" / "browser" / "poise.js"
TYPES = SNIPPET.with_suffix(".d.ts")


def test_the_browser_client_in_node(shop):
    node = shutil.which("node")
    if node is None:
        warnings.warn("node is not installed: the snippet for browsers was NOT tested", stacklevel=1)
        pytest.skip("node is not installed: the snippet for browsers was NOT tested")
    completed = subprocess.run(
        [node, "--test", "--test-reporter=tap", str(Path(__file__).with_name("browser.mjs"))],
        env={**os.environ, "POISE_SERVER": shop.url, "POISE_SNIPPET": SNIPPET.as_uri()},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert completed.returncode == 0, completed.stdout + completed.stderr
    assert int(re.search(r"^# pass (\d+)$", completed.stdout, re.MULTILINE)[1]) >= 13
    assert "# skipped 0" in completed.stdout


def test_the_browser_client_is_small_and_has_no_dependencies():
    text = SNIPPET.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 130
    assert "import " not in re.sub(r'import\("\./poise"\)', "", text)
    assert "require(" not in text


def test_the_typescript_types_match_the_browser_client():
    code = SNIPPET.read_text(encoding="utf-8")
    there = set(re.findall(r"^  (?:async )?([a-z]\w*)\(", code, re.MULTILINE)) - {"constructor"}
    of_class = TYPES.read_text(encoding="utf-8").split("export class Poise {")[1]
    assert set(re.findall(r"^  (\w+)\(", of_class, re.MULTILINE)) - {"constructor"} == there
    options = re.search(r"constructor\(\{(.*?)\}\)", code)[1]
    of_options = TYPES.read_text(encoding="utf-8").split("export interface Options {")[1].split("\n}")[0]
    assert re.findall(r"^  (\w+)\??:", of_options, re.MULTILINE) == [
        option.split("=")[0].strip() for option in options.split(",")
    ]
