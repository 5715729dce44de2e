"""Loads causal language models for generation, one base in memory however many adapters use it.

Weights are read from safetensors only; no code from a checkpoint is run. Only models with full attention in every layer
are taken.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from negotiation_env.engines.chat_model import EngineMissingError, EngineSpecError
from negotiation_env.engines.exact.attention import ATTENTION
from negotiation_env.engines.specs import adapter_config, base_path

Number = Literal["auto", "float32", "bfloat16"]
_bases: dict[tuple[str, str, torch.dtype], Base] = {}
_bases_lock = threading.Lock()


class Base:
    """A frozen base model, its tokenizer, and the adapters loaded onto it."""

    def __init__(self, name: str, device: str, number: torch.dtype) -> None:
        self.name = name
        self.device = torch.device(device)
        self.lock = threading.RLock()
        self.tokenizer = _tokenizer(name)
        model: Any = _base_model(name, number)
        self.model: PreTrainedModel = model.to(self.device).eval()
        self.model.requires_grad_(False)
        self._wrapped: Any = None
        self._adapters: dict[str, str] = {}

    def add_adapter(self, folder: str) -> str:
        """Load a PEFT adapter folder once; returns its name for use.

        Every tensor of the adapter comes from the file. Raises EngineSpecError where the file is torn, or lacks one, or
        has another or one of another shape; then the base is as it was before.
        """
        with self.lock:
            if folder in self._adapters:
                return self._adapters[folder]
            # Optional: only adapters need it.
            try:
                from peft import PeftConfig, set_peft_model_state_dict
            except ImportError as error:
                raise EngineMissingError(
                    "adapters need the package peft; run: pip install negotiation-env[llm]"
                ) from error
            tensors = adapter_tensors(Path(folder))
            adapter = f"adapter{len(self._adapters)}"
            try:
                config: Any = PeftConfig.from_pretrained(folder)
                config.inference_mode = True
                # PEFT warns of a base by another name; which one it is was settled before.
                config.base_model_name_or_path = self.model.name_or_path
                self._put_on(adapter, config)
                _check_tensors(folder, self._wrapped, adapter, tensors)
                set_peft_model_state_dict(self._wrapped, tensors, adapter_name=adapter)
            except (ValueError, TypeError, KeyError, RuntimeError) as error:
                if self._wrapped is not None and adapter in self._wrapped.peft_config:
                    self.drop_adapter(adapter)
                if isinstance(error, EngineSpecError):
                    raise
                raise EngineSpecError(
                    f"{folder}: expected a PEFT adapter for {self.name}, got: {' '.join(str(error).split())[:300]}"
                ) from error
            # This adapter alone: another may be in training, in float32.
            for name, parameter in self._wrapped.named_parameters():
                if f".{adapter}." in name:
                    parameter.requires_grad_(False)
                    parameter.data = parameter.data.to(device=self.device, dtype=self.model.dtype)
            self._wrapped.eval()
            self._adapters[folder] = adapter
            return adapter

    def renew_adapter(self, adapter: str) -> None:
        """Read an adapter that ``add_adapter`` loaded from its folder again; raises as that does."""
        from peft import set_peft_model_state_dict

        with self.lock:
            folder = next(folder for folder, name in self._adapters.items() if name == adapter)
            tensors = adapter_tensors(Path(folder))
            _check_tensors(folder, self._wrapped, adapter, tensors)
            set_peft_model_state_dict(self._wrapped, tensors, adapter_name=adapter)

    def _put_on(self, adapter: str, config: Any) -> None:
        """Put an adapter of a shape onto the base, with whatever weights it starts from."""
        from peft import get_peft_model

        if self._wrapped is None:
            self._wrapped = get_peft_model(self.model, config, adapter_name=adapter, autocast_adapter_dtype=False)
        else:
            self._wrapped.add_adapter(adapter, config, autocast_adapter_dtype=False)

    def new_adapter(self, adapter: str, config: Any) -> Any:
        """Put a fresh trainable adapter onto the base, in float32 whatever the base's format.

        adapter: its name for use, taken from no other adapter; config: a peft.LoraConfig. Returns the base with its
        adapters, a peft.PeftModel. The base itself stays frozen.
        """
        # Needed by training only, which has it.
        from peft import get_peft_model

        with self.lock:
            if self._wrapped is None:
                self._wrapped = get_peft_model(self.model, config, adapter_name=adapter)
            else:
                self._wrapped.add_adapter(adapter, config)
            self._wrapped.to(device=self.device).eval()
            return self._wrapped

    def drop_adapter(self, adapter: str) -> None:
        """Take an adapter off the base, and the places that were made for it alone."""
        with self.lock:
            others = [name for name in self._wrapped.peft_config if name != adapter]
            if others:
                self._wrapped.set_adapter(others[0])
                self._wrapped.delete_adapter(adapter)
                self._unwrap_empty()
            else:
                self._wrapped.unload()
                self._wrapped = None

    def _unwrap_empty(self) -> None:
        """Put the base's own layers back where PEFT's around them hold no adapter any more."""
        from peft.tuners.tuners_utils import BaseTunerLayer

        for path, layer in list(self.model.named_modules()):
            if isinstance(layer, BaseTunerLayer) and not any(getattr(layer, n) for n in layer.adapter_layer_names):
                parent, _, name = path.rpartition(".")
                setattr(self.model.get_submodule(parent), name, layer.get_base_layer())

    @contextmanager
    def use(self, adapter: str | None) -> Iterator[PreTrainedModel]:
        """The model with this adapter switched on, or with none, for the calling thread alone."""
        with self.lock:
            # PEFT puts its layers into the base model itself, so that is what runs either way.
            if self._wrapped is None:
                yield self.model
            elif adapter is None:
                with self._wrapped.disable_adapter():
                    yield self.model
            else:
                # Switching walks through all layers, so only where another adapter is on.
                if self._wrapped.active_adapter != adapter:
                    self._wrapped.set_adapter(adapter)
                yield self.model


MOST_NAMED = 3
"""Tensors of a kind that an error names."""


def adapter_tensors(folder: Path) -> dict[str, torch.Tensor]:
    """Return the tensors of an adapter folder, by name. Raises EngineSpecError where the file is torn or none."""
    try:
        return load_file(folder / "adapter_model.safetensors")
    except (OSError, SafetensorError) as error:
        raise EngineSpecError(
            f"{folder}: expected a whole adapter_model.safetensors, got: {error}; copy or save the adapter again"
        ) from error


def tensor_mismatch(wanted: Mapping[str, torch.Tensor], found: Mapping[str, torch.Tensor]) -> str:
    """Return in one line how a file's tensors differ by name or shape from those wanted; "" where they do not."""
    shapes = [
        f"{name} {tuple(found[name].shape)} in place of {tuple(wanted[name].shape)}"
        for name in sorted(wanted.keys() & found.keys())
        if found[name].shape != wanted[name].shape
    ]
    kinds = {
        "missing": sorted(wanted.keys() - found.keys()),
        "not the adapter's": sorted(found.keys() - wanted.keys()),
        "of another shape": shapes,
    }
    return "; ".join(
        f"{len(names)} {kind}: {', '.join(names[:MOST_NAMED])}{', ...' if len(names) > MOST_NAMED else ''}"
        for kind, names in kinds.items()
        if names
    )


