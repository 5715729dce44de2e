"""Plays policies on suites into a benchmark's folder: ``run`` the ``jobs`` by ``workers``, with ``provenance``."""
