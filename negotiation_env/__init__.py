"""negotiation-env: a Gymnasium environment for negotiation RL with language models.

``import gymnasium as gym; gym.make("HotelNegotiation-v0")`` needs no import of this package: the environments are
registered through Gymnasium's plug-in entry point.
"""

from __future__ import annotations

__version__ = "0.1.0"

__all__ = ["__version__"]
