"""LoRA adapters (Hu et al. 2021) on a frozen base: how they are shaped, compared with a preset, and written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import peft
import torch
from safetensors.torch import save_file

from negotiation_env.engines.chat_model import EngineSpecError
from negotiation_env.engines.checkpoints import adapter_tensors, tensor_mismatch
from negotiation_env.errors import DataFileError, UsageError
from negotiation_env.files import write_json
from negotiation_env.training.presets import AdapterPreset
from negotiation_env.training.processes import whole

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
AdapterTask = Literal["CAUSAL_LM", "SEQ_CLS", "FEATURE_EXTRACTION"]
"""SEQ_CLS adds a ``score`` layer, which is trained and saved with the adapter."""


def lora_config(
    preset: AdapterPreset,
    layers: Sequence[int] | None = None,
    task: AdapterTask = "CAUSAL_LM",
) -> peft.LoraConfig:
    """Return the preset's adapter: no dropout, no biases, the base's name as the preset has it.

    Args:
        preset: base, rank, alpha and targets.
        layers: indices of the decoder layers that are adapted; None for all.
        task: what the adapted model returns.
    """
    return peft.LoraConfig(
        r=preset.lora_rank,
        lora_alpha=preset.lora_alpha,  # type: ignore[arg-type]  # a fraction is fine, PEFT divides by the rank
        lora_dropout=0.0,
        target_modules=list(preset.lora_targets),
        layers_to_transform=None if layers is None else list(layers),
        modules_to_save=["score"] if task == "SEQ_CLS" else None,
        task_type=task,
        base_model_name_or_path=preset.base,
    )


def check_shape(folder: Path, preset: AdapterPreset) -> None:
    """Raise ``UsageError`` if a folder's adapter is for another base, or of another shape, than the preset's."""
    found = peft.LoraConfig.from_pretrained(str(folder))
    wanted = (preset.base, preset.lora_rank, float(preset.lora_alpha), set(preset.lora_targets))
    held = (found.base_model_name_or_path, found.r, float(found.lora_alpha), set(found.target_modules or ()))
    if wanted != held:
        raise UsageError(
            f"start {preset.start}: expected an adapter with base, rank, alpha and targets {wanted}, got {held}; "
            "set base and lora_* to its own, or choose another start"
        )


def read_adapter(folder: Path, own: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the tensors of an adapter folder for an adapter whose tensors are ``own``, by name.

    Raises:
        DataFileError: the file is torn, or its tensors are others or of another shape; names them.
    """
    try:
        tensors = adapter_tensors(folder)
    except EngineSpecError as error:
        raise DataFileError(str(error)) from error
    odd = tensor_mismatch(own, tensors)
    if odd:
        raise DataFileError(f"{folder}: expected the tensors of an adapter of this base and shape, got {odd}")
    return tensors


def adapter_state(model: Any, adapter: str) -> dict[str, torch.Tensor]:
    """Return the tensors of one adapter of a PEFT model as they are saved; under FSDP2 every process must ask."""
    # The vocabulary's layer is adapted by LoRA alone, so the embedding need not be saved.
    state = peft.get_peft_model_state_dict(model, adapter_name=adapter, save_embedding_layers=False)
    return {name: whole(tensor).detach().cpu().contiguous() for name, tensor in state.items()}


def save_adapter(
    model: Any, adapter: str, base: str, folder: Path, state: Mapping[str, torch.Tensor] | None = None
) -> None:
    """Write one adapter of a PEFT model as a PEFT folder; the files do not depend on the process.

    Args:
        model: holds the adapter.
        adapter: its name.
        base: the base's name, as the adapter is to note it, whatever its folder on this machine.
        folder: made if need be.
        state: what ``adapter_state`` told, where that was asked before.
    """
    folder.mkdir(parents=True, exist_ok=True)
    save_file(dict(state or adapter_state(model, adapter)), folder / WEIGHTS, metadata={"format": "pt"})
    settings = model.peft_config[adapter].to_dict()
    targets = settings["target_modules"]
    settings |= {
        "base_model_name_or_path": base,
        "inference_mode": True,
        "target_modules": targets if isinstance(targets, str) else sorted(targets),
    }
    write_json(folder / CONFIG, dict(sorted(settings.items())), escaped=True)
