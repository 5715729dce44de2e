"""Between text and acts: a reader (``reading``) tells what a message says, ``wording`` says acts in words.

Two readers are shipped, ``rule_reader`` and ``encoder_reader`` (what it sees: ``encoder_input``; its files:
``encoder_build``); ``describe`` shows people how a message was understood.
``prices`` finds the figures people say (``numerals``; the words around them in ``price_vocabulary``, ``price_context``
and ``price_filters``), ``lexicon`` the phrases (``lexicon.toml``), ``clauses`` what each part of a message says. New
phrases are entries of the TOML files. ``claims`` finds what an agent's message states about its card and the talk, and
checks it.
"""

from typing import Final

READER_VERSION: Final = 1
"""Raised with every change that can read a message otherwise."""
