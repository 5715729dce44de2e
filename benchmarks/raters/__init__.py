"""Automated raters after the source paper's panel: ``task``, ``language``, ``compliance``, and their ``panel``.

``rating`` is their common scale, ``situation`` what they know of a reply's moment, ``phrasing`` how it reads, by
weights of words fitted on written replies. What a reply states is held against card and talk by ``truth_dates``,
``truth_names`` and ``truth_figures``, on what ``said_numbers`` reads. ``wordlists`` holds ``lexicon.toml``;
``llm_rater`` is any language model, reported beside the panel (``negotiate bench --rater``). How valid they are
is measured by ``negotiate study raters``.
"""

from typing import Final

RATERS_VERSION: Final = 2
"""Raised with every change that can move a rating."""
