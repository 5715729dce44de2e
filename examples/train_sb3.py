"""Train Stable-Baselines3's PPO on the numeric environment for a few steps, and let it speak in the text environment.

Needs the extra ``sb3``. Some two million steps make a good policy; ``docs/sb3.md`` says what to expect.
"""

from typing import Any

import gymnasium as gym
from stable_baselines3 import PPO
from stable_baselines3.common.env_util import make_vec_env

from negotiation_env.play.registry import load_policy


def main(steps: int = 1024) -> None:
    """Train, save, and play one episode with what was saved."""
    envs = make_vec_env("negotiation_env:HotelNegotiationStrategy-v0", n_envs=4, seed=0)
    model = PPO("MlpPolicy", envs, n_steps=64, gamma=0.7, device="cpu", seed=0)
    model.learn(steps)
    model.save("my.zip")

    policy = load_policy("sb3:my.zip")
    env: Any = gym.make("negotiation_env:HotelNegotiation-v0", render_mode="ansi")
    env.reset(seed=6)
    over = False
    while not over:
        (reply,) = policy.reply([env.unwrapped.view()])
        _, _, terminated, truncated, info = env.step(reply.text)
        over = terminated or truncated
    print(env.render())
    print("ended:", info["outcome"]["end"])


if __name__ == "__main__":
    main()
