"""One training loop for reward adapters: steps, measuring, the best weights, and resuming after a kill.

What is learnt is the objective's to say: it turns hidden states at places of texts into a loss, and outputs on held-out
examples into a figure to maximise.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from rich.progress import Progress
from safetensors.torch import load_file, save_file

from negotiation_env.engines.exact.trees import TextTree, packs
from negotiation_env.files import read_json, write_json
from negotiation_env.seeds import Stream
from negotiation_env.training.run_folder import RunFolder
from rewards.training.adapter_training import MasterAdamW, TrainedAdapter
from rewards.training.frozen_layers import TrunkStates
from rewards.training.reward_presets import RmPreset

_TENSORS, _STATE, _BEST = "state.safetensors", "state.json", "best/"


@dataclass(frozen=True, slots=True)
class Example:
    """A tree of texts, the places of it that are read, and what the objective wants to know of them."""

    tree: TextTree
    places: tuple[int, ...]
    target: Any


class Objective(Protocol):
    """What is learnt."""

    def outputs(self, normed: torch.Tensor) -> torch.Tensor:
        """Return the head's outputs (places, ...) for normed hidden states (places, width)."""
        ...

    def loss(self, outputs: Sequence[torch.Tensor], examples: Sequence[Example]) -> tuple[torch.Tensor, float]:
        """Return the summed loss over examples, and how many terms it has."""
        ...

    def quality(self, outputs: Sequence[torch.Tensor], examples: Sequence[Example]) -> dict[str, float]:
        """Return figures on held-out examples; "quality" is the one to maximise."""
        ...


@dataclass(slots=True)
class State:
    """Where a run stands."""

    step: int = 0
    best: float = -math.inf
    best_step: int = 0


