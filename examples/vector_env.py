"""Play 64 negotiations at once as arrays, under Gymnasium's own vector wrappers."""

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers.vector import NormalizeObservation, RecordEpisodeStatistics


def main() -> None:
    """Act at random for 40 steps and print the mean return of the episodes that ended."""
    name = "negotiation_env:HotelNegotiationStrategy-v0"
    envs = gym.make_vec(name, num_envs=64, autoreset_mode=AutoresetMode.NEXT_STEP)
    recorded = RecordEpisodeStatistics(envs)
    envs = NormalizeObservation(recorded)
    envs.reset(seed=0)
    envs.action_space.seed(0)
    for _ in range(40):
        envs.step(envs.action_space.sample())
    returns = np.asarray(recorded.return_queue)
    print(f"{len(returns)} episodes, mean return {returns.mean():.2f}")


if __name__ == "__main__":
    main()
