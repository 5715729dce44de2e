"""A random model of a few thousand parameters with a real tokenizer, and small data files, for tests of training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOMS = ("Deluxe King", "Superior Twin", "Family Suite")


def chats(count: int) -> list[list[dict[str, str]]]:
    """Chats in which the reply depends on the prompt."""
    return [
        [
            {"role": "system", "content": f"You sell rooms. {ROOMS[i % 3]}: now {300 + 7 * i} yuan."},
            {"role": "user", "content": f"Hello number {i}?"},
            {"role": "assistant", "content": f"How about {290 + 7 * i} yuan for the {ROOMS[i % 3]}?"},
        ]
        for i in range(count)
    ]


def save_tiny_model(folder: Path) -> Path:
    """Write a random checkpoint."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from policies.training.base_lm import train_tokenizer

    tokenizer = train_tokenizer(chats(40), 512, 256)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=256,
        tie_word_embeddings=True,
        initializer_range=0.2,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def write_sft(path: Path, count: int = 40) -> Path:
    """Write demonstrations, a quarter of them held out."""
    lines: list[dict[str, Any]] = [
        {"prompt": chat[:-1], "completion": chat[-1:], "split": "test" if i % 4 == 3 else "train"}
        for i, chat in enumerate(chats(count))
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def write_preferences(path: Path, count: int = 40) -> Path:
    """Write preference pairs, a quarter of them held out."""
    lines: list[dict[str, Any]] = [
        {
            "prompt": chat[:-1],
            "chosen": chat[-1:],
            "rejected": [{"role": "assistant", "content": "Whatever." if i % 2 else ""}],
            "split": "test" if i % 4 == 3 else "train",
        }
        for i, chat in enumerate(chats(count))
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def table(base: Path, **changes: Any) -> dict[str, Any]:
    """Settings of a run of eight steps."""
    return {
        "seed": 1,
        "base": str(base),
        "lora_rank": 4,
        "lora_alpha": 8,
        "learning_rate": 1e-2,
        "warmup_steps": 1,
        "epochs": 2,
        "batch_size": 8,
        "micro_batch_size": 4,
        "max_prompt_tokens": 128,
        "max_reply_tokens": 64,
        "dtype": "float32",
        "examples": 40,
        "held_out": 8,
        "measure_every": 3,
        **changes,
    }