class Trainer:
    """Trains one adapter.

    Args:
        adapter, objective: what is trained and for what.
        train, valid: examples; ``valid`` chooses the best weights.
        preset: the settings.
        folder: of the run; the trunk's states lie in it too.
        checkpoint: that ``run`` goes on from; None to begin.
        log: told lines for the user.
    """

    def __init__(
        self,
        adapter: TrainedAdapter,
        objective: Objective,
        train: Sequence[Example],
        valid: Sequence[Example],
        preset: RmPreset,
        folder: RunFolder,
        checkpoint: Path | None,
        log: Callable[[str], None],
    ) -> None:
        self.adapter, self.objective, self.preset, self.folder, self.log = adapter, objective, preset, folder, log
        self.train, self.valid = train, valid
        self.adam = MasterAdamW(adapter.weights())
        self.state = State()
        self.best = _copy(adapter.weights())
        self.metrics = folder.log(checkpoint)
        self.checkpoint = checkpoint
        self.steps = round(preset.epochs * math.ceil(len(train) / preset.batch_size))

    def run(self, begin: Callable[[TrunkStates], None]) -> State:
        """Train to the end, put the best weights into the adapter, and return where the run stands.

        ``begin`` is called with the training trees' states before the first step, to give the head its start.
        """
        if self.checkpoint is not None:
            self._load(self.checkpoint)
        if self.state.step < self.steps:
            self._train(begin)
        for name, weight in self.adapter.weights().items():
            with torch.no_grad():
                weight.copy_(self.best[name])
        return self.state

    def _train(self, begin: Callable[[TrunkStates], None]) -> None:
        """Take the steps that are left."""
        self._states = self._trunk("train", self.train)
        self._valid_states = self._trunk("valid", self.valid)
        if not self.state.step:
            begin(self._states)
            self.adam = MasterAdamW(self.adapter.weights())
            self._measure({})
        started = time.process_time()
        with Progress() as progress:
            bar = progress.add_task("training", total=self.steps, completed=self.state.step)
            while self.state.step < self.steps:
                loss, norm = self._step(self.state.step)
                self.state.step += 1
                progress.advance(bar)
                if self.state.step % self.preset.measure_every == 0 or self.state.step == self.steps:
                    self._measure({"loss": loss, "gradient": norm, "cpu_s": time.process_time() - started})
                    self._save()
        for states in (self._states, self._valid_states):
            states.drop()

    def predict(self, examples: Sequence[Example], states: TrunkStates | None = None) -> list[torch.Tensor]:
        """Return the objective's outputs of each example with the adapter's present weights."""
        found: list[torch.Tensor] = []
        with torch.no_grad():
            for pack in packs([e.tree.size for e in examples], self.preset.pass_tokens):
                some = [examples[i] for i in pack]
                if states is None:
                    hidden = torch.cat(list(self.adapter.trunk([e.tree for e in some])))
                else:
                    hidden = torch.cat([states.read(i) for i in pack])
                found += [out.float().cpu() for out in self._outputs(some, hidden)]
        return found

    def hidden(self, examples: Sequence[Example], states: TrunkStates) -> torch.Tensor:
        """Return normed hidden states (places, width), float32, at all places of all examples, in order."""
        found = []
        with torch.no_grad():
            for pack in packs([e.tree.size for e in examples], self.preset.pass_tokens):
                below = torch.cat([states.read(i) for i in pack])
                found.append(self._normed([examples[i] for i in pack], below).float().cpu())
        return torch.cat(found)

    def _outputs(self, examples: Sequence[Example], hidden: torch.Tensor) -> list[torch.Tensor]:
        outputs = self.objective.outputs(self._normed(examples, hidden))
        return list(torch.split(outputs, [len(e.places) for e in examples]))

    def _normed(self, examples: Sequence[Example], hidden: torch.Tensor) -> torch.Tensor:
        """Return normed hidden states (places, width) of the last layer."""
        places, start = [], 0
        for example in examples:
            places += [start + p for p in example.places]
            start += example.tree.size
        run = self.adapter.upper if self.preset.through_prompts else self.adapter.upper_of_branches
        return run([e.tree for e in examples], hidden, places)

    def _step(self, step: int) -> tuple[float, float]:
        """Take one optimiser step on the batch that belongs to this step; returns mean loss and gradient norm."""
        per_epoch = math.ceil(len(self.train) / self.preset.batch_size)
        epoch, place = divmod(step, per_epoch)
        order = np.random.default_rng((self.preset.seed, Stream.ADAPTER_EPOCH, epoch)).permutation(len(self.train))
        batch = [int(i) for i in order[place * self.preset.batch_size : (place + 1) * self.preset.batch_size]]
        total, terms = 0.0, 0.0
        for pack in packs([self.train[i].tree.size for i in batch], self.preset.pass_tokens):
            some = [self.train[batch[k]] for k in pack]
            hidden = torch.cat([self._states.read(batch[k]) for k in pack])
            loss, count = self.objective.loss(self._outputs(some, hidden), some)
            loss.backward()  # type: ignore[no-untyped-call]
            total, terms = total + float(loss.detach()), terms + count
        for p in self.adapter.weights().values():
            if p.grad is not None:
                p.grad /= max(terms, 1.0)
        return total / max(terms, 1.0), self.adam.step(self._rate(step))

    def _rate(self, step: int) -> float:
        """Return the learning rate: a linear rise, then half a cosine down to a tenth."""
        warm = self.preset.warmup_steps
        if step < warm:
            return self.preset.learning_rate * (step + 1) / warm
        share = (step - warm) / max(self.steps - warm, 1)
        return self.preset.learning_rate * (0.1 + 0.9 * 0.5 * (1.0 + math.cos(math.pi * share)))

    def _measure(self, more: Mapping[str, float]) -> None:
        """Measure on the held-out examples and keep the best weights."""
        outputs = self.predict(self.valid, self._valid_states)
        figures = self.objective.quality(outputs, self.valid)
        if figures["quality"] > self.state.best:
            self.state.best, self.state.best_step = figures["quality"], self.state.step
            self.best = _copy(self.adapter.weights())
        line = {**more, **figures}
        self.metrics.write(self.state.step, line)
        shown = ", ".join(f"{k} {v:.4g}" for k, v in line.items())
        self.log(f"step {self.state.step}/{self.steps}: {shown}")

    def _trunk(self, name: str, examples: Sequence[Example]) -> TrunkStates:
        trees = [e.tree for e in examples]
        with Progress() as progress:
            bar = progress.add_task(f"frozen layers, {name}", total=len(trees))
            return TrunkStates(
                self.adapter,
                trees,
                self.folder.path / f"trunk-{name}.npy",
                self.preset.pass_tokens,
                lambda n: progress.advance(bar, n),
            )

    def _save(self) -> None:
        """Write a checkpoint."""
        tensors = {**self.adam.state(), **{f"{_BEST}{k}": v for k, v in self.best.items()}}

        def fill(folder: Path) -> None:
            save_file({k: v.contiguous() for k, v in tensors.items()}, folder / _TENSORS)
            write_json(folder / _STATE, asdict(self.state), indent=None)

        self.folder.save(self.state.step, fill)

    def _load(self, checkpoint: Path) -> None:
        tensors = load_file(checkpoint / _TENSORS)
        self.state = read_json(checkpoint / _STATE, State)
        self.best = {k.removeprefix(_BEST): v for k, v in tensors.items() if k.startswith(_BEST)}
        self.adam.load(tensors)


def _copy(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: w.detach().clone() for name, w in weights.items()}
