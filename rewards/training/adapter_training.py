"""A LoRA adapter in training on the upper layers of a frozen base.

The frozen layers below the first adapted one give the same hidden states in every epoch, so they are computed
once (``trunk``), and automatic differentiation never goes below the first adapted layer: on a CPU this is what makes
training a 135 M base a matter of minutes, and why a plain loop stands here and not a general trainer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from peft import get_peft_model
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from negotiation_env.engines.chat_model import EngineSpecError
from negotiation_env.engines.chat_text import ChatText
from negotiation_env.engines.checkpoints import adapter_tensors, number_format, tensor_mismatch
from negotiation_env.engines.exact.attention import ATTENTION, TreeMemory
from negotiation_env.engines.exact.trees import (
    TextTree,
    decoder_of,
    lay_out,
    lay_out_branches,
    lay_out_prefixes,
    run_layers,
    uppermost,
)
from negotiation_env.engines.specs import base_path
from negotiation_env.errors import UsageError
from negotiation_env.training.lora import WEIGHTS, lora_config, save_adapter
from negotiation_env.training.run_folder import restore, state_tensors
from rewards.training.reward_presets import RmPreset

_MASTER, _ADAM = "master/", "adam"
ARTIFACTS = Path(__file__).parents[1] / "artifacts"
"""The shipped adapters."""


class TrainedAdapter:
    """A base with an adapter on its uppermost layers and one ``score`` output, which is saved with it.

    Args:
        preset: base, shape and seed of the adapter, and the one that it starts from.

    Raises:
        UsageError: if the start does not fit.
    """

    def __init__(self, preset: RmPreset) -> None:
        folder = base_path(preset.base)
        self.base = preset.base
        self.chat = ChatText(AutoTokenizer.from_pretrained(folder))
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        with torch.random.fork_rng():
            torch.manual_seed(preset.seed)  # PEFT and the new score layer draw from torch's global generator
            model: Any = AutoModelForSequenceClassification.from_pretrained(
                folder,
                num_labels=1,
                dtype=number_format(preset.number),
                use_safetensors=True,
                attn_implementation=ATTENTION,
            )
            count = int(model.config.get_text_config().num_hidden_layers)
            adapted = uppermost(preset.layers, count)
            self.depth = adapted.start
            shape = lora_config(preset, adapted, "SEQ_CLS")
            self.peft: Any = get_peft_model(model, shape, autocast_adapter_dtype=False)
        self.peft.to(self.device).eval()
        self.model = model
        self.decoder = decoder_of(model)
        self.width = int(model.config.get_text_config().hidden_size)
        self.number: torch.dtype = next(self.decoder.parameters()).dtype
        if preset.start:
            self.take_over(preset.start)

    def take_over(self, start: str) -> None:
        """Take over the LoRA weights of a folder, or of a shipped adapter by name.

        Raises:
            UsageError: if they do not fit this adapter.
        """
        shipped = ARTIFACTS / start
        file = (shipped if shipped.is_dir() else Path(start)) / WEIGHTS
        if not file.is_file():
            raise UsageError(f"start: expected an adapter's folder or the name of a shipped one, got {start!r}")
        try:
            found = {k: v for k, v in adapter_tensors(file.parent).items() if ".layers." in k}
        except EngineSpecError as error:
            raise UsageError(f"start: {error}") from error
        own = {n.replace(".default.", "."): w for n, w in self.weights().items() if ".layers." in n}
        odd = tensor_mismatch(own, found)
        if odd:
            raise UsageError(
                f"start: expected LoRA weights of the same layers and rank as the preset's, got {start}'s: {odd}"
            )
        with torch.no_grad():
            for name, weight in own.items():
                weight.copy_(found[name])

    def weights(self) -> dict[str, torch.nn.Parameter]:
        """Return what is trained, by name."""
        return {name: p for name, p in self.peft.named_parameters() if p.requires_grad}

    @torch.no_grad()
    def trunk(self, trees: Sequence[TextTree]) -> Iterator[torch.Tensor]:
        """Yield each tree's hidden states (tokens, width) below the first adapted layer, computed in one pass."""
        laid = lay_out(trees, self.device, self.number)
        hidden = run_layers(self.decoder, self.decoder.layers[: self.depth], self.decoder.embed_tokens(laid.ids), laid)
        for start, tree in zip(laid.starts, trees, strict=True):
            yield hidden[0, start : start + tree.size]

    def upper(self, trees: Sequence[TextTree], hidden: torch.Tensor, places: Sequence[int]) -> torch.Tensor:
        """Return normed hidden states (places, width) of the last layer, differentiable in the adapter.

        Args:
            trees: the texts.
            hidden: their states (tokens, width) below the first adapted layer, one tree behind another.
            places: which tokens to read.
        """
        laid = lay_out(trees, self.device, self.number)
        out = run_layers(self.decoder, self.decoder.layers[self.depth :], hidden.to(self.device)[None], laid)
        normed: torch.Tensor = self.decoder.norm(out[0, list(places)])
        return normed

    def upper_of_branches(self, trees: Sequence[TextTree], hidden: torch.Tensor, places: Sequence[int]) -> torch.Tensor:
        """Return what ``upper`` does, differentiable through the branches' tokens alone: under half its cost.

        The prefixes run with the adapter's present weights, but their keys and values count as given. All ``places``
        must lie in branches.
        """
        inside = torch.zeros(len(hidden), dtype=torch.bool)
        start = 0
        for tree in trees:
            inside[start : start + len(tree.prefix)] = True
            start += tree.size
        order = torch.cumsum(~inside, 0) - 1
        memory, layers = TreeMemory(), self.decoder.layers[self.depth :]
        with torch.no_grad():
            laid = lay_out_prefixes(trees, self.device, self.number)
            run_layers(self.decoder, layers, hidden[inside].to(self.device)[None], laid, memory)
        memory.writing = False
        laid = lay_out_branches(trees, self.device, self.number)
        out = run_layers(self.decoder, layers, hidden[~inside].to(self.device)[None], laid, memory)
        normed: torch.Tensor = self.decoder.norm(out[0, order[list(places)]])
        return normed

    def save(self, folder: Path) -> None:
        """Save the adapter as PEFT does, in safetensors, with the base by its name."""
        save_adapter(self.peft, "default", self.base, folder)


