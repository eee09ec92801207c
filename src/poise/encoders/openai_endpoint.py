from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from typing import Any

import numpy as np

from poise.errors import PoiseError, UsageError
from poise.types import Floats

_ATTEMPTS = 6
_TIMEOUT = 60.0  # seconds
_LONGEST_PAUSE = 60.0  # seconds
_LONGEST_TEXT = 8_000  # characters: services refuse what is above some 8,000 tokens, models on this machine cut it off


class OpenAIEndpoint:
    """A service that speaks the OpenAI protocol for embeddings: ``POST {url}/embeddings``.

    Args:
        model: the name of the model, as the service knows it.
        url: of the service, with its version, such as ``http://localhost:8000/v1``.
        key_variable: the environment variable that holds the key; a service that asks for none needs none.

    Raises:
        UsageError: ``url`` is not an HTTP address, or ``model`` is empty.
    """

    batch_size = 128

    def __init__(self, model: str, url: str, key_variable: str) -> None:
        if not url.startswith(("http://", "https://")):
            raise UsageError(f"the address of an embeddings service begins with https:// or http://, not {url!r}")
        if not model:
            raise UsageError("'openai:' names no model; write for example openai:text-embedding-3-small")
        self._model = model
        self._url = url.rstrip("/")
        self._key_variable = key_variable

    @property
    def identity(self) -> str:
        """See :class:`Backend`."""
        return f"openai:{self._url}:{self._model}"

    def reads(self, script: str) -> bool:
        """See :class:`Backend`."""
        return True

    def encode(self, texts: Sequence[str]) -> Floats:
        """See :class:`Backend`.

        Raises:
            PoiseError: the service refuses, cannot be reached after several attempts, or answers something else.
        """
        content = {"model": self._model, "input": [text[:_LONGEST_TEXT] for text in texts], "encoding_format": "float"}
        answer = self._post(json.dumps(content).encode())
        try:
            rows = sorted(answer["data"], key=lambda row: row["index"])
            vectors = np.array([row["embedding"] for row in rows], dtype=np.float32)
        except (KeyError, TypeError, ValueError):
            raise PoiseError(f"{self._url} answered something else than embeddings; check url and model") from None
        if vectors.ndim != 2 or len(vectors) != len(texts):
            raise PoiseError(
                f"{self._url} answered {len(vectors)} embeddings for {len(texts)} texts; check its version"
            )
        return vectors

    def _post(self, content: bytes) -> Any:
        pause = 1.0
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                with urllib.request.urlopen(self._request(content), timeout=_TIMEOUT) as response:
                    return json.load(response)
            except urllib.error.HTTPError as error:
                passing = error.code in (408, 429) or error.code >= 500
                if not passing or attempt == _ATTEMPTS:
                    raise self._refused(error, attempt) from None
                wait = _retry_after(error.headers.get("Retry-After"))
            except ValueError:  # not JSON
                raise PoiseError(f"{self._url} did not answer in JSON; is it an embeddings service?") from None
            except OSError as error:  # no such host, refused, time is up
                if attempt == _ATTEMPTS or isinstance(getattr(error, "reason", error), ConnectionRefusedError):
                    reason = getattr(error, "reason", error)
                    raise PoiseError(
                        f"{self._url} cannot be reached ({reason}); check url and network; what was encoded is kept"
                    ) from None
                wait = None
            time.sleep(min(pause if wait is None else wait, _LONGEST_PAUSE))
            pause *= 2
        raise AssertionError("unreachable")

    def _request(self, content: bytes) -> urllib.request.Request:
        request = urllib.request.Request(f"{self._url}/embeddings", content, {"Content-Type": "application/json"})
        if key := os.environ.get(self._key_variable, "").strip():
            request.add_unredirected_header("Authorization", f"Bearer {key}")  # another host must not get it
        return request

    def _refused(self, error: urllib.error.HTTPError, attempt: int) -> PoiseError:
        if error.code in (401, 403):
            return PoiseError(
                f"{self._url} refused the key ({error.code}); put a valid one into the environment variable "
                f"{self._key_variable}"
            )
        after = f" after {attempt} attempts" if attempt > 1 else ""
        return PoiseError(f"{self._url} answered {error.code} {self._message(error)}{after}; what was encoded is kept")

    def _message(self, error: urllib.error.HTTPError) -> str:
        """Return the service's own words, on one line, without the key should it repeat it."""
        try:
            body = json.load(error)
            words = str(body["error"]["message"])
        except (ValueError, KeyError, TypeError, OSError):
            words = str(error.reason)
        if key := os.environ.get(self._key_variable, "").strip():
            words = words.replace(key, "(key)")
        return f"({' '.join(words.split())[:200]})"


def _retry_after(value: str | None) -> float | None:
    """Return the seconds that a ``Retry-After`` header asks for: a number, or a date."""
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None
