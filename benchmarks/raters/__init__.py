"""Automated raters after the source paper's panel: task, language, compliance; their consensus and their validity."""
