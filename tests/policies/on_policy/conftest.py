"""A base small enough to train in a test: two layers, a tokenizer of its own, first weights from a seed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("peft")


def write_base(folder: Path) -> None:
    """Write an untrained two-layer model with a tokenizer."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from negotiation_env.game.scenario import sample_scenario
    from negotiation_env.play.exchange import open_negotiation
    from negotiation_env.play.prompts import prompt
    from negotiation_env.play.registry import load_manager
    from negotiation_env.play.rollout import agent_view
    from policies.training.base_lm import train_tokenizer

    manager = load_manager("rules")
    views = [agent_view(open_negotiation(sample_scenario(seed), manager)) for seed in range(30)]
    chats = [[{"role": m["role"], "content": m["content"]} for m in prompt(view)] for view in views]
    tokenizer = train_tokenizer(chats, 600, 1024)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        initializer_range=0.3,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a base that has learned nothing."""
    folder = tmp_path_factory.mktemp("base")
    write_base(folder)
    return folder


def settings(base: Path, **changes: Any) -> dict[str, Any]:
    """A preset for a run of a second or two on that base."""
    return {
        "seed": 0,
        "base": str(base),
        "lora_rank": 4,
        "lora_alpha": 8,
        "learning_rate": 1e-2,
        "warmup_steps": 2,
        "epochs": 1,
        "batch_size": 6,
        "micro_batch_size": 3,
        "max_prompt_tokens": 400,
        "max_reply_tokens": 6,
        "dtype": "float32",
        "reward": "repo",
        "manager": "rules",
        "replies": 24,
        "dialogues": 3,
        "max_turns": 2,
        "temperature": 1.0,
        "rollout_batch": 8,
        "value_learning_rate": 1e-2,
        "max_grad_norm": 1.0,
        "clip_range": 0.2,
        "dual_clip": 3.0,
        "gamma": 1.0,
        "gae_lambda": 0.95,
        "turn_discount": 0.0,
        "group_size": 1,
        "kl_weight": 0.0,
        "evaluate_every": 3,
        "held_out": 1,
        "least_entropy": 0.0,
        "most_divergence": 10.0,
        "most_empty": 1.0,
    } | changes
