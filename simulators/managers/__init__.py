"""The hotel's side; each manager is found by name (``play.registry``).

``rule_manager`` decides and words; ``llm_manager`` has a language model voice the same decisions, ``deciding_manager``
has it decide too, within limits; ``replay_manager`` says recorded lines. What a voice is told is in ``voice_prompt``,
whether what it said may go out in ``voice_check``.
"""
