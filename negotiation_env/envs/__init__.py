"""The Gymnasium environments: ``text`` and its numeric twin ``numeric``, each in scalar and vector form.

``arguments`` checks the keywords that they share, ``vector`` has what the vector forms do alike, ``spaces`` holds
action and observation spaces. Gymnasium gets entry points as strings, so no environment is imported before
``gym.make``. A new keyword goes into ``arguments`` and into both files.
"""

from __future__ import annotations

from gymnasium.envs.registration import register, registry

ENVIRONMENTS = {
    "HotelNegotiation-v0": (
        "negotiation_env.envs.text:HotelNegotiationEnv",
        "negotiation_env.envs.text:HotelNegotiationVectorEnv",
    ),
    "HotelNegotiationStrategy-v0": (
        "negotiation_env.envs.numeric:StrategyEnv",
        "negotiation_env.envs.numeric:StrategyVectorEnv",
    ),
}


def register_envs() -> None:
    """Register this project's environments with Gymnasium, unless they are already."""
    for name, (single, batched) in ENVIRONMENTS.items():
        if name not in registry:
            register(id=name, entry_point=single, vector_entry_point=batched)
