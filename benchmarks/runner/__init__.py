"""Plays policies on suites into a benchmark's folder: ``run`` from the list of ``jobs`` by ``workers``, with ``provenance``."""
