"""OpenAI's batch service, and that of servers which speak like it. The one module that imports openai."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from typing import Any

from openai import APIConnectionError, APIStatusError, OpenAI, OpenAIError
from openai.types import Batch

from doxa.errors import ModelError
from doxa.lm.batch_service import CONTROL_TRIES, BatchTooLarge, Interrupted, Outcome, Sdk
from doxa.lm.client import CallError, provider, scrub
from doxa.lm.openai_format import batch_line, read_batch_line
from doxa.lm.request import Request

TAG = "doxa_batch"  # metadata field that names our batch at the provider
ENDED = ("completed", "failed", "expired", "cancelled")
SPLIT_CODES = ("too_many_tasks", "token_limit_exceeded", "file_too_large")


class OpenAIBatches:
    """Batches of chat completions."""

    def __init__(self, model: str) -> None:
        parts = model.split("/")
        if provider(model) == "openai-api":
            service = parts[1].upper().replace("-", "_")
            named = {"base_url": os.environ.get(f"{service}_BASE_URL"), "api_key": os.environ.get(f"{service}_API_KEY")}
            for field, value in named.items():
                if not value:
                    raise ModelError(f"model {model}: set {service}_{field.upper()} in the environment or in .env")
            self._name = "/".join(parts[2:])
            self._bound = "max_tokens"
        else:
            named = {"base_url": os.environ.get("OPENAI_BASE_URL"), "api_key": os.environ.get("OPENAI_API_KEY")}
            if not named["api_key"]:
                raise ModelError(f"model {model}: set OPENAI_API_KEY in the environment or in .env")
            self._name = "/".join(parts[1:])
            self._bound = "max_completion_tokens"
        self._sdk = Sdk(model, OpenAIError, APIStatusError, APIConnectionError)
        self._client = OpenAI(**named, max_retries=CONTROL_TRIES)  # type: ignore[arg-type]

    def submit(self, name: str, requests: list[Request]) -> str:
        """Upload the requests and begin a batch of them."""
        lines = "".join(
            json.dumps(batch_line(request, self._name, self._bound), ensure_ascii=False) + "\n" for request in requests
        )
        content = lines.encode("utf-8", "replace")

        def upload() -> str:
            return self._client.files.create(file=(f"{name}.jsonl", io.BytesIO(content)), purpose="batch").id

        file = self._sdk.control(upload)  # a file that is uploaded twice costs nothing
        with self._sdk.handing_over():
            # no blind retry: a batch that was made although the answer got lost would be paid for twice
            made = self._client.with_options(max_retries=0).batches.create(
                input_file_id=file,
                endpoint="/v1/chat/completions",
                completion_window="24h",
                metadata={TAG: name},
            )
            return made.id

    def find(self, name: str, keys: set[str], known: set[str]) -> str | None:
        """The batch that carries our name in its metadata."""

        def search() -> str | None:
            for batch in self._client.batches.list(limit=100):
                if (batch.metadata or {}).get(TAG) == name:
                    return batch.id
            return None

        return self._sdk.control(search)

    def ended(self, remote: str) -> bool:
        """Whether a batch has come to one of its ends."""
        return self._sdk.control(lambda: self._client.batches.retrieve(remote).status) in ENDED

    def results(self, remote: str, requests: dict[str, Request]) -> Iterator[Outcome]:
        """The lines of the output file and of the error file."""

        def fetch() -> tuple[Batch, list[bytes]]:
            batch = self._client.batches.retrieve(remote)
            files = [file for file in (batch.output_file_id, batch.error_file_id) if file]
            return batch, [self._client.files.content(file).read() for file in files]

        batch, contents = self._sdk.control(fetch)
        if batch.status == "failed" and not contents:
            raise self._failed(batch)
        read = garbled = 0
        for content in contents:
            for raw in content.splitlines():
                try:
                    line: dict[str, Any] = json.loads(raw)
                    request = requests.get(line["custom_id"])
                except (ValueError, KeyError, TypeError):
                    garbled += 1
                    continue
                read += 1
                if request is None:
                    continue
                try:
                    yield request.key, read_batch_line(request, line)
                except CallError as error:
                    yield request.key, error

        counts = batch.request_counts
        promised = counts.completed + counts.failed if counts else 0
        if garbled or read < promised:
            raise Interrupted(f"{garbled} lines of {read + garbled} are garbled, {promised} were promised", whole=True)

    def _failed(self, batch: Batch) -> Exception:
        """Why a batch that was accepted came to nothing."""
        errors = (batch.errors.data if batch.errors else None) or []
        message = scrub("; ".join(f"{error.code}: {error.message}" for error in errors[:3])) or "no reason given"
        if any(error.code in SPLIT_CODES for error in errors):
            return BatchTooLarge(message)
        return ModelError(
            f"model {self._sdk.model}: the batch was turned down: {message}. What was answered before is stored"
        )
