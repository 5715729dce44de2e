"""Gymnasium entry point: called once when ``gymnasium`` is imported. Knows nothing of the game."""


def register_envs() -> None:
    """Register this project's environments with Gymnasium."""
