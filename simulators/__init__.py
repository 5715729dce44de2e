"""Simulated hotel managers: personas, dynamics, and the rule-based, LLM and replay managers."""
