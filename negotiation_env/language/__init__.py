"""Between text and acts: a reader (``reading``) tells what a message says, ``wording`` says acts in words.

Two readers are shipped. ``rule_reader`` goes from ``clauses`` (with ``grammar`` and the phrases of ``lexicon``) by
``stances``, ``offers`` and ``steps`` to what is said of the tickets (``agent_reading``, ``manager_reading``) and what
is promised (``promises``, with a ``word_model``; a scenario's own: ``own_promises``). ``encoder_reader`` asks a
sentence encoder (what it sees: ``encoder_input``, Chinese through ``gloss``; what it can say: ``encoder_heads``; its
files: ``encoder_build``). ``describe`` shows people how a message was understood, ``claims`` finds and checks what an
agent's message states about its card and the talk. ``prices`` finds the figures people say (``numerals``; the words
around them in ``price_vocabulary``, ``price_context``, ``price_filters``). New phrases are entries of the TOML files.
"""

from typing import Final

READER_VERSION: Final = 10
"""Raised with every change that can read a message otherwise."""
