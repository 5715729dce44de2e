"""Policy and value model on one base: what they compute, where gradients go, and what is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("peft")

import torch
from transformers import AutoModelForCausalLM

from negotiation_env.engines.checkpoints import Number
from negotiation_env.engines.transformers_engine import TransformersEngine
from negotiation_env.errors import UsageError
from negotiation_env.game.scenario import sample_scenario
from negotiation_env.play.registry import load_manager, load_reward
from policies.training.on_policy.actor_critic import POLICY, VALUE, ActorCritic
from policies.training.on_policy.loop import epoch_order
from policies.training.on_policy.samples import Sample, SampledRound, SamplingAgent, TokenBatch, play, token_batches
from policies.training.settings import OnPolicyPreset
from tests.policies.on_policy.conftest import settings


@pytest.fixture(scope="module")
def engine(base: Path) -> TransformersEngine:
    return TransformersEngine(str(base), dtype="float32")


@pytest.fixture
def actor(engine: TransformersEngine, base: Path) -> Iterator[ActorCritic]:
    with ActorCritic(engine, OnPolicyPreset(**settings(base))) as models:
        _shake(models)
        yield models


def _shake(actor: ActorCritic) -> None:
    """Give every adapter weights of its own: a fresh one changes nothing."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in (*actor.policy_parameters().values(), *actor.value_parameters().values()):
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
    actor.engine.forget_prompts()


def _batch(actor: ActorCritic, samples: Sequence[Sample]) -> TokenBatch:
    """Return samples as one batch."""
    (batch,) = actor.batches(samples, 1 << 20)
    return batch


def _played(
    engine: TransformersEngine, group_size: int = 1, dialogues: int = 4, temperature: float = 1.0
) -> SampledRound:
    return play(
        SamplingAgent(engine, load_reward("repo"), 8, group_size, temperature),
        [sample_scenario(seed) for seed in range(dialogues)],
        lambda breakdown: breakdown.total,
        manager=load_manager("rules"),
        max_turns=3,
        turn_discount=0.0,
    )


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_training_recomputes_the_log_probabilities_that_were_recorded(actor: ActorCritic, temperature: float) -> None:
    samples = _played(actor.engine, group_size=3, temperature=temperature).samples
    actor.temperature = temperature
    assert len({len(s.prompt) for s in samples}) > 1
    batch = _batch(actor, samples)
    scores = actor.policy(batch)
    assert torch.allclose(scores.logprobs, batch.logprobs, atol=1e-4)
    assert not scores.logprobs[~batch.mask].any()
    away = actor.start_logprobs(batch)
    assert not torch.allclose(away, batch.logprobs, atol=1e-2)


def test_padding_and_neighbours_change_nothing(actor: ActorCritic) -> None:
    samples = _played(actor.engine).samples
    together = _batch(actor, samples)
    for compute in (lambda b: actor.policy(b).logprobs, actor.values, lambda b: actor.divergence(b)[0]):
        whole = compute(together)
        for row, sample in enumerate(samples):
            alone = compute(_batch(actor, [sample]))[0]
            assert torch.allclose(whole[row, : len(sample.reply)], alone, atol=1e-4)


def test_log_probabilities_are_a_plain_models(actor: ActorCritic, base: Path, tmp_path: Path) -> None:
    from peft import PeftModel

    sample = _played(actor.engine).samples[-1]
    actor.save_policy(tmp_path)
    plain: Any = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    model = PeftModel.from_pretrained(plain, str(tmp_path))
    ids = torch.tensor([[*sample.prompt, *sample.reply]])
    with torch.no_grad():
        expected = torch.log_softmax(model(input_ids=ids).logits[0], dim=-1)
    found = actor.policy(_batch(actor, [sample])).logprobs[0].detach()
    for place, token in enumerate(sample.reply):
        assert float(found[place]) == pytest.approx(float(expected[len(sample.prompt) - 1 + place, token]), abs=1e-4)


def test_a_temperature_belongs_to_the_policy(engine: TransformersEngine, base: Path) -> None:
    with ActorCritic(engine, OnPolicyPreset(**settings(base, temperature=0.5))) as models:
        _shake(models)
        batch = _batch(models, _played(engine).samples)
        sharp = models.policy(batch)
        models.temperature = 1.0
        plain = models.policy(batch)
    assert bool((sharp.entropy < plain.entropy + 1e-6).all()) and bool((sharp.entropy < plain.entropy).any())
    assert not torch.allclose(sharp.logprobs, plain.logprobs, atol=1e-2)


