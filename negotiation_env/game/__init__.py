"""The game as arithmetic: dialogue acts, scenarios, the public state and how moves change it; no text, no model.

Written once for one negotiation (floats) and for N (arrays), see ``lanes``. A new act starts in ``acts`` and ``moves``.
"""
