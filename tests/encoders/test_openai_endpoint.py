from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import openai
import pytest

from poise.encoders import openai_endpoint
from poise.encoders.text import TextEncoder
from poise.errors import PoiseError, UsageError

KEY = "sk-secret-123"


class Service:
    """A service that gives each text a vector of its length, and fails as often as it is told to."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.failures: list[tuple[int, dict[str, str], bytes]] = []
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                service.keys.append(self.headers["Authorization"])
                if service.failures:
                    status, headers, content = service.failures.pop(0)
                else:
                    service.requests.append({"path": self.path, **body})
                    rows = [{"index": index, "embedding": [len(text), 1.0]} for index, text in enumerate(body["input"])]
                    status, headers, content = 200, {}, json.dumps({"data": rows[::-1]}).encode()
                self.send_response(status)
                for name, value in {"Content-Length": str(len(content)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def service() -> Iterator[Service]:
    running = Service()
    yield running
    running.server.shutdown()
    running.server.server_close()


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    slept: list[float] = []
    monkeypatch.setattr(openai._base_client.time, "sleep", slept.append)
    monkeypatch.setattr(openai._base_client, "random", lambda: 0.0)  # without it pauses differ by up to a quarter
    return slept


def encoder(service: Service, **options: Any) -> TextEncoder:
    return TextEncoder(model="openai:small", url=service.url, key_variable="A_KEY", **options)


def test_texts_are_sent_in_batches_and_cached(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", KEY)
    texts = ["a" * length for length in (3, 1, 2, 5, 4)]
    vectors = encoder(service, batch_size=2).encode(texts)
    expected = np.array([[len(text), 1.0] for text in texts])
    np.testing.assert_allclose(vectors, expected / np.linalg.norm(expected, axis=1, keepdims=True), atol=1e-3)
    assert [len(request["input"]) for request in service.requests] == [2, 2, 1]
    assert {(request["path"], request["model"]) for request in service.requests} == {("/v1/embeddings", "small")}
    assert set(service.keys) == {f"Bearer {KEY}"}
    np.testing.assert_array_equal(encoder(service).encode(texts), vectors)
    assert len(service.requests) == 3


def test_without_an_api_key_no_authorization_is_sent(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("A_KEY", raising=False)
    encoder(service).encode(["a"])
    assert service.keys == [None]


def test_rate_limits_are_retried(service: Service, pauses: list[float]) -> None:
    service.failures = [(429, {"Retry-After": "7"}, b""), (503, {}, b""), (500, {}, b"")]
    service.failures += [(429, {"Retry-After": formatdate(0, usegmt=True)}, b"")]
    assert encoder(service).encode(["a"]).shape == (1, 2)
    assert pauses == [7.0, 1.0, 2.0, 4.0]


def test_a_refusal_is_reported_in_the_words_of_the_service(service: Service, pauses: list[float]) -> None:
    service.failures = [(429, {}, b'{"error": {"message": "quota\\nexceeded"}}')] * 10
    with pytest.raises(PoiseError, match=r"answered 429 \(quota exceeded\) after 6 attempts"):
        encoder(service).encode(["a"])
    assert len(pauses) == 5


@pytest.mark.parametrize("status", [400, 401])
def test_the_api_key_is_in_no_error_message(
    status: int, service: Service, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_KEY", KEY)
    service.failures = [(status, {}, json.dumps({"error": {"message": f"wrong key {KEY}"}}).encode())]
    with pytest.raises(PoiseError) as caught:
        encoder(service).encode(["a"])
    assert KEY not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert KEY not in repr(encoder(service))
    assert pauses == []


@pytest.mark.parametrize("answer", [b"<html>", b"[]", b'{"data": [{"index": 0}]}', b'{"data": []}'])
def test_an_answer_of_another_form_is_an_error(answer: bytes, service: Service) -> None:
    service.failures = [(200, {}, answer)]
    with pytest.raises(PoiseError, match=r"JSON|embeddings"):
        encoder(service).encode(["a"])


def test_a_changed_model_is_noticed(service: Service) -> None:
    encoder(service).encode(["a"])
    service.failures = [(200, {}, b'{"data": [{"index": 0, "embedding": [1, 0, 0]}]}')]
    with pytest.raises(PoiseError, match="3 dimensions, and 2 before"):
        encoder(service).encode(["a", "b"])


def test_an_unreachable_endpoint(pauses: list[float]) -> None:
    with pytest.raises(PoiseError, match="cannot be reached"):
        TextEncoder(model="openai:small", url="http://127.0.0.1:9/v1").encode(["a"])
    with pytest.raises(UsageError, match="https"):
        TextEncoder(model="openai:small", url="file:///etc").encode(["a"])
    with pytest.raises(UsageError, match="names no model"):
        TextEncoder(model="openai:").encode(["a"])


def test_the_openai_client_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_endpoint, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'poise\[openai\]'"):
        TextEncoder(model="openai:small").encode(["a"])
