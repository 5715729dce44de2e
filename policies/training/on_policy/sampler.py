"""The engine that replies are sampled from in training, and how it comes by the policy's weights.

By default it is the trained base itself, which holds the policy: nothing is copied. With the preset's ``rollout`` it is
an engine of its own, which takes the policy as a PEFT folder before each round and each measurement (vLLM swaps the
adapter in its place, without loading its base again); ``engines.chat_model.RolloutEngine`` says what that takes. Its
log-probabilities are not exactly those of the trained model; the figure ``sampling_gap`` says by how much.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from negotiation_env.engines import load_engine
from negotiation_env.engines.chat_model import RolloutEngine
from negotiation_env.errors import UsageError
from negotiation_env.files import write_folder
from policies.training.on_policy.actor_critic import ActorCritic


class Sampler:
    """Keeps a rollout engine at the policy's weights.

    Args:
        actor: the models; its preset's ``rollout`` says which engine it is.
        folder: the weights go into it; one that every process can read.

    Raises:
        EngineSpecError, EngineMissingError: if the engine cannot be opened.
        UsageError: if it takes no weights.
    """

    def __init__(self, actor: ActorCritic, folder: Path) -> None:
        self.actor, self._folder = actor, folder.resolve()
        self.engine: RolloutEngine = actor.engine
        if actor.preset.rollout is not None:
            self._write()
            engine = load_engine(f"{actor.preset.rollout}:{self._folder}")
            if not isinstance(engine, RolloutEngine):
                raise UsageError(
                    f"rollout: expected an engine that takes weights, got {actor.preset.rollout!r}: "
                    "leave it out to sample from the trained base"
                )
            self.engine = engine

    def renew(self) -> None:
        """Give the engine the policy's weights as they are now."""
        if self.engine is self.actor.engine:
            self.actor.engine.forget_prompts()
        else:
            self._write()
            self.engine.renew()

    @contextmanager
    def ready(self) -> Iterator[RolloutEngine]:
        """The engine, for as long as replies are sampled."""
        with self.actor.whole_base() if self.engine is self.actor.engine else nullcontext():
            yield self.engine

    def _write(self) -> None:
        """Write the policy's weights. What comes of the last ones has been gathered, so each process has read them."""
        self.actor.processes.on_main(lambda: write_folder(self._folder, self.actor.save_policy))
