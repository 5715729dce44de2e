"""The error model.

What the agent or a language model says is data and never raises. A fault of an engine is recorded in the turn
it spoiled (``fault``), left out of averages, and counted. Only a caller's mistake raises, at once, with what was
expected, what was found, and what to do: those are the classes below.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class NegotiationError(Exception):
    """Base of every error that this project raises on purpose."""


class UsageError(NegotiationError, ValueError):
    """A caller passed something that cannot be used."""


class RenderModeError(UsageError, TypeError):
    """An environment cannot render as asked.

    It is a ``TypeError`` too, because on that one Stable-Baselines3, which asks every environment for ``"rgb_array"``,
    makes the environment again without it.
    """


class EpisodeOverError(NegotiationError, RuntimeError):
    """``step`` was called before ``reset``, after the episode had ended, or after a step that failed half-way."""


class DataFileError(NegotiationError, ValueError):
    """A persona, suite, rule or rubric file is wrong: names the file, the field, and what was expected."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return " Did you mean 'x'?" for the closest known name, then the list of known names."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return f"{hint} Known: {', '.join(names) or 'none'}."