def test_gradients_flow_into_the_adapter_that_is_trained_and_nowhere_else(actor: ActorCritic) -> None:
    batch = _batch(actor, _played(actor.engine).samples)
    everything = {id(p): p for p in actor.base.model.parameters()}
    head = {id(p): p for p in actor.head.parameters()} if actor.head else {}
    for loss, adapter, own in (
        (actor.policy(batch).logprobs.sum(), POLICY, actor.policy_parameters()),
        (actor.values(batch).sum(), VALUE, actor.value_parameters()),
    ):
        for parameter in (everything | head).values():
            parameter.grad = None
        actor.backward(loss, adapter)
        touched = {key for key, p in (everything | head).items() if p.grad is not None and bool(p.grad.any())}
        assert touched and touched <= {id(p) for p in own.values()}


def test_a_value_model_on_the_uppermost_layers_learns_there_alone(engine: TransformersEngine, base: Path) -> None:
    last = int(engine.base.model.config.num_hidden_layers) - 1
    with ActorCritic(engine, OnPolicyPreset(**settings(base, value_layers=1))) as models:
        _shake(models)
        batch = _batch(models, _played(engine).samples)
        models.backward(models.values(batch).sum(), VALUE)
        touched = {name for name, p in models.value_parameters().items() if p.grad is not None and bool(p.grad.any())}
        layers = {name for name in models.value_parameters() if ".layers." in name}
        assert layers and layers <= touched and all(f".layers.{last}." in name for name in layers)
        assert any(".layers.0." in name for name in models.policy_parameters())


def test_a_policy_on_the_uppermost_layers_learns_there_alone(engine: TransformersEngine, base: Path) -> None:
    last = int(engine.base.model.config.num_hidden_layers) - 1
    with ActorCritic(engine, OnPolicyPreset(**settings(base, policy_layers=1))) as models:
        batch = _batch(models, _played(engine).samples)
        models.backward(models.policy(batch).logprobs.sum(), POLICY)
        assert models.policy_parameters()
        assert all(f".layers.{last}." in name for name in models.policy_parameters())
        assert any(p.grad is not None and bool(p.grad.any()) for p in models.policy_parameters().values())
        others = [
            p for n, p in models.base.model.named_parameters() if f".{POLICY}." in n and f".layers.{last}." not in n
        ]
        assert others and all(p.grad is None and not p.requires_grad for p in others)
        assert any(".layers.0." in name for name in models.value_parameters())


def test_policy_and_value_do_not_share_a_parameter(actor: ActorCritic) -> None:
    policy, value = actor.policy_parameters(), actor.value_parameters()
    assert policy and value and not {id(p) for p in policy.values()} & {id(p) for p in value.values()}
    assert {str(p.dtype) for p in (*policy.values(), *value.values())} == {"torch.float32"}


def test_the_written_adapter_speaks_through_the_engine_as_in_training(actor: ActorCritic, tmp_path: Path) -> None:
    samples = _played(actor.engine).samples
    actor.save_policy(tmp_path)
    opened = TransformersEngine(str(tmp_path), dtype="float32")
    assert opened.base is actor.base
    assert [s.reply for s in _played(opened).samples] == [s.reply for s in samples]


def test_afterwards_the_base_is_as_it_was(engine: TransformersEngine, base: Path) -> None:
    before = _played(engine).samples
    with ActorCritic(engine, OnPolicyPreset(**settings(base))) as models:
        _shake(models)
        assert [s.reply for s in _played(engine).samples] != [s.reply for s in before]
    assert [s.reply for s in _played(engine).samples] == [s.reply for s in before]


def test_a_start_must_fit_the_preset(actor: ActorCritic, base: Path, tmp_path: Path) -> None:
    actor.save_policy(tmp_path / "start")
    for changes in ({"lora_rank": 8}, {"start": str(tmp_path / "nothing")}):
        preset = OnPolicyPreset(**settings(base, **{"start": str(tmp_path / "start")} | changes))
        with pytest.raises(UsageError, match="start"):
            ActorCritic(actor.engine, preset)


def test_training_from_a_start_begins_with_its_weights(engine: TransformersEngine, base: Path, tmp_path: Path) -> None:
    with ActorCritic(engine, OnPolicyPreset(**settings(base))) as models:
        _shake(models)
        models.save_policy(tmp_path)
        said = [s.reply for s in _played(engine).samples]
    with ActorCritic(engine, OnPolicyPreset(**settings(base, start=str(tmp_path)))) as models:
        samples = _played(engine).samples
        assert [s.reply for s in samples] == said
        divergence, _ = models.divergence(_batch(models, samples))
        assert float(divergence.abs().max()) == 0.0


def test_memory_saving_changes_no_gradient(engine: TransformersEngine, base: Path) -> None:
    gradients = []
    for saves in (False, True):
        with ActorCritic(engine, OnPolicyPreset(**settings(base, gradient_checkpointing=saves))) as models:
            _shake(models)
            batch = _batch(models, _played(engine).samples)
            models.backward(models.policy(batch).logprobs.sum(), POLICY)
            gradients.append([p.grad for p in models.policy_parameters().values()])
            assert not models.base.model.training
    assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(*gradients, strict=True) if a is not None)


