"""SFT and DPO on whole dialogues: transformers' trainer with this project's passes and losses (``dialogue_batches``).

TRL's trainers take a prompt for every reply, which is three times the tokens of a dialogue, and their losses keep
figures that nobody reads here, which take a third of a pass.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

import torch
from transformers import Trainer, TrainingArguments

from negotiation_env.engines.checkpoints import number_format
from negotiation_env.engines.exact.attention import ATTENTION
from policies.training.dialogue_batches import pair_batch, preference_loss, reply_batch, reply_logprobs, reply_loss
from policies.training.resumable import ADAPTER, Resumable
from policies.training.settings import DpoPreset, SupervisedPreset

REFERENCE: Final = "reference"
"""Name of the frozen adapter that DPO measures from."""


class DialogueTrainer(Resumable, Trainer):
    """Learns from whole dialogues.

    Args:
        model: a PEFT model.
        settings: which method, and how.
        arguments: of ``transformers.Trainer``.
        parts: what else ``transformers.Trainer`` takes.
    """

    def __init__(
        self, model: Any, settings: SupervisedPreset, arguments: Mapping[str, Any], parts: Mapping[str, Any]
    ) -> None:
        self.settings = settings
        self._figures: dict[str, list[float]] = defaultdict(list)
        number = number_format(settings.dtype)
        model.set_attn_implementation(ATTENTION)
        if isinstance(settings, DpoPreset):
            add_reference(model)
        # Dialogues differ in length, and the time of a pass does with the longest.
        chosen = {**arguments, "remove_unused_columns": False, "train_sampling_strategy": "group_by_length"}
        makes = partial(pair_batch if isinstance(settings, DpoPreset) else reply_batch, number=number)
        super().__init__(model=model, args=TrainingArguments(**chosen), data_collator=makes, **parts)

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Return the loss of a pass; there are no outputs."""
        adapted = self.accelerator.unwrap_model(model)
        if not isinstance(self.settings, DpoPreset):
            loss = reply_loss(adapted, inputs, num_items_in_batch)
            # All processes' tokens are counted, and their gradients are averaged where sums are wanted.
            return loss if num_items_in_batch is None else loss * self.accelerator.num_processes
        with torch.no_grad(), _reference(adapted):
            before = reply_logprobs(adapted, inputs)
        loss, margins = preference_loss(reply_logprobs(adapted, inputs), before, inputs["pairs"], self.settings.beta)
        kind = "" if model.training else "eval_"
        self._figures[f"{kind}rewards/accuracies"] += (margins > 0.0).float().tolist()
        self._figures[f"{kind}rewards/margins"] += margins.tolist()
        return loss

    def prediction_step(
        self, model: Any, inputs: dict[str, Any], *_: Any, **__: Any
    ) -> tuple[torch.Tensor, None, None]:
        """Return the loss of a held-out pass."""
        with torch.no_grad():
            return self.compute_loss(model, inputs).detach(), None, None

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add what was counted since the last time to a line of figures."""
        held_out = any(name.startswith("eval_") for name in logs)
        for name in [name for name in self._figures if name.startswith("eval_") == held_out]:
            found = self._figures.pop(name)
            logs[name] = sum(found) / len(found)
        super().log(logs, start_time)


def add_reference(model: Any) -> None:
    """Give a PEFT model a second, frozen adapter that is what the trained one is now."""
    model.add_adapter(REFERENCE, model.peft_config[ADAPTER])
    own = dict(model.named_parameters())
    with torch.no_grad():
        for name, parameter in own.items():
            if f".{REFERENCE}." in name:
                parameter.copy_(own[name.replace(f".{REFERENCE}.", f".{ADAPTER}.")])
    model.set_adapter(ADAPTER)


@contextmanager
def _reference(model: Any) -> Iterator[None]:
    """The model with the adapter that training began from."""
    model.set_adapter(REFERENCE)
    try:
        yield
    finally:
        model.set_adapter(ADAPTER)
