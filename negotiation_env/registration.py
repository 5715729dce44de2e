"""Registers the environments with Gymnasium. Knows nothing of the game.

Entry points are strings, so nothing of this package is imported until ``gym.make``. Gymnasium itself is imported only
when the environments are registered: whoever imports this module first must not start its import half-way.
"""

from __future__ import annotations

ENVIRONMENTS = {
    "HotelNegotiation-v0": (
        "negotiation_env.env:HotelNegotiationEnv",
        "negotiation_env.vector_env:HotelNegotiationVectorEnv",
    ),
    "HotelNegotiationStrategy-v0": (
        "negotiation_env.strategy_env:StrategyEnv",
        "negotiation_env.strategy_vector:StrategyVectorEnv",
    ),
}


def register_envs() -> None:
    """Register this project's environments with Gymnasium, unless they are already."""
    from gymnasium.envs.registration import register, registry

    for name, (single, batched) in ENVIRONMENTS.items():
        if name not in registry:
            register(id=name, entry_point=single, vector_entry_point=batched)
