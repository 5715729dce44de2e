"""Chat engine on transformers models, in this process, on CPU or CUDA.

A reply depends on its own request alone: the same request gives the same text alone, in a batch, or in another order
(see decoding for how, and for what it rests on).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jinja2 import TemplateError
from transformers import PreTrainedModel

from negotiation_env.engines.answers import settled_reply
from negotiation_env.engines.chat_model import ChatReply, ChatRequest, fault_reply
from negotiation_env.engines.chat_text import RequestText, plain_ids
from negotiation_env.engines.checkpoints import Number, open_checkpoint
from negotiation_env.engines.exact.attention import BlockStore
from negotiation_env.engines.exact.decoding import DecodedRow, columns_needed, decode
from negotiation_env.engines.exact.shapes import Shapes, probe_shapes
from negotiation_env.engines.specs import NAMED_BASES


class TransformersEngine:
    """A ChatModel on a transformers causal language model.

    name: "smollm2", "tiny", a checkpoint folder, a PEFT adapter folder, or a Hub id.
    max_batch: replies made at once; max_batch_tokens: grid cells (rows times columns) at once,
    which bounds memory; max_prompt_tokens: longer prompts lose tokens from their middle (the
    first quarter and the end stay), but for those that are to stay whole; prefix_cache_mb: memory
    for prompt blocks shared among requests and calls, 0 for none.
    Raises EngineSpecError where name cannot be loaded.
    """

    def __init__(
        self,
        name: str = "smollm2",
        *,
        spec: str | None = None,
        device: str = "auto",
        dtype: Number = "auto",
        max_batch: int = 64,
        max_batch_tokens: int = 65_536,
        max_prompt_tokens: int = 2048,
        prefix_cache_mb: int = 512,
    ) -> None:
        if max_batch < 1 or max_prompt_tokens < 16:
            raise ValueError(
                "expected max_batch of at least 1 and max_prompt_tokens of at least 16, "
                f"got {max_batch} and {max_prompt_tokens}"
            )
        self.spec = spec or (name if name in NAMED_BASES else f"hf:{name}")
        self.base, self.adapter = open_checkpoint(name, device, dtype)
        self.tokenizer = self.base.tokenizer
        self.max_batch = max_batch
        self.max_batch_tokens = max_batch_tokens
        positions = getattr(self.base.model.config.get_text_config(), "max_position_embeddings", 0)
        self.context = int(positions or 1 << 20)
        self.max_prompt_tokens = min(max_prompt_tokens, max(16, self.context - 32))
        self.ends = _end_tokens(self.base.model, self.tokenizer)
        self._prompts = RequestText(self.tokenizer, self.max_prompt_tokens, max(16, self.context - 32))
        self._store = BlockStore(prefix_cache_mb * 1024 * 1024)
        self._shapes: dict[int, Shapes] = {}

    def __repr__(self) -> str:
        return f"TransformersEngine({self.spec!r})"

    def forget_prompts(self) -> None:
        """Empty the memory of prompt blocks; call it after changing the model's weights."""
        self._store.clear()

    def renew(self) -> None:
        """Serve the adapter as its folder holds it now, once training has written it anew."""
        if self.adapter is not None:
            self.base.renew_adapter(self.adapter)
            self.forget_prompts()

    def prompt_tokens(self, request: ChatRequest) -> tuple[int, ...]:
        """The token ids that the model is given for a request, cut to max_prompt_tokens.

        Raises jinja2.TemplateError where the chat template refuses the messages.
        """
        return self._prompts.ids(request)

    def generate(self, requests: Sequence[ChatRequest]) -> list[ChatReply]:
        """One reply per request, in order."""
        return [reply for reply, _ in self.generate_from_prompts(requests)]

    def generate_from_prompts(self, requests: Sequence[ChatRequest]) -> list[tuple[ChatReply, tuple[int, ...]]]:
        """One reply per request with the prompt's token ids, which training needs; a fault's may be empty."""
        replies: list[ChatReply | None] = [None] * len(requests)
        rows: dict[int, DecodedRow] = {}
        for i, request in enumerate(requests):
            try:
                rows[i] = self._row(request)
            except (TemplateError, ValueError) as error:
                replies[i] = fault_reply(f"prompt: {error}")
        with self.base.use(self.adapter) as model:
            shapes = self.shapes(model) if rows else Shapes()
            for wave in self._waves(rows, min(self.max_batch, shapes.decode_cap)):
                failed = self._run(model, [rows[i] for i in wave], shapes)
                for i in wave:
                    replies[i] = self._reply(requests[i], rows[i], failed.get(id(rows[i])))
        return [
            (reply or fault_reply("no reply was made"), rows[i].prompt if i in rows else ())
            for i, reply in enumerate(replies)
        ]

    def shapes(self, model: PreTrainedModel) -> Shapes:
        """Batch sizes that leave a row's result unchanged, measured once a thread count."""
        threads = torch.get_num_threads()
        if threads not in self._shapes:
            self._shapes[threads] = probe_shapes(model, self.max_batch)
        return self._shapes[threads]

    def _row(self, request: ChatRequest) -> DecodedRow:
        prompt, prefix = self._prompts.ids_and_prefix(request)
        if not prompt:
            raise ValueError("expected at least one token, got an empty prompt")
        first = self._first_tokens(request.choices)
        return DecodedRow(
            prompt=prompt,
            prefix=prefix,
            limit=1 if first else min(request.max_tokens, max(1, self.context - len(prompt))),
            first=first,
            seed=request.seed,
            temperature=request.temperature,
            top_p=request.top_p,
            halt=self._halt(request.stop),
            again=bool(request.begin),  # what a failed reply began with is asked for again
        )

    def _first_tokens(self, choices: tuple[str, ...]) -> tuple[int, ...]:
        """Each choice's first token, where these tell the choices apart; else none, and the reply is free."""
        first = tuple(plain_ids(self.tokenizer, choice)[0] for choice in choices)
        return first if len(set(first)) == len(choices) else ()

    def _halt(self, stop: tuple[str, ...]) -> Callable[[list[int]], bool] | None:
        if not stop:
            return None

        def came(tokens: list[int]) -> bool:
            text = self._text(tokens)
            return any(string in text for string in stop)

        return came

    def _waves(self, rows: dict[int, DecodedRow], most_rows: int) -> list[list[int]]:
        """Indices of rows, grouped by similar length within the batch and memory limits."""
        order = sorted(rows, key=lambda i: len(rows[i].prompt) + rows[i].limit)
        waves: list[list[int]] = []
        for i in order:
            columns = columns_needed(len(rows[i].prompt), rows[i].limit)
            most = min(most_rows, max(1, self.max_batch_tokens // columns))
            if not waves or len(waves[-1]) >= most:
                waves.append([])
            waves[-1].append(i)
        return waves

    def _run(self, model: PreTrainedModel, rows: list[DecodedRow], shapes: Shapes) -> dict[int, str]:
        """Decode rows, in halves where memory does not suffice; causes of failure by row id."""
        try:
            decode(model, rows, self.ends, self._store, shapes)
        except (RuntimeError, IndexError, ValueError) as error:
            # torch reports lack of memory, and most else, as RuntimeError.
            for row in rows:
                row.tokens, row.logprobs, row.finish = [], [], None
            if len(rows) == 1:
                return {id(rows[0]): f"{type(error).__name__}: {str(error)[:300]}"}
            half = len(rows) // 2
            return self._run(model, rows[:half], shapes) | self._run(model, rows[half:], shapes)
        return {}

    def _reply(self, request: ChatRequest, row: DecodedRow, cause: str | None) -> ChatReply:
        if cause is not None:
            return fault_reply(cause)
        if row.finish is None or row.finish == "fault":
            return fault_reply("the model's output is not a number")
        text = self._text(row.tokens)
        if row.first:
            text = request.choices[row.first.index(row.tokens[0])]
        cuts = [place for place in (text.find(string) for string in request.stop) if place >= 0]
        return settled_reply(
            ChatReply(
                text=request.begin + (text[: min(cuts)] if cuts else text),
                token_ids=tuple(row.tokens),
                logprobs=tuple(row.logprobs),
                prompt_tokens=len(row.prompt),
                finish=row.finish,
            )
        )

    def _text(self, tokens: Sequence[int]) -> str:
        return str(self.tokenizer.decode(list(tokens), skip_special_tokens=True))


def _end_tokens(model: PreTrainedModel, tokenizer: object) -> frozenset[int]:
    ends: set[int] = set()
    configured = getattr(model.generation_config, "eos_token_id", None)
    for found in (configured, getattr(tokenizer, "eos_token_id", None)):
        if isinstance(found, int):
            ends.add(found)
        elif isinstance(found, list | tuple):
            ends.update(int(i) for i in found)
    vocabulary: dict[str, int] = getattr(tokenizer, "get_vocab", dict)()
    if "<|im_end|>" in vocabulary:
        ends.add(vocabulary["<|im_end|>"])
    return frozenset(ends)
