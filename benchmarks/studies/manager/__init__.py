"""The hotel manager, measured: ``negotiate study manager``.

``manager_study`` is the command; ``manager_talks`` plays talks in lock-step, each part on scenarios of its own. Parts:
``content_probes`` (pairs of scripts, first messages and attacks; their texts lie in ``probes``), ``soundness``,
``exploits``, ``floor_guesses``, ``human_likeness``, ``human_fit`` (a persona fitted to people), ``persona_separation``.
"""
