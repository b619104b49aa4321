"""The inspect_ai provider `doxa`: weights on this computer, by the names that `local/` knows, in anybody's evals.

`--model doxa/PATH` is a run folder, a checkpoint folder, a model folder or the embedded model's name. The answer to a
sample hangs on the sample and the settings alone, and not on which samples share its batch.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from inspect_ai._util.error import PrerequisiteError
from inspect_ai.model import GenerateConfig, ModelAPI, ModelOutput, ModelUsage, modelapi
from inspect_ai.solver._task_state import sample_state

from doxa.errors import CheckpointError, ConfigError, DoxaError
from doxa.lm.named_weights import find_weights
from doxa.lm.request import Message, Request, Response, Sampling
from doxa.records import digest

if TYPE_CHECKING:
    from inspect_ai.model import ChatMessage
    from inspect_ai.tool import ToolChoice, ToolInfo

    from doxa.belief.scorer import LikelihoodScorer

Result = TypeVar("Result")
MAX_TOKENS = 256  # of an answer where nobody says how many
GATHER_S = 0.02  # how long a call waits for others to share its batch
# settings that would change an answer and that answer_locally does not know
UNKNOWN = ("top_k", "frequency_penalty", "presence_penalty", "logit_bias", "logprobs", "best_of", "response_schema")


class LocalModelAPI(ModelAPI):
    """One set of weights. They are found at once, so that a wrong name fails early, and loaded by the first call."""

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig = GenerateConfig(),  # noqa: B008 (the signature of ModelAPI; never changed)
        batch_size: int = 32,
        dtype: Any = "float32",
        **model_args: Any,
    ) -> None:
        super().__init__(model_name, base_url, api_key, [], config)
        if model_args:
            raise PrerequisiteError(
                f"doxa/{model_name}: has no argument {next(iter(model_args))!r}; it has batch_size, dtype"
            )
        self._place = _absolute(model_name)
        try:
            self.weights = find_weights(self._place)
        except DoxaError as error:
            raise PrerequisiteError(f"doxa/{model_name}: {error}") from None
        self.digest = self.weights.digest
        self.batch_size = int(batch_size)
        self.dtype = dtype
        self._loaded: tuple[Any, Any] | None = None
        self._scorer: LikelihoodScorer | None = None
        self._waiting: list[_Slot] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = asyncio.Lock()

    def max_connections(self) -> int:
        """As many as share a batch."""
        return self.batch_size

    def max_tokens(self) -> int | None:
        """The bound of an answer where none is set."""
        return MAX_TOKENS

    def connection_key(self) -> str:
        """What shares one queue: the weights."""
        return self.digest

    async def generate(
        self, input: list[ChatMessage], tools: list[ToolInfo], tool_choice: ToolChoice, config: GenerateConfig
    ) -> ModelOutput:
        """Answer a conversation. Raises PrerequisiteError for what weights on this computer cannot do."""
        self._refuse(tools, config)
        slot = _Slot(self._request(input, config))
        self._join_loop()
        self._waiting.append(slot)
        while slot.result is None:
            async with self._lock:
                if slot.result is None:
                    await self._answer_waiting()
        if isinstance(slot.result, DoxaError):
            raise PrerequisiteError(str(slot.result))
        return self._output(slot.result, config)

    async def with_weights(self, use: Callable[[Any, Any], Result]) -> Result:
        """`use(model, tokenizer)` in a thread, with nothing else on these weights meanwhile."""
        self._join_loop()
        async with self._lock:
            return await asyncio.to_thread(lambda: use(*self._load()))

    async def with_scorer(self, use: Callable[[LikelihoodScorer], Result]) -> Result:
        """`use(scorer)` in a thread: log-probabilities of given answers."""

        def scored(model: Any, tokenizer: Any) -> Result:
            from doxa.belief.scorer import LikelihoodScorer

            if self._scorer is None:
                self._scorer = LikelihoodScorer(model, tokenizer)
            return use(self._scorer)

        return await self.with_weights(scored)

    def _join_loop(self) -> None:
        """A lock belongs to one event loop, and inspect_ai keeps models from one eval to the next."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._loop, self._lock, self._waiting = loop, asyncio.Lock(), []

    async def _answer_waiting(self) -> None:
        """Answer all that wait, for whoever asked: the first caller works for those behind it."""
        await asyncio.sleep(GATHER_S)
        batch, self._waiting = self._waiting, []
        try:
            await asyncio.to_thread(self._answer, batch)
        finally:
            # a caller that was cancelled leaves the others' questions to the next one
            self._waiting = [slot for slot in batch if slot.result is None] + self._waiting

    def _answer(self, batch: list[_Slot]) -> None:
        from doxa.lm.local import answer_locally

        model, tokenizer = self._load()
        by_key: dict[str, list[_Slot]] = {}
        for slot in batch:
            by_key.setdefault(slot.request.key, []).append(slot)

        def answered(request: Request, response: Response) -> None:
            for slot in by_key[request.key]:
                slot.result = response

        requests = [slots[0].request for slots in by_key.values()]
        try:
            answer_locally(model, tokenizer, requests, self.batch_size, answered)
        except DoxaError:
            for request in requests:  # one that does not fit must not take the others with it
                try:
                    answer_locally(model, tokenizer, [request], 1, answered)
                except DoxaError as error:
                    for slot in by_key[request.key]:
                        slot.result = error

    def _load(self) -> tuple[Any, Any]:
        if self._loaded is None:
            loaded = self.weights.load(self.dtype)
            if find_weights(self._place).digest != self.digest:  # a training may have ended meanwhile
                raise CheckpointError(f"doxa/{self.model_name}: its files were exchanged meanwhile; run the eval again")
            self._loaded = loaded
        return self._loaded

    def _refuse(self, tools: list[ToolInfo], config: GenerateConfig) -> None:
        if tools:
            raise PrerequisiteError(f"doxa/{self.model_name}: takes no tools")
        given = [name for name in UNKNOWN if getattr(config, name, None)]
        if given:
            raise PrerequisiteError(f"doxa/{self.model_name}: does not know {given[0]}; leave it out")
        if config.num_choices not in (None, 1):
            raise PrerequisiteError(f"doxa/{self.model_name}: gives one answer to a call; use --epochs for several")

    def _request(self, input: list[ChatMessage], config: GenerateConfig) -> Request:
        sampling = Sampling(
            max_tokens=config.max_tokens or MAX_TOKENS,
            temperature=config.temperature,
            top_p=config.top_p,
            seed=config.seed,
            stop=tuple(config.stop_seqs or ()),
        )
        # the model is named by its weights, so that a moved folder gives the same answers
        return Request(
            model="doxa",
            messages=_messages(input),
            sampling=sampling,
            sample=_sample(),
            weights=self.digest,
            stage="eval",
        )

    def _output(self, response: Response, config: GenerateConfig) -> ModelOutput:
        text = response.text
        for stop in config.stop_seqs or ():
            text = text.removesuffix(stop)
        output = ModelOutput.from_content(
            f"doxa/{self.model_name}", text, "max_tokens" if response.stop == "length" else "stop"
        )
        usage = response.usage
        output.usage = ModelUsage(
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            total_tokens=usage.input_tokens + usage.output_tokens,
        )
        output.metadata = {"weights": self.digest}
        return output


class _Slot:
    """A question that waits for its answer."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.result: Response | DoxaError | None = None


@modelapi(name="doxa")
def doxa() -> type[ModelAPI]:
    """What `--model doxa/...` stands for."""
    return LocalModelAPI


def _absolute(name: str) -> str:
    """A folder's place as it is now: inspect_ai may change the working directory."""
    folder = Path(name).expanduser()
    return str(folder.resolve()) if folder.is_dir() else name


def _messages(input: list[ChatMessage]) -> tuple[Message, ...]:
    messages = []
    for message in input:
        if message.role not in ("system", "user", "assistant"):
            raise ConfigError(f"a message of role {message.role!r} cannot be put to weights on this computer")
        messages.append(Message(role=message.role, content=message.text))
    return tuple(messages)


def _sample() -> int:
    """Which of several answers to the same words: epochs, and samples that ask alike, are drawn apart."""
    state = sample_state()
    return 0 if state is None else int(digest("sample", str(state.sample_id), state.epoch)[:8], 16)
