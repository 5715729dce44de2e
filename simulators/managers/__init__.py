"""The hotel's side: ``rule_manager``, ``llm_manager`` (the same decisions, voiced by a model), ``replay_manager``.

Each is found by name (``play.registry``).
"""
