"""One call to one language model through inspect_ai: the only module that imports it for generation.

The call goes to inspect_ai's provider (`ModelAPI.generate`) and not through its `Model`, which keeps a record of every
call in memory, retries without end and ignores Retry-After; tries, waiting and storing are `realtime.py`'s. Its cache
is never used: its key forgets which weights answered.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit, urlunsplit

from doxa.errors import ModelError
from doxa.lm.request import Request, Response, Stop
from doxa.records import Usage

if TYPE_CHECKING:
    from inspect_ai.model import GenerateConfig, ModelAPI, ModelOutput

Kind = Literal["rate_limit", "transient", "timeout", "malformed", "rejected", "fatal"]

# thinking that a word buys, in tokens on top of the answer's: the budgets inspect_ai maps such words to, rounded up
EFFORT_TOKENS = {"none": 0, "minimal": 1024, "low": 4096, "medium": 10_000, "high": 16_000}

LOADING = ("hf", "nnterp", "sglang", "transformer_lens", "vllm", "vllm-completions")  # providers that hold the weights

BYTES_PER_TOKEN = 4  # of English, where a provider does not count

_STOPS: Mapping[str, Stop] = {
    "stop": "stop",
    "max_tokens": "length",
    "model_length": "length",
    "content_filter": "refusal",
}
_OUT_OF_FUNDS = re.compile(
    r"insufficient_quota|exceeded your current quota|credit balance|billing_hard_limit|billing hard limit|"
    r"api usage limits",
    re.I,
)
_REASONS = re.compile(r"(?:^|[/-])(?:o[1-9](?:-|$)|gpt-5|gpt-oss|deepseek-r1|r1-|qwq|magistral)|reason|thinking", re.I)
_SECRET_NAME = re.compile(r"(?:KEY|TOKEN|SECRET|PASSWORD)$", re.I)
_KEY_LIKE = re.compile(r"\b(?:(?:sk|key|pk|hf|gsk|xai)[-_][\w*.-]{6,}|AIza[\w-]{20,})")
_PASSWORD = re.compile(r"(?<=://)[^\s/@]+@")


class CallError(Exception):
    """A try that gave no answer. After rejected and fatal another is of no use; after the other kinds it may be."""

    def __init__(self, kind: Kind, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.kind: Kind = kind
        self.retry_after = retry_after  # seconds, when the provider named them


def require_endpoint(model: str) -> None:
    """Raise ModelError where no endpoint of a model can be opened: no such provider, no key, a package that is missing.

    Sends nothing. Providers that load weights to be opened are left for the first request.
    """
    if provider(model) in LOADING:
        return
    asyncio.run(_open(model).aclose())


class Endpoint:
    """A model behind a provider's API, ready to be asked from one event loop."""

    def __init__(self, model: str, timeout_s: float) -> None:
        self.model = model
        self.timeout_s = timeout_s
        self._api = _open(model)

    async def ask(self, request: Request) -> Response:
        """Ask once. Raises CallError that says whether to ask again."""
        from inspect_ai.model import ChatMessageAssistant, ChatMessageSystem, ChatMessageUser

        shapes: dict[str, Any] = {
            "system": ChatMessageSystem, "user": ChatMessageUser, "assistant": ChatMessageAssistant
        }  # fmt: skip
        messages = [shapes[message.role](content=message.content) for message in request.messages]
        try:
            async with asyncio.timeout(self.timeout_s):
                answered = await self._api.generate(
                    input=messages, tools=[], tool_choice="none", config=_config(request)
                )
        except TimeoutError:
            raise CallError("timeout", f"no answer within {self.timeout_s:g} s (lm.timeout_s)") from None
        except Exception as error:  # noqa: BLE001 (every provider has errors of its own; it says which are worth a retry)
            raise self._typed(error) from None
        output = answered[0] if isinstance(answered, tuple) else answered
        if isinstance(output, Exception):
            raise self._typed(output)
        return _response(request, output)

    async def close(self) -> None:
        """Let the connections go."""
        await self._api.aclose()

    def _typed(self, error: Exception) -> CallError:
        message = scrub(" ".join(f"{type(error).__name__}: {error}{_said(error)}".split()))[:500]
        status = getattr(error, "status_code", None)
        if status in (400, 429) and out_of_funds(message):
            return CallError("fatal", message)
        decision = self._api.should_retry(error)
        if decision:
            rate_limited = status == 429 or getattr(decision, "kind", "") == "rate_limit"
            wait = getattr(decision, "retry_after", None)
            return CallError("rate_limit" if rate_limited else "transient", message, wait)
        if status in (401, 402, 403, 404):
            return CallError("fatal", message)
        if isinstance(status, int) and 400 <= status < 500:
            return CallError("rejected", message)
        # a body that is no JSON or of another shape, or a line that broke in the middle: the next try may be whole
        return CallError("malformed", message)


def _said(error: Exception) -> str:
    """What the server said, where the SDK leaves it out: it knows the provider's own form, not that of other servers.

    `transformers serve`, for one, names the mistake under "detail".
    """
    body = getattr(error, "body", None)
    if not isinstance(body, dict) or "error" in body or "message" in body:
        return ""
    return f" - {body}"


