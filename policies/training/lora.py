"""LoRA adapters on a frozen base: opened for training, and saved as PEFT saves them.

The base keeps the number format that the preset says; adapters are float32. Knows no method.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import peft
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerBase

from negotiation_env.engines.specs import base_path
from negotiation_env.errors import UsageError
from policies.adapters import start_folder
from policies.training.settings import AdapterPreset

ADAPTER = "default"


def load_base(settings: AdapterPreset) -> tuple[Any, PreTrainedTokenizerBase]:
    """Return the preset's base, frozen, on the CPU, and its tokenizer with a padding token."""
    path = base_path(settings.base)
    model = AutoModelForCausalLM.from_pretrained(
        path, dtype=getattr(torch, settings.dtype), use_safetensors=True, attn_implementation="sdpa"
    )
    model.requires_grad_(False)
    model.name_or_path = settings.base  # PEFT notes it in the adapter, whatever the folder on this machine
    tokenizer = AutoTokenizer.from_pretrained(path)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return model, tokenizer


def lora_config(settings: AdapterPreset, layers: Sequence[int] | None = None) -> peft.LoraConfig:
    """Return the preset's adapter, on these layers (None: all): no dropout, no biases, the base's name as it has it."""
    return peft.LoraConfig(
        r=settings.lora_rank,
        lora_alpha=settings.lora_alpha,  # type: ignore[arg-type]  # a fraction is fine, PEFT divides by the rank
        lora_dropout=0.0,
        target_modules=list(settings.lora_targets),
        layers_to_transform=None if layers is None else list(layers),
        task_type="CAUSAL_LM",
        base_model_name_or_path=settings.base,
    )


def with_adapter(model: Any, settings: AdapterPreset) -> peft.PeftModel:
    """Return the base with the adapter to train: the preset's start, or a new one whose weights follow from the seed.

    Raises:
        UsageError: if the start is an adapter of another base or another shape than the preset's.
    """
    wrapped: Any
    if not settings.start:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            wrapped = peft.get_peft_model(model, lora_config(settings), adapter_name=ADAPTER)
    else:
        folder = start_folder(settings.start)
        found = peft.LoraConfig.from_pretrained(str(folder))
        wanted = (settings.base, settings.lora_rank, float(settings.lora_alpha), set(settings.lora_targets))
        held = (found.base_model_name_or_path, found.r, float(found.lora_alpha), set(found.target_modules or ()))
        if wanted != held:
            raise UsageError(
                f"start {settings.start}: expected an adapter with base, rank, alpha and targets {wanted}, got {held}; "
                "set base and lora_* to its own, or choose another start"
            )
        wrapped = peft.PeftModel.from_pretrained(model, str(folder), adapter_name=ADAPTER, is_trainable=True)
    wrapped.peft_config[ADAPTER].base_model_name_or_path = settings.base
    return cast(peft.PeftModel, wrapped)


def save_adapter(model: peft.PeftModel, folder: Path) -> None:
    """Write the trained adapter into a folder, in PEFT's format; the files do not depend on the process."""
    config = model.peft_config[ADAPTER]
    base = config.base_model_name_or_path
    model.save_pretrained(str(folder), selected_adapters=[ADAPTER])
    (folder / "README.md").unlink(missing_ok=True)  # PEFT's empty card; ours is written when the figures are known
    path = folder / "adapter_config.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    settings["target_modules"] = sorted(settings["target_modules"])
    settings["base_model_name_or_path"] = base
    path.write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n", encoding="utf-8")