class MasterAdamW:
    """AdamW (Loshchilov and Hutter 2019) whose weights are float32 copies: bfloat16 would swallow small steps."""

    def __init__(self, weights: dict[str, torch.nn.Parameter], decay: float = 0.0, clip: float = 1.0) -> None:
        self.weights = weights
        self.clip = clip
        self.masters = {name: p.detach().float().clone().requires_grad_() for name, p in weights.items()}
        self.adam = torch.optim.AdamW(list(self.masters.values()), lr=1e-4, betas=(0.9, 0.98), weight_decay=decay)

    def step(self, rate: float) -> float:
        """Take a step with this learning rate and drop the gradients; returns the gradient's norm before clipping."""
        for name, p in self.weights.items():
            self.masters[name].grad = None if p.grad is None else p.grad.float()
            p.grad = None
        norm = float(torch.nn.utils.clip_grad_norm_(list(self.masters.values()), self.clip))
        if norm == norm:  # a gradient that is not a number is left out
            for group in self.adam.param_groups:
                group["lr"] = rate
            self.adam.step()
        self.adam.zero_grad()
        self._put_back()
        return norm

    @torch.no_grad()
    def _put_back(self) -> None:
        for name, p in self.weights.items():
            p.copy_(self.masters[name])

    def state(self) -> dict[str, torch.Tensor]:
        """Return everything a resumed run needs, as flat tensors."""
        masters = {f"{_MASTER}{name}": p.detach() for name, p in self.masters.items()}
        return masters | state_tensors(self.adam, _ADAM)

    def load(self, state: dict[str, torch.Tensor]) -> None:
        """Take over what ``state`` returned."""
        with torch.no_grad():
            for name, p in self.masters.items():
                p.copy_(state[f"{_MASTER}{name}"])
        restore(self.adam, state, _ADAM)
        self._put_back()
