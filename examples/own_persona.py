"""Write a hotel manager of your own as TOML and negotiate with it."""

from pathlib import Path

import gymnasium as gym

PERSONA = """
name = "my-owner"
voice = "Short and dry."
[decides]
beta = "boulware"        # gives in late; or "linear", "conceder", or a number
answers = 0.9            # answers the first message
wants_reason = 0.9       # asks what it gains before it quotes
[tactics]
exposure = 0.25          # how far a strong argument of this kind moves it
"""


def main() -> None:
    """Play two messages with it; `negotiate persona check my-owner.toml` says more."""
    path = Path("my-owner.toml")
    path.write_text(PERSONA, encoding="utf-8")
    env = gym.make("negotiation_env:HotelNegotiation-v0", persona=path, render_mode="ansi")
    env.reset(seed=1)
    env.step("Good morning, this is the travel platform. Partners gain exposure with us.")
    env.step("It fills empty rooms. What is your best rate?")
    print(env.render())


if __name__ == "__main__":
    main()
