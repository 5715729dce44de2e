"""Reads texts with several adapters at once, one base in memory and its lower layers run once for all of them.

Adapters of the upper layers only (``layers_to_transform``) share everything below: that part is computed once a text. A
reader holds merged copies of the adapted layers, so nothing is switched on the shared base.

A text's result does not depend on the texts beside it, nor on their number: passes keep to the sizes between which
this machine's matrix products agree (see ``shapes``), and every text attends to itself alone.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch

from negotiation_env.engines.chat_model import EngineSpecError
from negotiation_env.engines.checkpoints import Base, Number, adapter_tensors, open_checkpoint, tensor_mismatch
from negotiation_env.engines.exact.shapes import ROUND, Shapes, probe_shapes
from negotiation_env.engines.exact.trees import TextTree, decoder_of, lay_out, packs, run_layers
from negotiation_env.errors import DataFileError
from negotiation_env.files import read_json

_PREFIX = "base_model.model."


class ReadText(NamedTuple):
    """A text to read. ids: tokens, at least one; places: for each head by name, the places to read."""

    ids: tuple[int, ...]
    places: Mapping[str, tuple[int, ...]]


@dataclass(slots=True)
class Head:
    """One adapter, ready to read.

    depth: first adapted layer; layers: those from there on, with merged weights of their own; norm: the decoder's last
    norm; weight: (outputs, width) of the readout.
    """

    depth: int
    layers: list[Any]
    norm: Any
    weight: torch.Tensor

    def read(self, hidden: torch.Tensor) -> torch.Tensor:
        """Return outputs (places, outputs) for hidden states (places, width)."""
        normed: torch.Tensor = self.norm(hidden)
        return (normed.float()[:, None, :] * self.weight.float()[None]).sum(-1)


class TextScorer:
    """Reads texts with one or more adapters of one base.

    Args:
        base: the shared base.
        heads: by the name under which ``ReadText.places`` asks for them.
    """

    def __init__(self, base: Base, heads: Mapping[str, Head]) -> None:
        self.base = base
        self.heads = dict(heads)
        self._shapes: dict[int, Shapes] = {}

    @torch.inference_mode()
    def read(self, texts: Sequence[ReadText]) -> list[dict[str, torch.Tensor]]:
        """Return for each text, in order, the outputs (places, outputs) of each head that it asks for."""
        found: list[dict[str, torch.Tensor]] = [{} for _ in texts]
        with self.base.use(None) as model:
            shapes = self._sizes(model)
            for pack in packs([len(t.ids) for t in texts], shapes.cap):
                for i, outputs in zip(pack, self._pass(model, [texts[i] for i in pack], shapes), strict=True):
                    found[i] = outputs
        return found

    def _sizes(self, model: Any) -> Shapes:
        threads = torch.get_num_threads()
        if threads not in self._shapes:
            self._shapes[threads] = probe_shapes(model, 64)
        return self._shapes[threads]

    def _pass(self, model: Any, texts: Sequence[ReadText], shapes: Shapes) -> list[dict[str, torch.Tensor]]:
        """Read the texts of one pass."""
        tokens = sum(len(t.ids) for t in texts)
        least = max(shapes.floor, -(-tokens // ROUND) * ROUND)
        laid = lay_out([TextTree((), (t.ids,)) for t in texts], self.base.device, model.dtype, least)
        decoder = decoder_of(model)
        depth = min(head.depth for head in self.heads.values())
        trunk = run_layers(decoder, decoder.layers[:depth], decoder.embed_tokens(laid.ids), laid)
        outputs: list[dict[str, torch.Tensor]] = [{} for _ in texts]
        for name, head in self.heads.items():
            places = [s + p for s, t in zip(laid.starts, texts, strict=True) for p in t.places.get(name, ())]
            if not places:
                continue
            layers = [*decoder.layers[depth : head.depth], *head.layers]
            hidden = run_layers(decoder, layers, trunk, laid)[0, places]
            counts = [len(t.places.get(name, ())) for t in texts]
            parts = torch.split(head.read(hidden).cpu(), counts)
            for out, part in zip(outputs, parts, strict=True):
                out[name] = part
        return outputs


def open_base(name: str, device: str = "auto", number: Number = "auto") -> Base:
    """Return a base by name ("smollm2", a folder, a Hub id). Raises ``EngineSpecError`` where there is none."""
    return open_checkpoint(name, device, number)[0]


def load_head(base: Base, folder: str | Path) -> Head:
    """Return a LoRA adapter folder as a head.

    Args:
        base: the base that it was trained on.
        folder: as PEFT saves one, in safetensors: task type SEQ_CLS with a saved ``score`` layer.

    Raises:
        EngineSpecError: where the folder holds no such adapter, or one for another base.
    """
    folder = Path(folder)
    config, tensors = _adapter_files(folder)
    decoder = decoder_of(base.model)
    adapted = sorted({int(k.split(".layers.")[1].split(".")[0]) for k in tensors if ".layers." in k})
    if not adapted or adapted[-1] >= len(decoder.layers):
        raise EngineSpecError(
            f"{folder}: expected LoRA weights of layers 0 to {len(decoder.layers) - 1}, got {adapted}"
        )
    depth = adapted[0]
    layers = [_bare(layer) for layer in decoder.layers[depth:]]
    scale = float(config["lora_alpha"]) / float(config["r"])
    stems = sorted({k.rsplit(".lora_", 1)[0] for k in tensors if ".layers." in k})
    _check_complete(folder, base, config, tensors)
    for stem in stems:
        number, _, path = stem.split(".layers.")[1].partition(".")
        _merge(layers[int(number) - depth], path, tensors, stem, scale)
    if config.get("task_type") != "SEQ_CLS":
        raise EngineSpecError(f"{folder}: expected a SEQ_CLS adapter, got {config.get('task_type')}: train it as one")
    weight = tensors.get(f"{_PREFIX}score.weight")
    if weight is None or weight.shape[1] != base.model.config.get_text_config().hidden_size:
        raise EngineSpecError(f"{folder}: expected a saved score layer as wide as the base; save it with the adapter")
    return Head(depth, layers, decoder.norm, weight.to(base.device))


def _adapter_files(folder: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Return the adapter's settings and tensors; refuse kinds that are not plain LoRA."""
    try:
        config = read_json(folder / "adapter_config.json", dict[str, Any])
    except DataFileError as error:
        raise EngineSpecError(f"{folder}: expected a PEFT adapter folder in safetensors, got: {error}") from error
    tensors = adapter_tensors(folder)
    odd = [k for k in ("use_dora", "use_rslora", "rank_pattern", "alpha_pattern", "fan_in_fan_out") if config.get(k)]
    rank = config.get("r")
    if not isinstance(rank, int) or rank < 1:
        raise EngineSpecError(f"{folder}: expected a rank r of at least 1 in adapter_config.json, got {rank!r}")
    if config.get("peft_type") != "LORA" or odd:
        raise EngineSpecError(f"{folder}: expected a plain LoRA adapter, got {config.get('peft_type')} with {odd}")
    return config, tensors