def test_batches_hold_each_sample_once_within_the_limit() -> None:
    samples = [Sample((1,) * n, (2,) * (n % 5 + 1), (0.0,) * (n % 5 + 1), 0.0, n) for n in (3, 40, 7, 7, 90, 12, 1)]
    batches = list(token_batches(samples, 60, torch.device("cpu"), torch.float32))
    assert sorted(i for batch in batches for i in batch.rows) == list(range(len(samples)))
    for batch in batches:
        assert batch.laid.ids.shape[1] <= 60 or len(batch.rows) == 1


def test_a_beginning_in_common_is_computed_once(actor: ActorCritic) -> None:
    start = tuple(range(20, 50))
    samples = [Sample((*start, 60 + n, 61), (70 + n, 71, 72), (0.0,) * 3, 0.0, n) for n in range(4)]
    together = _batch(actor, samples)
    assert together.laid.ids.shape[1] == 30 + 4 * 5
    for compute, own in ((lambda b: actor.policy(b).logprobs, POLICY), (actor.values, VALUE)):
        parameters = actor.policy_parameters() if own is POLICY else actor.value_parameters()
        gradients = []
        for batches in ([together], [_batch(actor, [sample]) for sample in samples]):
            for parameter in parameters.values():
                parameter.grad = None
            for batch in batches:
                actor.backward(compute(batch).square().sum(), own)
            gradients.append(torch.cat([p.grad.flatten() for p in parameters.values() if p.grad is not None]))
        assert float(gradients[0].abs().max()) > 0.0
        assert torch.allclose(gradients[0], gradients[1], atol=1e-4 * float(gradients[0].abs().max()))


def test_an_epoch_takes_each_reply_once_and_dialogues_whole_if_told() -> None:
    dialogues = [3, 3, 1 << 63, 3, 8, 1 << 63, 8, 8, 5]
    samples = [Sample((1, n), (2,), (0.0,), 0.0, n, dialogue) for n, dialogue in enumerate(dialogues)]
    orders = {}
    for whole in (False, True):
        found = [epoch_order(samples, np.random.default_rng(seed), whole) for seed in range(8)]
        assert all(sorted(order) == list(range(len(samples))) for order in found)
        assert len({tuple(order) for order in found}) > 1
        orders[whole] = [[dialogues[i] for i in order] for order in found]
    changes = {whole: [sum(a != b for a, b in pairwise(one)) for one in found] for whole, found in orders.items()}
    assert set(changes[True]) == {len(set(dialogues)) - 1} and max(changes[False]) > len(set(dialogues)) - 1


def test_a_group_shares_its_whole_prompt(actor: ActorCritic) -> None:
    prompts = (tuple(range(20, 50)), (*range(20, 32), *range(80, 98)))
    samples = [Sample(prompts[n // 3], (70 + n,), (0.0,), 0.0, n // 3) for n in range(6)]
    batch = _batch(actor, samples)
    assert batch.laid.ids.shape[1] == sum(map(len, prompts)) + 6
    for row, sample in enumerate(samples):
        alone = actor.policy(_batch(actor, [sample])).logprobs[0]
        assert torch.allclose(actor.policy(batch).logprobs[row], alone, atol=1e-4)


def test_half_precision_keeps_gradients_and_sampling(base: Path) -> None:
    gradients = []
    numbers: tuple[Number, ...] = ("float32", "bfloat16", "bfloat16")
    for number, saves in zip(numbers, (False, False, True), strict=True):
        engine = TransformersEngine(str(base), dtype=number)
        preset = OnPolicyPreset(**settings(base, dtype=number, gradient_checkpointing=saves))
        with ActorCritic(engine, preset) as models:
            _shake(models)
            before = _played(engine).samples
            batch = _batch(models, [Sample((7, 8, 9, 10), (11, 12, 13), (0.0,) * 3, 0.0, 0)])
            models.backward(models.policy(batch).logprobs.sum(), POLICY)
            models.backward(models.values(batch).sum(), VALUE)
            parameters = (models.policy_parameters() | models.value_parameters()).values()
            assert {p.dtype for p in parameters} == {torch.float32}
            gradients.append(torch.cat([p.grad.flatten() for p in parameters if p.grad is not None]))
            # What a pass switches on the adapters' layers is off again: the engine samples as before.
            assert [s.reply for s in _played(engine).samples] == [s.reply for s in before]
    exact, half, saved = gradients
    assert float(torch.nn.functional.cosine_similarity(exact, half, dim=0)) > 0.99
    assert float(half.norm() / exact.norm()) == pytest.approx(1.0, abs=0.05)
    assert torch.allclose(saved, half, rtol=1e-2, atol=1e-2)
