"""Chat engine on vLLM, in this process, for base models and for LoRA adapters on them.

Adapters of one base share one vLLM engine, since each takes most of a device's memory, and may share a batch
(``generate_together``); prompts that begin alike are computed once. vLLM seeds each request, but its arithmetic may
change with the batch: the same request may give another text in another batch. Its log-probabilities count the nucleus
where ``top_p`` is below 1.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from jinja2 import TemplateError
from vllm import LLM, SamplingParams
from vllm.lora.request import LoRARequest
from vllm.platforms import current_platform
from vllm.sampling_params import StructuredOutputsParams
from vllm.v1.engine.exceptions import EngineDeadError

try:
    from vllm.exceptions import VLLMError
except ImportError:  # older ones raise ValueError for what they refuse
    VLLMError = ValueError

from negotiation_env.engines.answers import settled_reply
from negotiation_env.engines.chat_model import INT64, ChatReply, ChatRequest, EngineSpecError, fault_reply
from negotiation_env.engines.chat_text import RequestText
from negotiation_env.engines.specs import VLLMSettings, adapter_config, base_path

MOST_PROMPT_TOKENS: Final = 2048
"""Longer prompts lose tokens from their middle, as in ``TransformersEngine``; a shorter context lowers it."""
_RANKS: Final = (8, 16, 32, 64, 128, 256, 512)
"""Ranks that vLLM takes."""
_open: dict[tuple[str, VLLMSettings], dict[int, _Shared]] = {}
"""Open engines by base and settings, and by the highest rank of the adapters that they take, 0 for none."""
_lock = threading.Lock()

Ids = tuple[int, ...]
Made = tuple[ChatReply, Ids]
"""A reply, and its prompt's token ids."""


class _Shared:
    """A vLLM engine, its lock (it serves one caller at a time), and the number of its latest adapter."""

    def __init__(self, llm: Any) -> None:
        self.llm = llm
        self.lock = threading.Lock()
        self.adapters = 0
        self.stopped = ""
        """Why it serves nobody any more."""

    def number(self) -> int:
        """Return a number that no adapter has had."""
        with self.lock:
            self.adapters += 1
            return self.adapters


class _Row(NamedTuple):
    """A request on its way into vLLM."""

    request: ChatRequest
    ids: Ids
    settings: SamplingParams
    adapter: LoRARequest | None


class VLLMEngine:
    """A ChatModel on vLLM.

    Args:
        name: "smollm2", "tiny", a checkpoint folder, a PEFT adapter folder, or a Hub id.
        settings: how vLLM runs the base; None for the defaults.

    Raises:
        EngineSpecError: if the adapter cannot be served.
    """

    def __init__(self, name: str, settings: VLLMSettings | None = None) -> None:
        self.spec = f"vllm:{name}"
        settings = settings or VLLMSettings()
        config = adapter_config(name)
        self._adapter: LoRARequest | None = None
        self._folder = ""
        if config is None:
            self._shared = _engine(base_path(name), settings.max_lora_rank or 0, settings, name)
        else:
            self._shared = _engine(
                base_path(config.base), max(config.rank, settings.max_lora_rank or 0), settings, name
            )
            self._folder = str(Path(name).expanduser().resolve())
            self.renew()
        llm = self._shared.llm
        self._context = int(llm.model_config.max_model_len)
        most = min(MOST_PROMPT_TOKENS, max(16, self._context - 32))
        self._prompts = RequestText(llm.get_tokenizer(), most, max(16, self._context - 32))

    @property
    def adapter(self) -> str | None:
        """Name of the adapter on the base, None if there is none."""
        return None if self._adapter is None else str(self._adapter.lora_name)

    @property
    def llm(self) -> Any:
        """The engine as vLLM has it; it serves one caller at a time."""
        return self._shared.llm

    def __repr__(self) -> str:
        return f"VLLMEngine({self.spec!r})"

    def renew(self) -> None:
        """Serve the adapter as its folder holds it now, once training has written it anew."""
        if not self._folder:
            return
        shared, old = self._shared, self._adapter
        # Under a number of its own: what vLLM remembers of prompts is kept by adapter, and would be the old one's.
        number = shared.number()
        self._adapter = LoRARequest(f"adapter-{number}", number, self._folder)
        if old is not None:
            with shared.lock:
                shared.llm.llm_engine.remove_lora(old.lora_int_id)

    def generate(self, requests: Sequence[ChatRequest]) -> list[ChatReply]:
        """One reply per request, in order; a refused batch is tried again one by one."""
        return [reply for reply, _ in self.generate_from_prompts(requests)]

    def generate_from_prompts(self, requests: Sequence[ChatRequest]) -> list[Made]:
        """One reply per request with the prompt's token ids, which training needs; a fault's may be empty."""
        return generate_together([(self, request) for request in requests])

    def row(self, request: ChatRequest) -> _Row | ChatReply:
        """Return a request as vLLM takes it, or the fault why it cannot."""
        try:
            ids = self._prompts.ids(request)
        except (TemplateError, ValueError) as error:
            return fault_reply(f"prompt: {error}")
        return _Row(request, ids, _settings(request, self._context - len(ids)), self._adapter)


