"""Simulated people: hotel managers who answer, and the written and simulated people whom training data comes from.

- ``personas``: who a manager is (``packs/*.toml``, one file a persona); ``persona_phrases`` checks a persona's own
  words.
- ``concerns``: what may weigh on a manager, in which houses, and how it shows (``concerns.toml``).
- ``subjects``: what is asked and answered beside the rate, from breakfast to a call back (``subjects.toml``).
- ``dynamics``: how a manager decides, before a word is said; arithmetic, for one negotiation or for N.
- ``content``: what an agent's words are worth to the manager who hears them, beyond their acts (``houses.toml``,
  ``content_words.json``); ``concerns``: what weighs on a manager, and how it shows (``concerns.toml``).
- ``managers``: ``rule_manager`` words decisions from a phrase book, ``llm_manager`` has a language model voice them,
  ``deciding_manager`` has it decide too, ``replay_manager`` says recorded or scripted lines.
- ``people``: situations, candidate replies, annotators and demonstrators; the data that rewards and policies learn
  from.

A new persona is a TOML file in ``packs``; a new manager is a class with ``start`` and ``respond`` and an entry point in
``negotiation_env.managers``.
"""

from typing import Final

MANAGERS_VERSION: Final = 6
"""Raised with every change that can move a manager's decision or words."""
