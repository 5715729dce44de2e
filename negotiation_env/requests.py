"""What a hotel may ask for and no agent may give: a guarantee, a secret, small talk (``phrases/requests.toml``).

Lines for managers who ask such things and for demonstrations of declining them. Knows nothing of who says them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

_PATH: Final = Path(__file__).parent / "phrases" / "requests.toml"


Lines = Mapping[str, Mapping[str, tuple[str, ...]]]
"""Lines by kind, then by split: ``train``, and ``test`` for held-out data."""


def read_lines(path: Path) -> Lines:
    """Read lines from a TOML file with a table for each kind."""
    with path.open("rb") as file:
        return {kind: {name: tuple(lines) for name, lines in t.items()} for kind, t in tomllib.load(file).items()}


@cache
def requests() -> Lines:
    """Return what a hotel asks for."""
    return read_lines(_PATH)
