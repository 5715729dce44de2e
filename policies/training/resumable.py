"""What TRL's trainers lack for runs that survive: checkpoints that appear whole and hold no pickle, and a watch.

``Resumable`` is mixed into a trainer; its checkpoints hold the adapter, the optimiser, the schedule and the best loss
so far, as safetensors and JSON. A run killed at any moment goes on from its last checkpoint and, on the same machine
and number of threads and processes, ends with the weights of an unbroken run. ``Watch`` writes ``metrics.jsonl``, keeps
the best adapter, shows progress, and stops a run whose loss is no number.

Under ``accelerate launch`` the first process writes and speaks; what FSDP2 divides over the processes (the adapter and
its optimiser, beside the base) is put together first, so the files are the same. Under FSDP1 or DeepSpeed, checkpoints
are theirs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from safetensors.torch import load_file, save_file
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer import TRAINER_STATE_NAME

from negotiation_env.files import read_json, write_folder, write_json
from negotiation_env.training.lora import adapter_state, read_adapter, save_adapter
from negotiation_env.training.processes import divided
from negotiation_env.training.run_folder import (
    MetricsLog,
    RunFolder,
    TrainingStoppedError,
    restore,
    settings_of,
    state_tensors,
)

ADAPTER = "default"
"""Name of the trained adapter within its model; the one that PEFT gives."""
BEST, LAST = "best", "last"
_OPTIMIZER = "optimizer"
_HELD_OUT_LOSS = "eval_loss"


class Resumable:
    """Mixed into a ``transformers.Trainer`` of a PEFT model, before it in the order of bases.

    Attributes:
        folder: of the run; set before training.
        base: the base's name, as adapters are to note it; likewise.
        best_loss: lowest held-out loss so far.
    """

    folder: RunFolder
    base: str
    best_loss: float = math.inf

    def _send_telemetry(self) -> None:
        """Send nothing: training needs no network."""

    def is_sharded(self) -> bool:
        """Whether the model is divided over processes in a way that only FSDP1 or DeepSpeed itself can read."""
        here: Any = self
        return bool(here.is_deepspeed_enabled or (here.is_fsdp_enabled and not here.accelerator.is_fsdp2))

    def _save_checkpoint(self, model: torch.nn.Module, trial: Any) -> None:
        here: Any = self
        if self.is_sharded():
            super()._save_checkpoint(model, trial)  # type: ignore[misc]
            return
        write = self._adapter_writer()
        tensors = state_tensors(here.optimizer, _OPTIMIZER)

        def fill(folder: Path) -> None:
            write(folder)
            save_file({**tensors, "random": torch.get_rng_state()}, folder / "optimizer.safetensors")
            rest = {
                "optimizer": settings_of(here.optimizer),
                "schedule": {k: v for k, v in here.lr_scheduler.state_dict().items() if k != "lr_lambdas"},
                "best_loss": self.best_loss,
            }
            write_json(folder / "optimizer.json", rest, indent=None)
            here.state.save_to_json(str(folder / TRAINER_STATE_NAME))

        if here.is_world_process_zero():
            self.folder.save(here.state.global_step, fill)

    def save_adapter(self, folder: Path) -> None:
        """Write the adapter as it is now, as a folder that appears whole; every process must ask."""
        here: Any = self
        write = self._adapter_writer()
        if here.is_world_process_zero():
            write_folder(folder, write)

    def _adapter_writer(self) -> Callable[[Path], None]:
        """Return what writes the adapter as it is now; every process must ask."""
        here: Any = self
        model = here.accelerator.unwrap_model(here.model)
        state = adapter_state(model, ADAPTER)
        return lambda folder: save_adapter(model, ADAPTER, self.base, folder, state)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        if self.is_sharded():
            super()._load_from_checkpoint(resume_from_checkpoint, model)  # type: ignore[misc]
            return
        self.load_adapter(Path(resume_from_checkpoint))

    def load_adapter(self, folder: Path) -> None:
        """Put a folder's adapter weights into the trained adapter."""
        here: Any = self
        parameters = {
            name.replace(f".{ADAPTER}.", "."): parameter
            for name, parameter in here.accelerator.unwrap_model(here.model).named_parameters()
            if f".{ADAPTER}." in name
        }
        with torch.no_grad():
            for name, tensor in read_adapter(folder, parameters).items():
                parameters[name].copy_(divided(tensor, parameters[name]))

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        here: Any = self
        if checkpoint is None or self.is_sharded():
            super()._load_optimizer_and_scheduler(checkpoint)  # type: ignore[misc]
            return
        tensors = load_file(Path(checkpoint) / "optimizer.safetensors")
        rest = read_json(Path(checkpoint) / "optimizer.json", dict[str, Any])
        tensors.pop("random")
        restore(here.optimizer, tensors, _OPTIMIZER, rest["optimizer"])
        here.lr_scheduler.load_state_dict({**here.lr_scheduler.state_dict(), **rest["schedule"]})
        self.best_loss = rest["best_loss"]

    def _load_rng_state(self, checkpoint: str | None) -> None:
        if checkpoint is None or self.is_sharded():
            super()._load_rng_state(checkpoint)  # type: ignore[misc]
            return
        torch.set_rng_state(load_file(Path(checkpoint) / "optimizer.safetensors")["random"])


class Watch(TrainerCallback):
    """Logs, keeps the best adapter, shows progress, and stops a run that went wrong.

    Args:
        trainer: whose best adapter goes to ``best`` in its folder.
        log: where figures go; None in other processes than the first.
        title: what the progress bar says; "" shows none.
    """

    def __init__(self, trainer: Resumable, log: MetricsLog | None, title: str = "") -> None:
        self.trainer = trainer
        self.log = log
        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[loss]}"),
            TimeRemainingColumn(), transient=True, disable=not title,
        )  # fmt: skip
        self._task = self._bar.add_task(title, total=None, loss="")

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Start the bar."""
        self._bar.update(self._task, total=state.max_steps, completed=state.global_step)
        self._bar.start()

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object) -> None:
        """Write a line of figures; raise where a loss is no number."""
        logs = kwargs.get("logs")
        if not isinstance(logs, dict):
            return
        figures = {k: round(v, 6) for k, v in logs.items() if isinstance(v, int | float) and "per_second" not in k}
        if self.log is not None:
            self.log.write(state.global_step, figures)
        loss = figures.get("loss", figures.get(_HELD_OUT_LOSS, 0.0))
        self._bar.update(self._task, loss=f"loss {loss:.3f}")
        if not math.isfinite(loss):
            raise TrainingStoppedError(
                f"step {state.global_step}: expected a finite loss, got {loss}; the last good state is "
                f"{self.trainer.folder.newest() or 'the start'}; lower learning_rate, start anew, or --resume from it"
            )

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Move the bar."""
        self._bar.update(self._task, completed=state.global_step)

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Keep the adapter if its held-out loss is the lowest so far."""
        metrics = kwargs.get("metrics")
        if not isinstance(metrics, dict) or _HELD_OUT_LOSS not in metrics:
            return
        loss = float(metrics[_HELD_OUT_LOSS])
        if loss < self.trainer.best_loss:
            self.trainer.best_loss = loss
            self.trainer.save_adapter(self.trainer.folder.path / BEST)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Take the bar away."""
        self._bar.stop()
