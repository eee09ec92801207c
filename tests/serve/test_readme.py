from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", ROOT / "docs" / "guide.md", ROOT / "docs" / "how-to" / "serve.md")


def curls() -> list[str]:
    lines = [
        line for page in PAGES for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("curl ")
    ]
    return list(dict.fromkeys(line for line in lines if "$KEY" not in line))


@pytest.mark.parametrize("line", curls())
def test_the_curl_lines_of_the_readme_work(server, line: str) -> None:  # type: ignore[no-untyped-def]
    words = shlex.split(line)
    options = dict(zip(words[2::2], words[3::2], strict=False)) if words[2].startswith("-") else {}
    url = next(word for word in words if word.startswith("localhost:8000"))
    path = url.removeprefix("localhost:8000")
    body = words[words.index("-d") + 1] if "-d" in words else None
    method = options.get("-X", "GET" if body is None else "POST")
    answer = server.client.request(method, path, content=body)
    assert answer.status_code == 200, answer.text
    assert isinstance(answer.json(), dict)


def test_the_readme_has_three_curl_lines() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = re.findall(r"^curl .*-d '(.*)'$", text, flags=re.MULTILINE)
    assert len([json.loads(line) for line in lines]) >= 3
