"""Chat engine on vLLM, in this process, for base models and for LoRA adapters on them.

Adapters of one base share one vLLM engine, since each takes most of a device's memory. vLLM seeds each request, but its
arithmetic may change with the batch: the same request may give another text in another batch. Its log-probabilities
count the nucleus where ``top_p`` is below 1.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from jinja2 import TemplateError
from vllm import LLM, SamplingParams
from vllm.lora.request import LoRARequest
from vllm.sampling_params import StructuredOutputsParams

from negotiation_env.engines.answers import settled_reply
from negotiation_env.engines.chat_model import INT64, ChatReply, ChatRequest, EngineSpecError, fault_reply
from negotiation_env.engines.chat_text import RequestText
from negotiation_env.engines.specs import adapter_config, base_path

MOST_PROMPT_TOKENS: Final = 2048
"""Longer prompts lose tokens from their middle, as in ``TransformersEngine``; a shorter context lowers it."""
_RANKS: Final = (16, 32, 64, 128, 256, 512)
"""Ranks that vLLM takes."""
_open: dict[str, dict[int, Any]] = {}
"""Open engines by base and by the highest rank of the adapters that they take, 0 for none."""
_numbers: dict[str, int] = {}
"""vLLM's number of each adapter folder, from 1."""
_lock = threading.Lock()

Ids = tuple[int, ...]


class VLLMEngine:
    """A ChatModel on vLLM.

    Args:
        name: "smollm2", "tiny", a checkpoint folder, a PEFT adapter folder, or a Hub id.

    Raises:
        EngineSpecError: if the adapter cannot be served.
    """

    def __init__(self, name: str) -> None:
        self.spec = f"vllm:{name}"
        config = adapter_config(name)
        self._adapter: LoRARequest | None = None
        if config is None:
            self._llm = _engine(base_path(name), 0)
        else:
            self._llm = _engine(base_path(config.base), _room_for(config.rank, name))
            self._adapter = _registered(str(Path(name).expanduser().resolve()))
        self._context = int(self._llm.model_config.max_model_len)
        most = min(MOST_PROMPT_TOKENS, max(16, self._context - 32))
        self._prompts = RequestText(self._llm.get_tokenizer(), most, max(16, self._context - 32))

    @property
    def adapter(self) -> str | None:
        """Name of the adapter on the base, None if there is none."""
        return None if self._adapter is None else str(self._adapter.lora_name)

    def __repr__(self) -> str:
        return f"VLLMEngine({self.spec!r})"

    def generate(self, requests: Sequence[ChatRequest]) -> list[ChatReply]:
        """One reply per request, in order; a failed batch is tried again one by one."""
        prompts: dict[int, Ids] = {}
        replies: dict[int, ChatReply] = {}
        for place, request in enumerate(requests):
            try:
                prompts[place] = self._prompts.ids(request)
            except (TemplateError, ValueError) as error:
                replies[place] = fault_reply(f"prompt: {error}")
        replies |= self._sampled(requests, prompts)
        return [replies[place] for place in range(len(requests))]

    def _sampled(self, requests: Sequence[ChatRequest], prompts: Mapping[int, Ids]) -> dict[int, ChatReply]:
        """Return replies by their requests' places."""
        if not prompts:
            return {}
        settings = [_settings(requests[place], self._context - len(ids)) for place, ids in prompts.items()]
        try:
            outputs = self._llm.generate(
                [{"prompt_token_ids": list(ids)} for ids in prompts.values()],
                settings,
                lora_request=self._adapter,
                use_tqdm=False,
            )
        except (RuntimeError, ValueError) as error:
            if len(prompts) > 1:
                alone = [self._sampled(requests, {place: ids}) for place, ids in prompts.items()]
                return {place: reply for found in alone for place, reply in found.items()}
            return {place: fault_reply(f"{type(error).__name__}: {str(error)[:300]}") for place in prompts}
        return {place: _reply(requests[place], output) for place, output in zip(prompts, outputs, strict=True)}


def _engine(base: str, rank: int) -> Any:
    """Return an engine for a base that takes adapters of this rank; an open one where there is one."""
    with _lock:
        known = _open.setdefault(base, {})
        fitting = [most for most in known if most >= rank]
        if fitting:
            return known[min(fitting)]
        adapters = {"enable_lora": True, "max_lora_rank": rank} if rank else {}
        known[rank] = LLM(model=base, load_format="safetensors", logprobs_mode="processed_logprobs", **adapters)
        return known[rank]


def _room_for(rank: int, name: str) -> int:
    """Return the least rank of vLLM's that an adapter of this rank fits in."""
    fitting = [most for most in _RANKS if most >= rank]
    if not fitting:
        raise EngineSpecError(f"{name}: expected an adapter of rank {_RANKS[-1]} or less, got {rank}; use hf:{name}")
    return fitting[0]


def _registered(folder: str) -> LoRARequest:
    """Return vLLM's name for an adapter folder."""
    with _lock:
        number = _numbers.setdefault(folder, len(_numbers) + 1)
    return LoRARequest(f"adapter-{number}", number, folder)


def _settings(request: ChatRequest, space: int) -> SamplingParams:
    """Return vLLM's sampling settings; ``space``: tokens left in the model's context."""
    return SamplingParams(
        seed=request.seed % INT64,
        max_tokens=min(request.max_tokens, max(1, space)),
        temperature=request.temperature,
        top_p=request.top_p,
        stop=list(request.stop),
        logprobs=0,
        structured_outputs=_structure(request),
    )


def _reply(request: ChatRequest, output: Any) -> ChatReply:
    sample = output.outputs[0]
    tokens = tuple(int(token) for token in sample.token_ids)
    chosen = zip(tokens, sample.logprobs or (), strict=False)
    return settled_reply(
        ChatReply(
            text=request.begin + sample.text,
            token_ids=tokens,
            logprobs=tuple(float(place[token].logprob) for token, place in chosen),
            prompt_tokens=len(output.prompt_token_ids),
            finish="length" if sample.finish_reason == "length" else "stop",
        )
    )


def _structure(request: ChatRequest) -> StructuredOutputsParams | None:
    """Return the form that a reply must have, None for any."""
    if request.choices:
        return StructuredOutputsParams(choice=list(request.choices))
    return StructuredOutputsParams(json=request.schema) if request.schema else None
