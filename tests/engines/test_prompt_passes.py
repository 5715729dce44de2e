"""How many passes prompts take, and that this changes no reply."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("transformers", reason="transformers is not installed")

from negotiation_env.engines.chat_model import ChatMessage, ChatRequest
from negotiation_env.engines.exact.decoding import BLOCK
from negotiation_env.engines.transformers_engine import TransformersEngine
from tests.engines.toy_base import write_toy_base

ROOMS = "The twin room, the king room and the suite are free all week. "


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> TransformersEngine:
    return TransformersEngine(str(write_toy_base(tmp_path_factory.mktemp("base"))), device="cpu", dtype="float32")


def _ask(i: int, system: str = ROOMS * 6, seed: int | None = None) -> ChatRequest:
    messages: tuple[ChatMessage, ...] = (
        {"role": "system", "content": system},
        {"role": "user", "content": f"I offer {300 + i} yuan a night for the twin room."},
    )
    return ChatRequest(messages, seed=i if seed is None else seed, max_tokens=1)


def _passes(engine: TransformersEngine, *calls: list[ChatRequest]) -> list[int]:
    """Return the tokens of each pass over prompts that these calls' requests take, the memory empty at first."""
    seen: list[int] = []
    embedding = engine.base.model.get_input_embeddings()
    hook = embedding.register_forward_hook(lambda _module, inputs, _out: seen.append(inputs[0].shape[1]))
    engine.forget_prompts()
    try:
        for requests in calls:
            assert all(reply.fault is None for reply in engine.generate(requests))
    finally:
        hook.remove()
    return [tokens for tokens in seen if tokens > 1]


def test_a_prompt_of_several_blocks_takes_one_pass(engine: TransformersEngine) -> None:
    assert 200 < len(engine.prompt_tokens(_ask(0))) < 500
    with engine.base.use(None) as model:
        cap = engine.shapes(model).cap
    tokens = len(engine.prompt_tokens(_ask(0))) - 1
    assert len(_passes(engine, [_ask(0)])) <= 1 + tokens // max(1, cap - BLOCK)


def test_what_prompts_share_is_computed_once(engine: TransformersEngine) -> None:
    alone = sum(_passes(engine, [_ask(0)]))
    same_prompt = [_ask(0, seed=seed) for seed in range(6)]
    assert sum(_passes(engine, same_prompt)) == alone
    same_system = [_ask(i) for i in range(6)]
    assert sum(_passes(engine, same_system)) < 2.5 * alone
    other_system = [_ask(i, f"Case {i}. {ROOMS * 6}") for i in range(6)]
    assert sum(_passes(engine, other_system)) > 5 * alone


def test_what_a_failed_reply_began_with_is_computed_once(engine: TransformersEngine) -> None:
    first, again = (replace(_ask(0, seed=seed), begin="The twin room is 380. I") for seed in (0, 1))
    assert _passes(engine, [first], [again]) == _passes(engine, [first])
    assert len(_passes(engine, [_ask(0)], [_ask(0, seed=1)])) > len(_passes(engine, [_ask(0)]))
    alone = engine.generate([again])
    engine.forget_prompts()
    assert engine.generate([again]) == alone


def test_replies_do_not_depend_on_the_passes_their_prompts_share(engine: TransformersEngine) -> None:
    requests = [_ask(i, f"Case {i % 3}. " * (i % 2) + ROOMS * (2 + i % 5)) for i in range(12)]
    engine.forget_prompts()
    together = engine.generate(requests)
    assert engine.generate(requests[::-1])[::-1] == together
    for request, reply in zip(requests, together, strict=True):
        engine.forget_prompts()
        assert engine.generate([request]) == [reply]
