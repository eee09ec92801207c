"""The examples of docs/how-to/send-events.md, against the small server."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "send-events.md"
BLOCKS = dict(
    re.findall(r'^```\w+ title="([^"]+)"\n(.*?)^```$', PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
)


@pytest.mark.parametrize("title", [title for title in BLOCKS if title.endswith(".py")])
def test_the_python_examples_of_the_client_run(shop, title, capsys):
    text = BLOCKS[title]
    assert "http://127.0.0.1:8000" in text
    exec(compile(text.replace("http://127.0.0.1:8000", shop.url), title, "exec"), {"__name__": title})
    out = capsys.readouterr().out
    assert {
        "send.py": "Lamp 1.5 because you viewed Desk\n",
        "send_async.py": "Slate(request_id='q1'",
        "batch.py": "250 0 0\n",
    }[title] in out
    assert shop.events


def test_the_browser_example_parses(tmp_path):
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed; test_browser.py says so aloud")
    (tmp_path / "shop.mjs").write_text(BLOCKS["shop.js"], encoding="utf-8")
    subprocess.run([node, "--check", str(tmp_path / "shop.mjs")], check=True)
