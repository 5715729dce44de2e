"""Negotiation policies (the agent's side) and their training."""
