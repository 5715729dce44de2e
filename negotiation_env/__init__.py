"""negotiation-env: a Gymnasium environment for negotiation RL with language models.

Importing this package registers ``HotelNegotiation-v0`` (text) and ``HotelNegotiationStrategy-v0`` (numbers), for
``gym.make`` and ``gym.make_vec``; ``gym.make("negotiation_env:HotelNegotiation-v0")`` imports it by itself. What stands
where, and where to add a thing:

- ``game``: dialogue acts, scenarios, the public state and its moves; plain arithmetic, for one negotiation or for N.
- ``language``: text to acts (readers, ``prices``) and acts to text (``wording``).
- ``play``: the protocols of manager, reward and policy, one exchange, rollouts, records, prompts, names to objects.
- ``envs``: the Gymnasium environments, each scalar and vector form in one file.
- ``engines``: language models behind one protocol; ``engines.exact`` makes a reply independent of its batch.
- ``training``: what every training run shares: presets and the run's folder.
- ``seeds``, ``files``, ``errors``: every seed and label, every read and write, every kind of error. ``checks``: kits
  that try a persona, manager, reader, policy or reward against its contract.

Nothing here imports the four packages above it; they are found by name through entry points (``play.registry``).
"""

from __future__ import annotations

from negotiation_env.envs import register_envs

__version__ = "0.1.0"

__all__ = ["__version__"]

register_envs()