def _check_complete(folder: Path, base: Base, config: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> None:
    """Raise ``EngineSpecError`` unless the file holds both matrices of every layer told, of its rank, and no more."""
    rank, wanted = int(config["r"]), {}
    for path, module in base.model.named_modules():
        weight = getattr(getattr(module, "base_layer", module), "weight", None)
        if ".layers." in path and weight is not None and weight.dim() == 2 and _is_target(path, config):
            wanted[f"{_PREFIX}{path}.lora_A.weight"] = torch.empty(rank, weight.shape[1], device="meta")
            wanted[f"{_PREFIX}{path}.lora_B.weight"] = torch.empty(weight.shape[0], rank, device="meta")
    odd = tensor_mismatch(wanted, {name: tensor for name, tensor in tensors.items() if ".layers." in name})
    if odd:
        raise EngineSpecError(
            f"{folder}: expected the tensors that adapter_config.json and the base ask for, got {odd}: "
            "it has another base, or was not saved whole"
        )


def _is_target(path: str, config: Mapping[str, Any]) -> bool:
    """Whether a layer is one that an adapter's settings name, as PEFT reads them."""
    targets, layers = config.get("target_modules") or [], config.get("layers_to_transform")
    if isinstance(targets, str):
        return re.fullmatch(targets, path) is not None
    number = int(path.split(".layers.")[1].split(".")[0])
    chosen = layers is None or number in (layers if isinstance(layers, list) else [layers])
    return chosen and any(path == name or path.endswith(f".{name}") for name in targets)


def _bare(layer: Any) -> Any:
    """Return a layer on the same weights, without what PEFT has wrapped around it for the base's own adapters."""
    bare = copy.deepcopy(layer, {id(weight): weight for weight in layer.parameters()})
    for path, module in list(bare.named_modules()):
        if hasattr(module, "base_layer"):
            parent, _, name = path.rpartition(".")
            setattr(bare.get_submodule(parent), name, module.base_layer)
    return bare


def _merge(layer: Any, path: str, tensors: Mapping[str, torch.Tensor], stem: str, scale: float) -> None:
    """Give a bare layer's linear one a weight of its own: the shared one and a LoRA product, added in float32."""
    linear = layer.get_submodule(path)
    down, up = tensors[f"{stem}.lora_A.weight"].float(), tensors[f"{stem}.lora_B.weight"].float()
    merged = linear.weight.detach().float() + scale * (up @ down).to(linear.weight.device)
    linear.weight = torch.nn.Parameter(merged.to(linear.weight.dtype), requires_grad=False)
