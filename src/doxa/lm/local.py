"""Weights on this computer as a language model: batched sampling that gives the same answers for the same seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from doxa.errors import ConfigError
from doxa.lm.grouped_attention import grouped_attention, groups_attention
from doxa.records import Usage

if TYPE_CHECKING:
    from doxa.lm.request import Request, Response, Sampling

Messages = list[dict[str, str]]
# tokens less likely than the likeliest by more than this (nats, after temperature) are never drawn: e^-18 each
REACH = 18.0
SHARED_TOKENS = 64  # a common beginning from this length on is run once for a batch


def answer_locally(
    model: Any, tokenizer: Any, requests: list[Request], batch_size: int, answered: Callable[[Request, Response], None]
) -> None:
    """Answer requests with a loaded model, on the device that it lies on.

    Each answer is drawn with a seed of its own, its request's key, so that it does not hang on which requests share its
    batch: a run that was killed goes on to the same answers (up to the rounding of differently padded batches). Raises
    ConfigError for a model without a chat template and for a request longer than the model's context.
    """
    chats = [request for request in requests if not _is_raw(request)]
    if chats and not tokenizer.chat_template:
        raise ConfigError(f"{chats[0].model}: has no chat template, so it can't be asked; name an instruct model")
    prompts = {request.key: _request_tokens(tokenizer, request) for request in requests}
    context = model.config.max_position_embeddings
    for request in requests:
        if len(prompts[request.key]) >= context:
            raise ConfigError(
                f"{request.model}: a request of {len(prompts[request.key])} tokens ({request.stage}) does not fit into "
                f"the model's context of {context}; shorten the universe or take another model"
            )
    model.eval()  # a lent one may come from training
    beginning = _Beginning(model)
    for batch in _batches(requests, prompts, batch_size, context):
        for request, response in _answer_batch(model, tokenizer, batch, prompts, context, beginning):
            answered(request, response)


def _is_raw(request: Request) -> bool:
    """Whether a request is a lone assistant's turn: a text to go on with, without a chat around it."""
    return len(request.messages) == 1 and request.messages[0].role == "assistant"


def _request_tokens(tokenizer: Any, request: Request) -> list[int]:
    if _is_raw(request):
        ids: list[int] = tokenizer(request.messages[0].content)["input_ids"]
        return ids
    return _prompt_tokens(tokenizer, _conversation(request))


def _conversation(request: Request) -> Messages:
    return [{"role": message.role, "content": message.content} for message in request.messages]


def _prompt_tokens(tokenizer: Any, conversation: Messages) -> list[int]:
    text = tokenizer.apply_chat_template(conversation, tokenize=False, add_generation_prompt=True)
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids


def _padding(tokenizer: Any) -> int:
    pad: int = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    return pad


def _padded(prompts: list[list[int]], pad: int, device: Any, shared: int = 0) -> tuple[Any, Any]:
    """Token ids and attention mask [batch, longest]; all answers begin at one column.

    Padded on the left, behind the first `shared` tokens, which all prompts have in common and which stand in the first
    columns so that they are run once.
    """
    import torch

    longest = max(len(prompt) for prompt in prompts)
    ids = torch.full((len(prompts), longest), pad, device=device)
    mask = torch.zeros_like(ids)
    for place, prompt in enumerate(prompts):
        start = longest - len(prompt) + shared
        ids[place, :shared] = torch.tensor(prompt[:shared], dtype=ids.dtype, device=device)
        ids[place, start:] = torch.tensor(prompt[shared:], dtype=ids.dtype, device=device)
        mask[place, :shared] = 1
        mask[place, start:] = 1
    return ids, mask


def _shared_length(prompts: list[list[int]]) -> int:
    """How many first tokens are run once for all prompts: those of a long common system prompt, else none.

    Each prompt keeps a token of its own, from which its answer is predicted.
    """
    first, last = min(prompts), max(prompts)
    shared = next((place for place, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), None)
    length = min(len(first), len(last)) if shared is None else shared
    length = min(length, min(len(prompt) for prompt in prompts) - 1)
    return length if length >= SHARED_TOKENS and len(prompts) > 1 else 0


