"""Finding, loading and sampling personas: the shipped ones, a user's file or object, and plug-ins.

Plug-ins announce themselves under the entry-point group ``negotiation_env.personas``: a callable
that returns paths of persona files or ``Persona`` objects. Knows nothing of dialogue.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np

from negotiation_env.errors import UsageError, did_you_mean
from negotiation_env.lanes import FLOATS
from simulators.dynamics import PERSONA_TURN
from simulators.persona_file import Decides, Persona, Persuaded, parse_persona, read_persona

__all__ = [
    "Decides",
    "Persona",
    "Persuaded",
    "all_personas",
    "builtin_personas",
    "load_persona",
    "parse_persona",
    "read_persona",
    "sample_persona",
]

GROUP = "negotiation_env.personas"
PACKS = Path(__file__).parent / "packs"


def builtin_personas() -> list[Path]:
    """Return the paths of the shipped persona files, sorted by name."""
    return sorted(PACKS.glob("*.toml"))


@cache
def all_personas() -> tuple[Persona, ...]:
    """Return the shipped and the plugged-in personas, sorted by name.

    Raises:
        UsageError: two personas share a name, or a plug-in cannot be loaded.
    """
    found: dict[str, tuple[Persona, str]] = {}
    for source, provide in _sources():
        for item in provide():
            persona = item if isinstance(item, Persona) else read_persona(Path(item))
            if persona.name in found:
                raise UsageError(
                    f"expected personas of different names, got {persona.name!r} from "
                    f"{found[persona.name][1]} and from {source}: rename one"
                )
            found[persona.name] = (persona, source)
    return tuple(found[name][0] for name in sorted(found))


def _sources() -> Iterable[tuple[str, Callable[[], Iterable[Persona | Path | str]]]]:
    """Yield every provider with its name for errors; the shipped one needs no installation."""
    yield "the shipped packs", builtin_personas
    for point in entry_points(group=GROUP):
        if point.value == f"{__name__}:{builtin_personas.__name__}":
            continue
        try:
            provide = point.load()
        except (ImportError, AttributeError) as error:
            raise UsageError(
                f"expected a callable at entry point {point.name!r} ({point.value}) of {GROUP}, "
                f"got {error!r}: correct or uninstall that plug-in"
            ) from error
        yield f"plug-in {point.name!r} ({point.value})", provide


def load_persona(persona: str | Path | Persona) -> Persona:
    """Return a persona given by name, by path of a TOML file, or as itself.

    Raises:
        UsageError: no persona has that name, or there is no such file.
        DataFileError: the file is no persona.
    """
    if isinstance(persona, Persona):
        return persona
    if isinstance(persona, Path):
        return read_persona(persona)
    if not isinstance(persona, str):
        raise UsageError(f"expected a persona's name, path or Persona object, got {persona!r}: pass one of these")
    by_name = {known.name: known for known in all_personas()}
    if persona in by_name:
        return by_name[persona]
    if persona.endswith(".toml") or "/" in persona or Path(persona).is_file():
        return read_persona(Path(persona))
    raise UsageError(
        f"expected a persona's name or the path of a .toml file, got {persona!r}.{did_you_mean(persona, by_name)}"
    )


def sample_persona(seed: int, personas: Sequence[Persona] | None = None) -> Persona:
    """Draw a persona by weight; the same 64-bit episode seed always gives the same one."""
    known = all_personas() if personas is None else personas
    edges = weight_edges(known)
    position = FLOATS.draw(seed, PERSONA_TURN, 0)
    return known[sum(position >= edge for edge in edges[:-1])]


def weight_edges(personas: Sequence[Persona]) -> list[float]:
    """Return the cumulative sampling shares, as the dynamics tabulate them.

    Raises:
        UsageError: there is no persona, or every weight is 0.
    """
    weights = np.array([persona.weight for persona in personas], dtype=np.float64)
    if not personas or weights.sum() <= 0.0:
        raise UsageError(
            f"expected a persona with weight > 0, got weights {weights.tolist()}: add one or raise a weight"
        )
    return [float(edge) for edge in np.cumsum(weights / weights.sum())]
