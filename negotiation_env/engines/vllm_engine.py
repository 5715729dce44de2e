"""Chat engine on vLLM, in this process.

Knows vLLM's offline interface. vLLM seeds each request, but its arithmetic may change with the
batch: the same request may give another text in another batch. Its log-probabilities count the
nucleus where ``top_p`` is below 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vllm import LLM, SamplingParams
from vllm.sampling_params import StructuredOutputsParams

from negotiation_env.engines.protocol import ChatReply, ChatRequest, fault_reply
from negotiation_env.engines.smollm2 import smollm2_path


class VLLMEngine:
    """A ChatModel on vLLM. name: "smollm2", a checkpoint folder, or a Hub id."""

    def __init__(self, name: str) -> None:
        self.spec = f"vllm:{name}"
        model = str(smollm2_path()) if name == "smollm2" else name
        self._llm: Any = LLM(model=model, load_format="safetensors", logprobs_mode="processed_logprobs")

    def __repr__(self) -> str:
        return f"VLLMEngine({self.spec!r})"

    def generate(self, requests: Sequence[ChatRequest]) -> list[ChatReply]:
        """One reply per request, in order; a failed batch is tried again one by one."""
        try:
            return self._batch(requests)
        except (RuntimeError, ValueError) as error:
            if len(requests) > 1:
                return [self.generate([request])[0] for request in requests]
            return [fault_reply(f"{type(error).__name__}: {str(error)[:300]}")]

    def _batch(self, requests: Sequence[ChatRequest]) -> list[ChatReply]:
        if not requests:
            return []
        tokenizer = self._llm.get_tokenizer()
        prompts = []
        for request in requests:
            text = tokenizer.apply_chat_template(
                [dict(m) for m in request.messages], add_generation_prompt=True, tokenize=False
            )
            ids = tokenizer(str(text) + request.begin, add_special_tokens=False)["input_ids"]
            prompts.append({"prompt_token_ids": list(ids)})
        outputs = self._llm.generate(prompts, [_sampling(r) for r in requests], use_tqdm=False)
        return [_reply(r, o) for r, o in zip(requests, outputs, strict=True)]


def _sampling(request: ChatRequest) -> Any:
    return SamplingParams(
        seed=request.seed,
        max_tokens=request.max_tokens,
        temperature=request.temperature,
        top_p=request.top_p,
        stop=list(request.stop),
        logprobs=0,
        structured_outputs=StructuredOutputsParams(choice=list(request.choices)) if request.choices else None,
    )


def _reply(request: ChatRequest, output: Any) -> ChatReply:
    sample = output.outputs[0]
    tokens = tuple(int(token) for token in sample.token_ids)
    chosen = zip(tokens, sample.logprobs or (), strict=False)
    return ChatReply(
        text=request.begin + sample.text,
        token_ids=tokens,
        logprobs=tuple(float(place[token].logprob) for token, place in chosen),
        prompt_tokens=len(output.prompt_token_ids),
        finish="length" if sample.finish_reason == "length" else "stop",
    )