class _Beginning:
    """Keys and values of what the prompts of a batch begin with: run once, repeated per row, kept for the next batch.

    Only for models all of whose layers attend to everything before: others keep states that can't be cut.
    """

    def __init__(self, model: Any) -> None:
        config = model.config.get_text_config()
        layers = getattr(config, "layer_types", None) or ["full_attention"]
        plain = set(layers) == {"full_attention"} and not getattr(config, "sliding_window", None)
        self.usable = plain and not model._is_stateful
        self._grouped = self.usable and groups_attention(model)
        self._model = model
        self._tokens: list[int] = []
        self._cache: Any = None

    def length(self, prompts: list[list[int]]) -> int:
        """How many first tokens of these prompts are run once."""
        if not self.usable:
            return 0
        shared = _shared_length(prompts)
        kept = len(self._tokens)
        # a little more that this batch has in common is not worth another run
        fits = kept and prompts[0][:kept] == self._tokens and kept <= shared < kept + SHARED_TOKENS
        return kept if fits else shared

    def rows(self, tokens: list[int], count: int, room: int) -> Any:
        """A cache of `count` rows that holds these tokens, with room for `room` in all; None for other models."""
        import torch
        from transformers import DynamicCache

        from doxa.lm.roomy_cache import roomy_cache

        if not self.usable:
            return None
        repeated: Any = roomy_cache(self._model, room)
        if not tokens:
            return repeated

        if tokens != self._tokens:
            self._cache = DynamicCache(config=self._model.config.get_text_config())
            ids = torch.tensor([tokens], device=self._model.device)
            with torch.no_grad():
                self._model(input_ids=ids, past_key_values=self._cache, use_cache=True, logits_to_keep=1)
            self._tokens = tokens
        for layer, filled in zip(repeated.layers, self._cache.layers, strict=True):
            if self._grouped:
                layer.shared = (filled.keys, filled.values)
            else:
                layer.begin(filled.keys, filled.values, count)
        return repeated

    def attention(self, cache: Any) -> AbstractContextManager[None]:
        """How the model attends to a cache of `rows`."""
        return grouped_attention(self._model, cache.layers) if self._grouped else nullcontext()


def _batches(
    requests: list[Request], prompts: dict[str, list[int]], size: int, context: int
) -> Iterator[list[Request]]:
    """Requests of one sampling and of similar length together, so that little is padded.

    Those with less room before the end of the context than they may use share a batch with their like alone: the
    length of an answer must not hang on who is beside it.
    """

    def room(request: Request) -> int:
        return min(request.sampling.max_tokens, context - len(prompts[request.key]))

    def order(request: Request) -> tuple[str, int, str]:
        return request.sampling.model_dump_json(), len(prompts[request.key]), request.key

    batch: list[Request] = []
    for request in sorted(requests, key=order):
        full = len(batch) == size
        if batch and (full or request.sampling != batch[0].sampling or room(request) != room(batch[0])):
            yield batch
            batch = []
        batch.append(request)
    if batch:
        yield batch


def _answer_batch(
    model: Any,
    tokenizer: Any,
    batch: list[Request],
    prompts: dict[str, list[int]],
    context: int,
    beginning: _Beginning,
) -> list[tuple[Request, Response]]:
    import torch
    from transformers import LogitsProcessorList

    from doxa.lm.request import Response

    sampling = batch[0].sampling
    pad = _padding(tokenizer)
    tokens_of = [prompts[request.key] for request in batch]
    shared = beginning.length(tokens_of)
    ids, mask = _padded(tokens_of, pad, model.device, shared)
    longest = ids.shape[1]
    room = min(sampling.max_tokens, context - longest)
    cache = beginning.rows(tokens_of[0][:shared], len(batch), longest + room)
    draws = [] if sampling.temperature == 0 else [_Draws([one.key for one in batch], sampling, longest, room)]
    with torch.no_grad(), beginning.attention(cache):
        out = model.generate(
            input_ids=ids,
            attention_mask=mask,
            past_key_values=cache,
            max_new_tokens=room,
            pad_token_id=pad,
            do_sample=False,
            logits_processor=LogitsProcessorList(draws),
            stop_strings=list(sampling.stop) or None,
            tokenizer=tokenizer if sampling.stop else None,
        )
    ends = model.generation_config.eos_token_id
    end_ids = set(ends if isinstance(ends, list) else [ends])
    made: list[tuple[Request, Response]] = []
    for request, row in zip(batch, out[:, longest:].tolist(), strict=True):
        stop_at = next((place for place, token in enumerate(row) if token in end_ids), None)
        tokens = row if stop_at is None else row[:stop_at]
        text = tokenizer.decode(tokens, skip_special_tokens=True).strip()
        usage = Usage(input_tokens=len(prompts[request.key]), output_tokens=len(tokens))
        cut = stop_at is None and not any(text.endswith(stop) for stop in sampling.stop)
        response = Response(key=request.key, text=text, stop="length" if cut else "stop", model="local", usage=usage)
        made.append((request, response))
    return made