def generate_together(asked: Sequence[tuple[VLLMEngine, ChatRequest]]) -> list[Made]:
    """Return one reply a request, in order, with its prompt's ids; adapters of one base are run in one batch."""
    made: dict[int, Made] = {}
    batches: dict[int, tuple[_Shared, dict[int, _Row]]] = {}
    for place, (engine, request) in enumerate(asked):
        row = engine.row(request)
        if isinstance(row, ChatReply):
            made[place] = (row, ())
        else:
            batches.setdefault(id(engine._shared), (engine._shared, {}))[1][place] = row
    for shared, rows in batches.values():
        replies = _sampled(shared, list(rows.values()))
        made |= {place: (reply, row.ids) for (place, row), reply in zip(rows.items(), replies, strict=True)}
    return [made[place] for place in range(len(asked))]


def _sampled(shared: _Shared, rows: Sequence[_Row]) -> list[ChatReply]:
    """Return one reply a row; where vLLM refuses a batch, each is tried alone."""
    if shared.stopped:
        return [fault_reply(shared.stopped)] * len(rows)
    try:
        with shared.lock:
            outputs = shared.llm.generate(
                [{"prompt_token_ids": list(row.ids)} for row in rows],
                [row.settings for row in rows],
                lora_request=[row.adapter for row in rows],
                use_tqdm=False,
            )
    except (EngineDeadError, RuntimeError) as error:
        # What was under way is still in vLLM's queue: another call would run into it, or wait for ever.
        shared.stopped = f"vLLM has stopped: {type(error).__name__}: {str(error)[:300]}; run again"
        return [fault_reply(shared.stopped)] * len(rows)
    except (ValueError, VLLMError) as error:
        if len(rows) > 1:
            return [reply for row in rows for reply in _sampled(shared, [row])]
        return [fault_reply(f"{type(error).__name__}: {str(error)[:300]}")]
    return [_reply(row.request, output) for row, output in zip(rows, outputs, strict=True)]


def _engine(base: str, rank: int, settings: VLLMSettings, name: str) -> _Shared:
    """Return an engine for a base that takes adapters of this rank; an open one where there is one."""
    with _lock:
        known = _open.setdefault((base, settings), {})
        fitting = [most for most in known if most >= rank]
        if not fitting:
            room = _room_for(rank, name) if rank else 0
            own = {"enable_lora": True, "max_lora_rank": room, "max_loras": settings.max_loras} if room else {}
            given = settings.model_dump(exclude_none=True, exclude={"max_loras", "max_lora_rank"})
            if current_platform.is_cpu():  # where vLLM cannot go on with a seeded request whose prompt was cut in two
                given["enable_chunked_prefill"] = False
            llm = LLM(
                model=base,
                load_format="safetensors",
                logprobs_mode="processed_logprobs",
                enable_prefix_caching=True,
                **given,
                **own,
            )
            known[room] = _Shared(llm)
            return known[room]
        return known[min(fitting)]


def _room_for(rank: int, name: str) -> int:
    """Return the least rank of vLLM's that an adapter of this rank fits in."""
    fitting = [most for most in _RANKS if most >= rank]
    if not fitting:
        raise EngineSpecError(f"{name}: expected an adapter of rank {_RANKS[-1]} or less, got {rank}; use hf:{name}")
    return fitting[0]


def _settings(request: ChatRequest, space: int) -> SamplingParams:
    """Return vLLM's sampling settings; ``space``: tokens left in the model's context."""
    # A choice is not to be cut; a token is a byte at least, and the end is one more.
    longest = max((len(choice.encode("utf-8", "replace")) for choice in request.choices), default=-1) + 1
    return SamplingParams(
        seed=request.seed % INT64,
        max_tokens=min(max(request.max_tokens, longest), max(1, space)),
        temperature=request.temperature,
        top_p=request.top_p,
        stop=[] if request.schema else list(request.stop),  # JSON may have line ends
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
