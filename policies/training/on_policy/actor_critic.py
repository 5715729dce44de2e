"""Policy and value model as two LoRA adapters (Hu et al. 2021) on one frozen base.

The base is the one that the engine samples from, so a run holds it in memory once. Logits are made at reply tokens
only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from peft import get_peft_model_state_dict, set_peft_model_state_dict
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors.torch import load_file, save_file
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

from negotiation_env.engines.exact.trees import decoder_of, uppermost
from negotiation_env.engines.transformers_engine import TransformersEngine
from negotiation_env.training.lora import check_shape, lora_config, read_adapter, save_adapter
from negotiation_env.training.processes import ProcessGroup
from policies.adapters import start_folder
from policies.training.on_policy.samples import Sample, TokenBatch, token_batches
from policies.training.settings import OnPolicyPreset

POLICY, VALUE, START = "policy", "value", "start"
HEAD = "value_head.safetensors"


class Scores(NamedTuple):
    """What the policy says of a batch's replies; both (replies, longest reply), 0 at padding."""

    logprobs: torch.Tensor
    entropy: torch.Tensor
    """Of the distribution that each token was drawn from, in nats; no gradient flows through it."""


class ActorCritic:
    """The models of one run. Use it as a context: on leaving, its adapters come off the shared base.

    Args:
        engine: holds the preset's base; samples from the policy from now on.
        preset: the adapters' shape, the seed of their first weights, and the adapter that the policy starts from.
        with_value: whether there is a value model. Its head starts at 0 (see ``expect``), its adapter afresh.
        processes: of the run; None to find out. All hold the same adapters.

    Raises:
        UsageError: if the start is none, or one for another base or of another shape.
    """

    def __init__(
        self,
        engine: TransformersEngine,
        preset: OnPolicyPreset,
        with_value: bool = True,
        processes: ProcessGroup | None = None,
    ) -> None:
        self.engine = engine
        self.processes = processes or ProcessGroup()
        self.base = engine.base
        start = start_folder(preset.start) if preset.start else None
        if start is not None:
            check_shape(start, preset)
        # The start stays as it is: what the policy's divergence is measured from.
        self._names = [POLICY, START, VALUE] if with_value else [POLICY, START]
        shape = self.base.model.config.get_text_config()
        count = int(shape.num_hidden_layers)
        value_layers = uppermost(preset.value_layers, count)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(preset.seed)
            for name in self._names:
                layers = value_layers if name == VALUE else None
                self._wrapped: Any = self.base.new_adapter(name, lora_config(preset, layers))
        learned = tuple(f".layers.{i}." for i in uppermost(preset.policy_layers or 0, count))
        self._parameters: dict[str, dict[str, torch.nn.Parameter]] = {name: {} for name in self._names}
        self._kept: list[torch.nn.Parameter] = []
        for path, parameter in self._wrapped.named_parameters():
            for name in self._names:
                if f".{name}." in path:
                    if name == POLICY and not any(layer in path for layer in learned):
                        self._kept.append(parameter)
                    else:
                        self._parameters[name][path] = parameter
        for name in (POLICY, START):
            if start is not None:
                self._load_adapter(name, start)
        self._adapted: list[Any] = [layer for layer in self._wrapped.modules() if isinstance(layer, BaseTunerLayer)]
        self.head: torch.nn.Linear | None = None
        if with_value:
            self.head = torch.nn.Linear(int(shape.hidden_size), 1, device=self.base.device)
            torch.nn.init.zeros_(self.head.weight)
            torch.nn.init.zeros_(self.head.bias)
        self.preset = preset
        self.temperature = preset.temperature
        self._base_name = preset.base
        self._saves_memory = preset.gradient_checkpointing
        if self._saves_memory:
            model: Any = self.base.model
            model.gradient_checkpointing_enable({"use_reentrant": False})
        self._divided: list[Any] = self._divide() if self.processes.sharded else []
        engine.adapter = POLICY
        engine.forget_prompts()

    def _divide(self) -> list[Any]:
        """Divide the base's layers over the processes by FSDP2, and return them; adapters stay whole in each process.

        A layer is put together when it is computed. Each process goes through the layers as often (``token_batches``).
        """
        mesh = init_device_mesh(self.base.device.type, (self.processes.count,))
        own = {*self._kept, *(parameter for found in self._parameters.values() for parameter in found.values())}
        layers: Any = decoder_of(self.base.model).layers
        return [fully_shard(layer, mesh=mesh, ignored_params=own) for layer in layers]

    @contextmanager
    def whole_base(self) -> Iterator[None]:
        """The base whole in every process, as sampling needs it, where each makes passes at its own pace."""
        for layer in self._divided:
            layer.set_reshard_after_forward(False)
            layer.unshard()
        try:
            yield
        finally:
            for layer in self._divided:
                layer.set_reshard_after_forward(True)
                layer.reshard()

    def __enter__(self) -> ActorCritic:
        return self

    def __exit__(self, *_: object) -> None:
        self.engine.adapter = None
        self.engine.forget_prompts()
        for name in self._names:
            self.base.drop_adapter(name)

    def policy_parameters(self) -> dict[str, torch.nn.Parameter]:
        """Return what the policy loss trains, by name."""
        return self._parameters[POLICY]

    def value_parameters(self) -> dict[str, torch.nn.Parameter]:
        """Return what the value loss trains, by name; empty without a value model."""
        if self.head is None:
            return {}
        return self._parameters[VALUE] | {f"head.{name}": p for name, p in self.head.named_parameters()}

    def batches(self, samples: Sequence[Sample], most_tokens: int) -> Iterator[TokenBatch]:
        """Yield this process's samples as batches, each of at most ``most_tokens`` tokens (see ``token_batches``)."""
        at = self.processes
        return token_batches(samples, most_tokens, self.base.device, self.base.model.dtype, at.rank, at.count)

    def policy(self, batch: TokenBatch, adapter: str = POLICY) -> Scores:
        """Return log-probabilities (with gradient) and entropies of the replies' tokens at the preset's temperature.

        Both are (replies, longest reply), in nats, 0 at padding.
        """
        everything = self._everything(batch, adapter)
        chosen = everything.gather(1, batch.tokens[:, None])[:, 0]
        with torch.no_grad():
            entropy = -(everything.exp() * everything).sum(dim=-1)
        return Scores(_spread(chosen, batch), _spread(entropy, batch))

    @torch.no_grad()
    def start_logprobs(self, batch: TokenBatch) -> torch.Tensor:
        """Return the log-probabilities under the policy that training started from, in ``policy``'s shape."""
        return self.policy(batch, START).logprobs

    @torch.no_grad()
    def divergence(self, batch: TokenBatch) -> tuple[torch.Tensor, torch.Tensor]:
        """Return KL(policy || start) over the whole vocabulary, and the policy's entropy, in nats at each token."""
        now, start = (self._everything(batch, adapter) for adapter in (POLICY, START))
        kl, entropy = (now.exp() * (now - start)).sum(dim=-1), -(now.exp() * now).sum(dim=-1)
        return _spread(kl, batch), _spread(entropy, batch)

    def _everything(self, batch: TokenBatch, adapter: str) -> torch.Tensor:
        """Return the whole vocabulary's log-probabilities before each reply token, (tokens, vocabulary)."""
        with self._model(adapter) as model:
            logits = model.get_output_embeddings()(self._hidden(model, batch))
        return torch.log_softmax(logits.float() / self.temperature, dim=-1)

    def expect(self, level: float) -> None:
        """Let the value model start from a level: what it adds to whatever it has learned."""
        if self.head is not None:
            torch.nn.init.constant_(self.head.bias, level)

    def values(self, batch: TokenBatch) -> torch.Tensor:
        """Return V before each reply token (with gradient), (replies, longest reply), 0 at padding."""
        if self.head is None:
            raise ValueError("expected a value model, got an actor alone")
        with self._model(VALUE) as model:
            hidden = self._hidden(model, batch)
        return _spread(self.head(hidden.float())[:, 0], batch)

    def backward(self, loss: torch.Tensor, adapter: str) -> None:
        """Add the gradients of a loss on what one adapter computed; activations may be computed anew for it."""
        with self._model(adapter):
            loss.backward()  # type: ignore[no-untyped-call]

    @contextmanager
    def _model(self, adapter: str) -> Iterator[Any]:
        """The base with one adapter, open to gradients."""
        with self.base.use(adapter) as found:
            model: Any = found
            # PEFT opens the adapter in use to gradients and closes the others, so a backward pass after another
            # adapter's forward pass would find nothing.
            for name, parameters in self._parameters.items():
                for parameter in parameters.values():
                    parameter.requires_grad_(name != START)
            for parameter in self._kept:
                parameter.requires_grad_(False)
            # Only a model in training mode recomputes activations; nothing else depends on the mode (no dropout).
            recomputes = self._saves_memory and torch.is_grad_enabled()
            if recomputes:
                model.train()
            self._cast_inputs(model.dtype is torch.float32)
            try:
                yield model
            finally:
                self._cast_inputs(True)
                if recomputes:
                    model.eval()

    def _cast_inputs(self, casts: bool) -> None:
        """Say whether adapters turn their inputs into their own number format, float32."""
        for layer in self._adapted:
            layer.cast_input_dtype_enabled = casts

    def _hidden(self, model: Any, batch: TokenBatch) -> torch.Tensor:
        """Return the last layer's output just before each reply token, (tokens, width).

        On a base in half precision the adapters' products are made in it too, from float32 weights: that costs no
        more accuracy than the base does, and half of the time and memory of a pass.
        """
        decoder = model.get_decoder()
        half = model.dtype is not torch.float32
        with torch.autocast(self.base.device.type, model.dtype if half else None, enabled=half):
            hidden: torch.Tensor = decoder(
                input_ids=batch.laid.ids,
                attention_mask=torch.zeros(1, 1, 1, 1, device=self.base.device),  # unread: trees have their own
                position_ids=batch.laid.positions,
                use_cache=False,
                trees=batch.laid.parts,
            ).last_hidden_state
        return hidden[0, batch.before]

    def save_policy(self, folder: Path) -> None:
        """Write the policy as a standard PEFT adapter folder."""
        save_adapter(self._wrapped, POLICY, self._base_name, folder)

    def save(self, folder: Path) -> None:
        """Write policy, start and value model into a folder's sub-folders."""
        for name in self._names:
            save_adapter(self._wrapped, name, self._base_name, folder / name)
        if self.head is not None:
            save_file(self.head.state_dict(), folder / VALUE / HEAD)

    def load(self, folder: Path) -> None:
        """Read what ``save`` wrote; the engine samples from it at once."""
        for name in self._names:
            self._load_adapter(name, folder / name)
        if self.head is not None:
            self.head.load_state_dict(load_file(folder / VALUE / HEAD))
        self.engine.forget_prompts()

    def _load_adapter(self, adapter: str, folder: Path) -> None:
        own = get_peft_model_state_dict(self._wrapped, adapter_name=adapter, save_embedding_layers=False)
        set_peft_model_state_dict(self._wrapped, read_adapter(folder, own), adapter_name=adapter)


def _spread(values: torch.Tensor, batch: TokenBatch) -> torch.Tensor:
    """Return values in the mask's order as (replies, longest reply)."""
    spread = torch.zeros(batch.mask.shape, dtype=values.dtype, device=values.device)
    return spread.masked_scatter(batch.mask, values)
