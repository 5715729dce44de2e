"""A dry run on torch's meta device: tensors have shapes and no numbers, so a 32B model passes on a laptop.

The architecture is built from its configuration, adapters are put on it as a run does, and one full pass goes forward
and backward through the loop's own attention with activation checkpointing, while every tensor that lives is counted.
What comes out is set beside the plan's closed form, which knows nothing of it.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, cast
from unittest.mock import patch

import peft
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers import AutoModelForCausalLM

from negotiation_env.engines.checkpoints import number_format
from negotiation_env.engines.exact.attention import ATTENTION, Grid
from negotiation_env.engines.exact.trees import TextTree, lay_out, uppermost
from negotiation_env.errors import UsageError
from negotiation_env.training.lora import lora_config
from policies.training.on_policy.actor_critic import POLICY, START, VALUE
from policies.training.plan import PASS_PARTS, TrainingPlan, base_config
from policies.training.settings import OnPolicyPreset

TOLERANCE: Final = 0.05
"""Most that a counted size may differ from the plan's, as a part of the plan's."""
PASS: Final = "activations and logits of a pass"
KEYS: Final = "keys and values of rollouts, at most"
_META: Final = torch.device("meta")


class Counted(NamedTuple):
    """A part of a device's memory, in bytes: as the plan has it in closed form, and as counted."""

    planned: float
    counted: float

    @property
    def off(self) -> float:
        """By how much the count differs, as a part of the plan's; 0 where both are nothing."""
        return self.counted / self.planned - 1.0 if self.planned else float(self.counted > 0.0)


class LiveBytes(TorchDispatchMode):  # type: ignore[no-untyped-call, unused-ignore]
    """Counts the bytes of the tensors that operations make while they live; views share their storage."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call, unused-ignore]
        self.now = self.most = 0
        self._sizes: dict[int, int] = {}

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        for tensor in tree_leaves((args, kwargs)):
            if isinstance(tensor, torch.Tensor):
                self._count(tensor.untyped_storage(), 0)  # a weight that was there before, of which views are made
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, torch.Tensor):
                storage = tensor.untyped_storage()
                self._count(storage, storage.nbytes())
        self.most = max(self.most, self.now)
        return made

    def _count(self, storage: torch.UntypedStorage, size: int) -> None:
        place = id(storage)
        if place not in self._sizes:
            self._sizes[place] = size
            self.now += size
            weakref.finalize(storage, self._freed, place)

    def _freed(self, place: int) -> None:
        self.now -= self._sizes.pop(place)


def _flash(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    is_causal: bool = False,
    scale: float | None = None,
) -> torch.Tensor:
    """Attention that keeps no score matrix, as GPUs have it; torch's own choice on the meta device keeps it."""
    made = torch.ops.aten._scaled_dot_product_flash_attention(query, key, value, 0.0, is_causal, scale=scale)
    return cast(torch.Tensor, made[0])


def _adapted(settings: OnPolicyPreset) -> tuple[Any, dict[str, list[torch.nn.Parameter]]]:
    """Return the base with its adapters on the meta device, and each adapter's parameters, in float32."""
    config = base_config(settings.base).get_text_config()
    dtype = number_format(settings.dtype)
    with _META:
        kind: Any = AutoModelForCausalLM
        model: Any = kind.from_config(config, dtype=dtype, attn_implementation=ATTENTION)
        model.name_or_path = settings.base  # PEFT notes it in the adapter
        model.requires_grad_(False)
        value_layers = uppermost(settings.value_layers, int(config.num_hidden_layers))
        wrapped: Any = peft.get_peft_model(model, lora_config(settings), adapter_name=POLICY)
        wrapped.add_adapter(START, lora_config(settings))
        wrapped.add_adapter(VALUE, lora_config(settings, value_layers))
    adapters: dict[str, list[torch.nn.Parameter]] = {POLICY: [], START: [], VALUE: []}
    for path, parameter in wrapped.named_parameters():
        for name, held in adapters.items():
            if f".{name}." in path:
                held.append(parameter)
    return model, adapters


def _policy_pass(model: Any, settings: OnPolicyPreset) -> None:
    """Go forward and backward once with as many texts of the greatest length as a pass holds."""
    prompt, reply, texts = settings.max_prompt_tokens, settings.max_reply_tokens, settings.micro_batch_size
    laid = lay_out([TextTree((), ((0,) * (prompt + reply),))] * texts, _META, model.dtype)
    hidden = model.get_decoder()(
        input_ids=laid.ids,
        attention_mask=torch.zeros(1, 1, 1, 1, device=_META),  # unread: trees have their own
        position_ids=laid.positions,
        use_cache=False,
        trees=laid.parts,
    ).last_hidden_state
    tokens = torch.zeros(texts * reply, dtype=torch.long, device=_META)
    logits = model.get_output_embeddings()(hidden[0, tokens])
    everything = torch.log_softmax(logits.float() / settings.temperature, dim=-1)
    del hidden, logits
    chosen = everything.gather(1, tokens[:, None]).sum()
    del everything
    torch.autograd.backward(chosen)


def _bytes(tensors: Iterable[torch.Tensor]) -> float:
    return float(sum(tensor.nbytes for tensor in tensors))


def dry_run(plan: TrainingPlan) -> dict[str, Counted]:
    """Count a run of "repo" on the meta device, by part, beside its plan; everything on one device.

    The policy's pass is the one that is counted: it makes logits, which the value model's does not. Its adapter is in
    the base's number format meanwhile, as mixed precision has it.
    """
    settings = plan.settings
    if not isinstance(settings, OnPolicyPreset):
        raise UsageError(f"dry run: expected the plan of an on-policy method, got one of {plan.work.method}")
    model, adapters = _adapted(settings)
    own = {id(p) for held in adapters.values() for p in held}
    counted = {
        "base weights": _bytes(p for p in model.parameters() if id(p) not in own),
        "adapters": _bytes(p for held in adapters.values() for p in held),
    }
    policy, trained = adapters[POLICY], adapters[POLICY] + adapters[VALUE]
    for parameter in policy:
        parameter.data = parameter.data.to(model.dtype)
        parameter.requires_grad_(True)
    if settings.gradient_checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    model.train()
    with patch.object(torch.nn.functional, "scaled_dot_product_attention", _flash):
        _policy_pass(model, settings)  # makes the gradients, to which the pass that counts adds
        with LiveBytes() as live:
            _policy_pass(model, settings)
    for parameter in trained:
        parameter.data, parameter.grad = parameter.data.float(), torch.empty_like(parameter, dtype=torch.float32)
    optimizer = torch.optim.AdamW(trained)
    optimizer.step()
    counted["gradients"] = _bytes(p.grad for p in trained if p.grad is not None)
    counted["optimiser (two moments)"] = _bytes(t for s in optimizer.state.values() for t in s.values())
    counted[PASS] = float(live.most)
    heads = torch.empty(1, plan.shape.keys, 1, 1, dtype=model.dtype, device=_META)
    grid = Grid(plan.shape.layers, plan.work.rollout_batch, plan.longest).cells(heads)
    counted[KEYS] = _bytes([grid])
    planned = plan.memory | {PASS: sum(plan.memory[name] for name in PASS_PARTS)}
    return {name: Counted(planned[name], size) for name, size in counted.items()}
