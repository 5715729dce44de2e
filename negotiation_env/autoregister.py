"""Registers the environments when Gymnasium is imported, and not before.

Gymnasium 1.0 dropped the plug-in entry points by which earlier versions found environments of other packages. The
installed file ``negotiation_env_register.pth`` has Python import this module at start-up; it imports little but the
standard library, and watches for ``gymnasium.envs``: once that is loaded, ``register_envs`` runs. A program that never
imports Gymnasium pays one small import.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

from negotiation_env.registration import register_envs

WATCHED = "gymnasium.envs"


class _Watcher(MetaPathFinder):
    """Finds ``gymnasium.envs`` as Python would, and adds the registration to its loading."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the module's own spec with registration after it, or None for any other module."""
        if fullname != WATCHED:
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def execute_and_register(module: ModuleType) -> None:
            execute(module)
            register_envs()

        spec.loader.exec_module = execute_and_register  # type: ignore[method-assign]
        return spec


def watch() -> None:
    """Register now if Gymnasium is loaded, else as soon as it is."""
    if WATCHED in sys.modules:
        register_envs()
    elif not any(isinstance(finder, _Watcher) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Watcher())


watch()
