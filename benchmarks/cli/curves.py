"""``--curve NAME=PATH``: training runs whose learning curves go on the report's page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from negotiation_env.errors import UsageError


def read_curves(texts: Sequence[str]) -> dict[str, Path]:
    """Return training runs' metrics.jsonl by the name to show, from texts ``NAME=PATH``.

    Raises:
        UsageError: a text is no ``NAME=PATH``, a name comes twice, or a path is neither a run's folder nor its file.
        DataFileError: a file cannot be read or has no curve.
    """
    from benchmarks.report.panels import learning_curves
    from policies.training.run_files import METRICS

    found: dict[str, Path] = {}
    for text in texts:
        name, equals, place = (part.strip() for part in text.partition("="))
        if not (name and equals and place):
            raise UsageError(f"--curve: expected NAME=PATH, got {text!r}: name the run, such as --curve ppo=out/ppo")
        if name in found:
            raise UsageError(f"--curve: expected different names, got {name!r} twice: name one of them otherwise")
        path = Path(place)
        path = path / METRICS if path.is_dir() else path
        if not path.is_file():
            raise UsageError(
                f"--curve {name}: expected a training run's folder or its {METRICS}, found no file {path}: "
                "name the --out of a `negotiate train`"
            )
        found[name] = path
    # Drawn once before anything is played: a file without curves is told now.
    learning_curves(found)
    return found
