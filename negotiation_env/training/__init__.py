"""What training runs share: ``presets``, ``run_folder`` (files), ``lora`` (adapters), ``encoder`` (MiniLM with heads).

``processes`` is a run of several processes under ``accelerate launch``.

Importing ``presets`` and ``run_folder`` imports no torch.
"""

from __future__ import annotations

import importlib
from types import ModuleType

from negotiation_env.errors import UsageError


def optional_module(name: str, extra: str) -> ModuleType:
    """Import a module that needs an extra. Raises ``UsageError`` where a library is missing, saying what to install."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise UsageError(
            f"{name}: expected the package {error.name!r}, which is not installed: "
            f"pip install 'negotiation-env[{extra}]'"
        ) from error
