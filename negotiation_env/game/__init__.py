"""The game as arithmetic: acts, scenarios, the public state and how moves change it; no text, no model.

``acts`` is the vocabulary of both sides, ``scenario`` draws cards and floors from ``world``, ``scenario_file`` reads
and writes one as TOML, ``state`` holds what was said and agreed, ``moves`` turns acts into moves and back, ``features``
describe a reply for the rewards. All of it is written once for one negotiation (floats) and for N (arrays), see
``lanes``. A new act starts in ``acts`` and ``moves``.
"""

from typing import Final

SCENARIOS_VERSION: Final = 2
"""Raised with every change that draws another scenario from a seed."""
