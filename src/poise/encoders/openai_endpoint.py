from __future__ import annotations

import json
import os
from collections.abc import Sequence
from functools import cached_property
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from poise.errors import PoiseError, UsageError
from poise.types import Floats

if TYPE_CHECKING:
    from openai import APIStatusError, OpenAI

_RETRIES = 5
_TIMEOUT = 60.0  # seconds
_LONGEST_TEXT = 8_000  # characters: services refuse more than some 8,000 tokens, models on this machine cut it off


class OpenAIEndpoint:
    """A service with the OpenAI protocol for embeddings: ``POST {url}/embeddings``.

    What fails for a moment is tried again: the service is busy, has an error of its own or cannot be reached.

    Args:
        model: the name of the model, as the service knows it.
        url: of the service, with its version, such as ``http://localhost:8000/v1``.
        key_variable: the environment variable that holds the key, for a service that asks for one.

    Raises:
        UsageError: ``url`` is not an HTTP address, ``model`` is empty, or the client is not installed.
    """

    batch_size = 128

    def __init__(self, model: str, url: str, key_variable: str) -> None:
        if not url.startswith(("http://", "https://")):
            raise UsageError(f"the address of an embeddings service begins with https:// or http://, not {url!r}")
        if not model:
            raise UsageError("'openai:' names no model; write for example openai:text-embedding-3-small")
        if find_spec("openai") is None:
            raise UsageError("the client of embeddings services is not installed; run: pip install 'poise[openai]'")
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
        try:
            rows = sorted(json.loads(self._post(texts))["data"], key=lambda row: row["index"])
            vectors = np.array([row["embedding"] for row in rows], dtype=np.float32)
        except (KeyError, TypeError, ValueError):
            raise PoiseError(f"{self._url} answered something else than embeddings; check url and model") from None
        if vectors.ndim != 2 or len(vectors) != len(texts):
            raise PoiseError(
                f"{self._url} answered {len(vectors)} embeddings for {len(texts)} texts; check its version"
            )
        return vectors

    @cached_property
    def _client(self) -> OpenAI:
        import openai

        return openai.OpenAI(base_url=self._url, api_key=self._key or "none", max_retries=_RETRIES, timeout=_TIMEOUT)

    @property
    def _key(self) -> str:
        return os.environ.get(self._key_variable, "").strip()

    def _post(self, texts: Sequence[str]) -> bytes:
        import openai

        try:
            return self._client.embeddings.with_raw_response.create(  # raw: not every service says that it sends JSON
                model=self._model,
                input=[text[:_LONGEST_TEXT] for text in texts],
                encoding_format="float",
                extra_headers=None if self._key else {"Authorization": openai.Omit()},
            ).content
        except openai.APIStatusError as error:
            raise self._refused(error) from None
        except openai.APIConnectionError as error:
            raise PoiseError(
                f"{self._url} cannot be reached ({error.__cause__ or error}); check url and network; what was encoded "
                "is kept"
            ) from None

    def _refused(self, error: APIStatusError) -> PoiseError:
        if error.status_code in (401, 403):
            return PoiseError(
                f"{self._url} refused the key ({error.status_code}); put a valid one into the environment variable "
                f"{self._key_variable}"
            )
        body = error.body
        message = str(body["message"] if isinstance(body, dict) and "message" in body else error.response.reason_phrase)
        if self._key:
            message = message.replace(self._key, "(key)")
        message = " ".join(message.split())[:200]
        tries = int(error.request.headers.get("x-stainless-retry-count", 0)) + 1
        after = f" after {tries} attempts" if tries > 1 else ""
        return PoiseError(f"{self._url} answered {error.status_code} ({message}){after}; what was encoded is kept")
