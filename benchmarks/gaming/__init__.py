"""Attempts to earn reward without negotiating, and the measurement of what they earn."""
