"""The hotel's side: by rules, voiced by a language model, or replayed. Each is found by name (``play.registry``)."""
