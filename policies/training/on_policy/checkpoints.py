"""Checkpoints of a run: each a folder that appears whole, so that a kill at any moment leaves the one before.

``checkpoints/round-NNNNNN`` holds all that the run goes on from, the best policy so far among it. Tensors are
safetensors, the rest is JSON; nothing is pickled. Random draws need no state: they follow from seed and round.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from shutil import copytree, rmtree

from safetensors.torch import load_file, save_file

from negotiation_env.errors import DataFileError
from negotiation_env.training.run_folder import clear_leftovers, write_folder
from policies.training.on_policy.actor_critic import ActorCritic
from policies.training.on_policy.learner import Learner

FOLDER, BEST, OPTIMIZER, STATE = "checkpoints", "best", "optimizer.safetensors", "state.json"
_PREFIX = "round-"


@dataclass(slots=True)
class Progress:
    """How far a run is, and what it has used up."""

    round: int = 0
    steps: int = 0
    dialogues: int = 0
    replies: int = 0
    """Replies sampled for training, those left out included."""
    unscored: int = 0
    faults: int = 0
    sampled_tokens: int = 0
    """Tokens of replies sampled for training."""
    trained_tokens: int = 0
    """Tokens, prompts included, that went through a training pass, each model's counted."""
    seconds: float = 0.0
    """Wall time, without what a kill lost."""
    cpu_seconds: float = 0.0
    peak_memory_mb: float = 0.0
    best_round: int = -1
    best_reward: float | None = None


class Checkpoints:
    """The checkpoints of a run's folder."""

    def __init__(self, out: Path) -> None:
        self.folder = out / FOLDER

    def newest(self) -> Path | None:
        """Return the newest whole checkpoint's folder."""
        found = sorted(self.folder.glob(f"{_PREFIX}*"))
        return found[-1] if found else None

    def save(self, progress: Progress, actor: ActorCritic, learner: Learner, is_best: bool) -> None:
        """Write a checkpoint, then remove the older ones. ``is_best``: the policy is the best so far."""
        older = self.newest()

        def fill(folder: Path) -> None:
            actor.save(folder)
            if is_best or older is None:
                actor.save_policy(folder / BEST)
            else:
                copytree(older / BEST, folder / BEST)
            save_file(learner.state(), folder / OPTIMIZER)
            (folder / STATE).write_text(json.dumps(asdict(progress), indent=2) + "\n", encoding="utf-8")

        fresh = self.folder / f"{_PREFIX}{progress.round:06d}"
        write_folder(fresh, fill)
        for path in self.folder.glob(f"{_PREFIX}*"):
            if path != fresh:
                rmtree(path, ignore_errors=True)

    def load(self, actor: ActorCritic, learner: Learner) -> Progress:
        """Restore the newest checkpoint. Raises ``DataFileError`` where there is none, or it is not readable."""
        folder = self.newest()
        if folder is None:
            raise DataFileError(f"{self.folder}: expected a checkpoint to resume from, found none: leave out --resume")
        clear_leftovers(self.folder)
        try:
            state: Mapping[str, float] = json.loads((folder / STATE).read_text(encoding="utf-8"))
            progress = Progress(**state)  # type: ignore[arg-type]
        except (OSError, ValueError, TypeError) as error:
            raise DataFileError(f"{folder / STATE}: expected a run's state, got {error!r}") from error
        actor.load(folder)
        learner.restore(load_file(folder / OPTIMIZER), progress.steps)
        return progress
