"""Between text and acts: ``reading`` tells what a message says, ``wording`` says acts in words.

``prices`` and its helpers find the figures people say, ``lexicon`` the phrases (``lexicon.toml``), ``clauses`` what
each part of a message says. New phrases are entries of the TOML files.
"""

from typing import Final

READER_VERSION: Final = 1
"""Raised with every change that can read a message otherwise."""
