"""REPO's reward: a preference model (RM), modulated by a judge (RJ) and by rules (RF); arXiv 2510.04214.

- ``repo``: the composition of the three, one number per reply; ``sources`` holds their protocols, ``loading`` opens
  them by name, ``rescoring`` scores recorded episodes anew; ``outcome`` is the plain baseline, the deal's value alone.
- ``model``, ``judge``, ``rules``: one source each, with its data and the training that is its own.
- ``training``: what trained sources share: adapters on a frozen base, their loop, figures, and the light linear
  scorers.
- ``linear`` and ``talk_encoder``: how light and encoder sources read a reply.

A new rule goes into ``rules/rules.toml``, a new dimension of the judge into ``judge/rubric.toml``: no code. A new
source is a class with the protocol of ``sources`` and a name in ``loading``.
"""

from typing import Final

RULES_VERSION: Final = 8
"""Raised with every change that can move a rule's points."""
JUDGE_VERSION: Final = 7
"""Raised with every change that can move the default judge's points."""
MODEL_VERSION: Final = 7
"""Raised with every change that can move the default reward model's score, or the composition."""
