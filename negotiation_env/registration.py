"""Gymnasium entry point: called once when ``gymnasium`` is imported. Knows nothing of the game.

Entry points are strings, so importing Gymnasium loads nothing of this package but this module.
"""

from __future__ import annotations

from gymnasium.envs.registration import register, registry

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
    for name, (single, batched) in ENVIRONMENTS.items():
        if name not in registry:
            register(id=name, entry_point=single, vector_entry_point=batched)
