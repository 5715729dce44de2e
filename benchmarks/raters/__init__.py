"""Automated raters after the source paper's panel: ``task``, ``language``, ``compliance``, and their ``panel``.

``rating`` is their common scale, ``situation`` what they know of a reply's moment, ``truth`` traces figures,
``wordlists`` holds ``lexicon.toml``; ``llm_rater`` is any language model, reported beside the panel. How valid they are
is measured by ``negotiate study raters``.
"""

from typing import Final

RATERS_VERSION: Final = 1
"""Raised with every change that can move a rating."""