class _Draws:
    """A logits processor of transformers: noise by which greedy decoding after it samples (the Gumbel trick).

    The noise of a row at a step is a hash of its request's key, the step and the token, so that it hangs neither on who
    shares the batch nor on rounding: logits that differ by an epsilon draw alike but for an epsilon of the cases. It
    is worked out only for tokens within REACH of the likeliest; noise for a whole vocabulary a row took most of the
    time of sampling a hundred answers at once on a CPU.
    """

    def __init__(self, keys: list[str], sampling: Sampling, start: int, steps: int) -> None:
        import torch

        self._heat = 1.0 if sampling.temperature is None else sampling.temperature
        self._top_p = sampling.top_p
        self._start = start
        seeds = [int(key[:15], 16) ^ (sampling.seed or 0) for key in keys]
        self._seeds_BS = torch.stack(
            [torch.randint(2**62, (steps,), generator=torch.Generator().manual_seed(seed)) for seed in seeds]
        )

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        import torch

        scaled_BV = scores.float() / self._heat
        within_BV = scaled_BV >= scaled_BV.amax(-1, keepdim=True) - REACH
        if self._top_p is not None and self._top_p < 1:
            ordered_BV, places_BV = scaled_BV.softmax(-1).sort(descending=True)
            before_BV = ordered_BV.cumsum(-1) - ordered_BV
            within_BV &= torch.zeros_like(within_BV).scatter(-1, places_BV, before_BV < self._top_p)
        rows_N, tokens_N = within_BV.nonzero(as_tuple=True)
        step = input_ids.shape[1] - self._start
        seeds_N = self._seeds_BS[:, step].to(scores.device)[rows_N]
        noisy_BV = torch.full_like(scaled_BV, float("-inf"))
        noisy_BV[rows_N, tokens_N] = scaled_BV[rows_N, tokens_N] - (-_uniform(seeds_N, tokens_N).log()).log().float()
        return noisy_BV


def _uniform(seeds_N: Any, tokens_N: Any) -> Any:
    """float64 in (0, 1) by SplitMix64 (Steele et al. 2014) of seed and token: the same anywhere, in any order."""
    mixed_N = seeds_N + (tokens_N + 1) * -0x61C8864680B583EB
    for shift, factor in ((30, -0x40A7B892E31B1A47), (27, -0x6B2FB644ECCEEE15)):
        mixed_N = (mixed_N ^ _shifted(mixed_N, shift)) * factor
    return (_shifted(mixed_N ^ _shifted(mixed_N, 31), 11).double() + 0.5) * 2.0**-53


def _shifted(values_N: Any, bits: int) -> Any:
    """A logical shift to the right: torch's own keeps the sign of 64-bit numbers."""
    return (values_N >> bits) & ((1 << (64 - bits)) - 1)


def generate(
    model: Any,
    tokenizer: Any,
    conversations: list[Messages],
    max_new_tokens: int,
    temperature: float = 0.0,
    seed: int = 0,
    batch_size: int = 16,
) -> list[str]:
    """One answer per conversation, in order; greedy at temperature 0.

    Conversations are batched as they come, and each batch is seeded by its own place, so asking for the first n only,
    in whole batches, gives the same first n.
    """
    import torch

    pad = _padding(tokenizer)
    answers: list[str] = []
    for start in range(0, len(conversations), batch_size):
        prompts = [_prompt_tokens(tokenizer, one) for one in conversations[start : start + batch_size]]
        ids, mask = _padded(prompts, pad, model.device)
        sampling: dict[str, Any] = (
            {"do_sample": True, "temperature": temperature, "top_k": 0, "top_p": 1.0}
            if temperature > 0
            else {"do_sample": False}
        )
        with torch.no_grad(), torch.random.fork_rng():
            torch.manual_seed(seed * 1_000_003 + start)
            out = model.generate(
                input_ids=ids, attention_mask=mask, max_new_tokens=max_new_tokens, pad_token_id=pad, **sampling
            )
        answers += [tokenizer.decode(row, skip_special_tokens=True).strip() for row in out[:, ids.shape[1] :]]
    return answers
