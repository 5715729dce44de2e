"""The hotel's side: ``rule_manager``, ``llm_manager`` (the same decisions, voiced by a model), ``deciding_manager`` (a
model's decisions, within limits), ``replay_manager``. A voice is told what ``voice_prompt`` writes, and what it says
goes out if ``voice_check`` finds the decision in it.

Each is found by name (``play.registry``).
"""