def out_of_funds(message: str) -> bool:
    """Whether a provider's error says that the account, and not the minute, is used up."""
    return bool(_OUT_OF_FUNDS.search(message))


def thinking_room(request: Request) -> int:
    """Tokens on top of the answer's that a model may think in: the budget it is given, else what its effort may take.

    Models that reason unasked count it into the bound of the answer, so they get room even when nothing is set.
    """
    sampling = request.sampling
    if sampling.thinking_tokens:
        return sampling.thinking_tokens
    if sampling.effort is None and _REASONS.search(request.model):
        return EFFORT_TOKENS["medium"]
    return EFFORT_TOKENS[sampling.effort or "none"]


def provider(model: str) -> str:
    """The provider of a model string: "anthropic" of "anthropic/claude-haiku-4-5"."""
    return model.split("/", 1)[0]


def server_address(model: str) -> str:
    """The base URL that the environment sets for a model's provider or service, "" when it is the provider's own.

    Part of a request's key: the same model name on another server may be other weights. Passwords and parameters are
    left out, since keys are stored.
    """
    parts = model.split("/")
    service = parts[1] if parts[0] == "openai-api" and len(parts) > 2 else parts[0]
    address = urlsplit(os.environ.get(service.upper().replace("-", "_") + "_BASE_URL", ""))
    host = address.netloc.rpartition("@")[2]
    return urlunsplit((address.scheme, host, address.path, "", "")).rstrip("/")


def load_keys() -> None:
    """Take API keys from the nearest .env upwards of here; what the environment already says stands."""
    from dotenv import find_dotenv, load_dotenv

    load_dotenv(find_dotenv(usecwd=True), override=False)


def scrub(text: str) -> str:
    """A message without any key: neither those of the environment nor what looks like one."""
    secrets = [value for name, value in os.environ.items() if len(value) >= 8 and _SECRET_NAME.search(name)]
    for value in sorted(secrets, key=len, reverse=True):  # one may begin with another
        text = text.replace(value, "***")
    return _KEY_LIKE.sub("***", _PASSWORD.sub("***@", text))


def _open(model: str) -> ModelAPI:
    from inspect_ai.model import get_model

    # the tries are counted here, not in the SDKs
    args: dict[str, Any] = {"max_retries": 0} if provider(model) in ("openai", "openai-api", "anthropic") else {}
    try:
        return get_model(model, memoize=False, **args).api
    except Exception as error:
        if isinstance(error, TypeError | KeyError | AttributeError):
            raise  # a fault of ours or of the library, not of the model's name
        lines = " ".join(scrub(re.sub(r"\[/?\w+\]", "", str(error))).split())
        raise ModelError(f"model {model}: cannot be used: {lines}") from None


def _config(request: Request) -> GenerateConfig:
    from inspect_ai.model import GenerateConfig

    sampling = request.sampling
    thinking = thinking_room(request)
    free = provider(request.model) != "anthropic"  # whose API takes no temperature since version 2026-10-21
    return GenerateConfig(
        # providers count thinking into this bound; a document must not be cut short by it
        max_tokens=sampling.max_tokens + thinking,
        temperature=sampling.temperature if free else None,
        top_p=sampling.top_p if free else None,
        seed=sampling.seed,
        stop_seqs=list(sampling.stop) or None,
        reasoning_tokens=sampling.thinking_tokens,
        reasoning_effort=sampling.effort,
        reasoning_summary="none",  # else inspect_ai first tries, at our cost, whether summaries are to be had
    )


def _response(request: Request, output: ModelOutput) -> Response:
    if output.empty:
        raise CallError("malformed", output.error or "the answer holds no choice")
    if output.stop_reason == "model_length" and not (output.usage and output.usage.output_tokens):
        # inspect_ai makes an answer of the provider's refusal of a prompt that is too long
        raise CallError("rejected", scrub(output.completion)[:500])
    content = output.message.content
    parts = [] if isinstance(content, str) else content
    reasoning = "\n".join(part.reasoning for part in parts if part.type == "reasoning")
    return Response(
        key=request.key,
        text=output.completion,
        reasoning=reasoning,
        stop=_STOPS.get(output.stop_reason, "other"),
        model=output.model,
        usage=_usage(request, output),
    )


def _usage(request: Request, output: ModelOutput) -> Usage:
    counted = output.usage
    if counted is None or counted.input_tokens + counted.output_tokens == 0:
        # a server that counts nothing must not make a budget without end: about four bytes to a token
        asked = sum(len(message.content.encode("utf-8", "replace")) for message in request.messages)
        return Usage(
            input_tokens=asked // BYTES_PER_TOKEN,
            output_tokens=len(output.completion.encode("utf-8", "replace")) // BYTES_PER_TOKEN + 1,
        )
    cached = counted.input_tokens_cache_read or 0
    # inspect_ai counts tokens read from and written to the prompt cache apart from input_tokens
    given = counted.input_tokens + cached + (counted.input_tokens_cache_write or 0)
    return Usage(
        input_tokens=given,
        output_tokens=counted.output_tokens,
        reasoning_tokens=counted.reasoning_tokens or 0,
        cached_tokens=cached,
    )
