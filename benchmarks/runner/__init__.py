"""Plays policies on suites into a folder: ``run`` the ``jobs`` by an ``episode_player``, with ``provenance``."""
