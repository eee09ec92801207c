"""The client for browsers, as the server hands it out."""

from pathlib import Path

CLIENT = Path(__file__).parents[3] / "clients" / "browser" / "poise.js"


def test_the_server_serves_the_browser_client(server):
    answer = server.client.get("/poise.js")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.text == CLIENT.read_text(encoding="utf-8")
