"""A PPO agent trained on the numeric environment, playing in the text environment.

Public state -> numeric observation -> small MLP -> numeric action -> move -> dialogue acts -> text,
each step by the code that the numeric environment itself uses. Needs neither torch nor
Stable-Baselines3.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from negotiation_env.acts import Act, DialogueAct, Tactic
from negotiation_env.errors import DataFileError
from negotiation_env.lanes import FLOATS
from negotiation_env.moves import PRICE_LEVELS, acts_of_move, move_of_action
from negotiation_env.protocols import AgentView
from negotiation_env.spaces import OBSERVATION_SIZE, observation
from policies.act_policy import ActPolicy
from policies.mlp import MultiDiscreteMlp, load_mlp

SHIPPED = Path(__file__).with_name("artifacts") / "sb3-ppo"
ACTION_SIZES = (len(Act), len(Tactic), PRICE_LEVELS)


class Sb3Policy(ActPolicy):
    """A trained Stable-Baselines3 PPO agent.

    Args:
        path: folder that ``negotiate train sb3`` wrote, or "default" for the one that comes
            with the project.

    Raises:
        DataFileError: if the folder holds no agent, or one for another observation or action space.
    """

    name = "sb3"

    def __init__(self, path: str | Path = "default") -> None:
        folder = SHIPPED if path == "default" else Path(path)
        self.network: MultiDiscreteMlp = load_mlp(folder)
        found = (self.network.observation_size, self.network.action_sizes)
        if found != (OBSERVATION_SIZE, ACTION_SIZES):
            raise DataFileError(
                f"{folder}: expected an agent for {OBSERVATION_SIZE} observations and actions {ACTION_SIZES}, "
                f"got {found[0]} and {found[1]}: train it again with this version"
            )

    def action(self, view: AgentView) -> tuple[int, ...]:
        """Return the numeric action (act, tactic, price level) for a view."""
        # The numeric environment hands out float32: round as it does.
        seen = np.array(observation(FLOATS, view.game), dtype=np.float32)
        return self.network.act(seen.astype(np.float64), view.seed)

    def choose(self, view: AgentView) -> tuple[DialogueAct, ...]:
        """Return the acts of the next message."""
        act, tactic, level = self.action(view)
        move = move_of_action(FLOATS, float(act), float(tactic), float(level), view.game)
        return acts_of_move(move, view.card, view.game)