def _check_tensors(folder: str, wrapped: Any, adapter: str, tensors: Mapping[str, torch.Tensor]) -> None:
    from peft import get_peft_model_state_dict

    wanted = get_peft_model_state_dict(wrapped, adapter_name=adapter, save_embedding_layers=False)
    odd = tensor_mismatch(wanted, tensors)
    if odd:
        raise EngineSpecError(
            f"{folder}: expected the tensors that adapter_config.json and the base ask for, got {odd}"
        )


def open_checkpoint(name: str, device: str, number: Number) -> tuple[Base, str | None]:
    """The base of a checkpoint and, where name is a PEFT adapter folder, the adapter's name.

    name: "smollm2", "tiny", a folder, or a Hub id. device: "auto", "cpu", "cuda", ... number: the
    format of the weights; see number_format.
    Raises EngineSpecError where there is nothing to load.
    """
    device = _device(device)
    config = adapter_config(name)
    if config is None:
        return _base(name, device, number), None
    base = _base(config.base, device, number)
    return base, base.add_adapter(str(Path(name).expanduser().resolve()))


def _base(name: str, device: str, number: Number) -> Base:
    key = (base_path(name), device, number_format(number, device))
    with _bases_lock:
        if key not in _bases:
            _bases[key] = Base(*key)
        return _bases[key]


def number_format(number: Number, device: str = "auto") -> torch.dtype:
    """The format that a number's name stands for; "auto" is bfloat16 where a device multiplies it, else float32.

    Processors without such instructions are slower at bfloat16 than at float32; with them they are about twice as fast,
    and half the weights' bytes are read. Sums are made in float32 either way.
    """
    if number != "auto":
        return torch.float32 if number == "float32" else torch.bfloat16
    if _device(device).startswith("cuda"):
        return torch.bfloat16
    known = torch.cpu.get_capabilities()
    return torch.bfloat16 if known.get("amx_bf16") or known.get("avx512_bf16") else torch.float32


def _device(device: str) -> str:
    if device != "auto":
        return device
    return "cuda" if torch.cuda.is_available() else "cpu"


def _tokenizer(name: str) -> PreTrainedTokenizerBase:
    try:
        tokenizer = AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError) as error:
        raise EngineSpecError(_cannot_load(name, error)) from error
    if not getattr(tokenizer, "chat_template", None):
        raise EngineSpecError(f"{name}: its tokenizer has no chat template; use an instruction-tuned model")
    return cast(PreTrainedTokenizerBase, tokenizer)


def _base_model(name: str, number: torch.dtype) -> PreTrainedModel:
    try:
        model = AutoModelForCausalLM.from_pretrained(
            name, dtype=number, use_safetensors=True, attn_implementation=ATTENTION
        )
    except (OSError, ValueError) as error:
        raise EngineSpecError(_cannot_load(name, error)) from error
    kinds = set(getattr(model.config, "layer_types", None) or ["full_attention"])
    if kinds != {"full_attention"}:
        raise EngineSpecError(
            f"{name}: has layers of kind {', '.join(sorted(kinds - {'full_attention'}))}, and this "
            f"engine runs full attention only; use vllm:{name}"
        )
    return cast(PreTrainedModel, model)


def _cannot_load(name: str, error: Exception) -> str:
    reason = str(error).strip().split("\n", maxsplit=1)[0]
    return (
        f"hf:{name}: expected a folder or Hub id of a causal language model in safetensors; loading it said: {reason}"
    )
