"""One run's folder: what it is, how its training ended, and which adapter it left.

A folder holds ``identity.json`` (settings, start, base, rules: what its result depends on), ``training`` (the folder of
``negotiate train``), ``usage.json``, ``outcome.json`` once training has ended, ``log.txt``, and what ``evaluation``
adds. Trains nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from benchmarks.methods.variants import Variant
from benchmarks.provenance import digest, rule_digests
from negotiation_env.engines.named_bases import base_path
from negotiation_env.errors import DataFileError, UsageError
from policies.training.run_files import write_text

FINISHED, STOPPED = "finished", "stopped"
WEIGHTS: Final = "adapter_model.safetensors"
_IDENTITY, _OUTCOME = "identity.json", "outcome.json"
_BASE_POLICIES: Final = {"tiny": "base:tiny", "smollm2": "base:small"}


@dataclass(frozen=True, slots=True)
class Run:
    """One training run, or a policy that needs none.

    Attributes:
        variant: what is trained.
        seed: of the training.
        folder: where everything of it lies.
        scale: name of the preset.
        settings: the whole preset, overrides included; of the base its name alone.
        overrides: the settings in place of the preset's, "key=value".
        start: adapter that training starts from, None for none.
        given: adapter that was trained elsewhere and stands for this run's; None trains one.
    """

    variant: Variant
    seed: int
    folder: Path
    scale: str
    settings: Mapping[str, Any]
    overrides: tuple[str, ...] = ()
    start: Path | None = None
    given: Path | None = None

    @property
    def name(self) -> str:
        """Return "repo, seed 3"."""
        return f"{self.variant.name}, seed {self.seed}"

    @property
    def trains(self) -> bool:
        """Whether there is something to train."""
        return self.variant.method != "base" and self.given is None

    @property
    def training(self) -> Path:
        """The folder of ``negotiate train``."""
        return self.folder / "training"


class Outcome(NamedTuple):
    """How a training ended.

    Attributes:
        status: ``FINISHED``, or ``STOPPED`` by one of the training's guards.
        reason: the guard's words, "" if it finished.
        adapter: the best adapter, None if it was stopped before there was one.
    """

    status: str
    reason: str
    adapter: Path | None


def outcome(run: Run) -> Outcome | None:
    """Return how a run's training ended, None if it has not. Raises ``DataFileError`` on an unreadable record."""
    if not run.trains:
        return Outcome(FINISHED, "", run.given)
    path = run.folder / _OUTCOME
    if not path.is_file():
        return None
    record = _read(path)
    adapter = record.get("adapter")
    return Outcome(record["status"], record["reason"], None if adapter is None else run.folder / adapter)


def record_outcome(run: Run, status: str, reason: str, adapter: Path | None) -> None:
    """Write how training ended; the adapter lies in the run's folder."""
    place = None if adapter is None else adapter.relative_to(run.folder).as_posix()
    write_text(run.folder / _OUTCOME, json.dumps({"status": status, "reason": reason, "adapter": place}) + "\n")


def identity(run: Run) -> dict[str, Any]:
    """Return what a run's result depends on, without paths; a start that is not there counts as ""."""
    settings = {key: value for key, value in run.settings.items() if key != "start"}
    found: dict[str, Any] = {"method": run.variant.method, "base": base_digest(settings["base"])}
    if run.given is not None:
        return {**found, "adapter": adapter_digest(run.given)}
    if run.trains:
        start = adapter_digest(run.start) if run.start is not None and (run.start / WEIGHTS).is_file() else ""
        rules = {name: value for name, value in rule_digests().items() if name != "raters"}
        found |= {"settings": settings, "start": start, "rules": rules}
    return found


def differences(run: Run) -> list[str]:
    """Return in what a run differs from the one that lies in its folder; nothing where none lies there.

    Raises:
        DataFileError: the folder's record is not readable.
    """
    path = run.folder / _IDENTITY
    if not path.is_file():
        return []
    earlier, now = _read(path), identity(run)
    odd = sorted(k for k in now.keys() | earlier.keys() if k != "settings" and earlier.get(k) != now.get(k))
    own, theirs = now.get("settings", {}), earlier.get("settings", {})
    return odd + sorted(key for key in own.keys() | theirs.keys() if own.get(key) != theirs.get(key))


def check_identity(run: Run) -> None:
    """Check that a run's folder is new, or holds this very run.

    Raises:
        UsageError: it holds another.
        DataFileError: its record is not readable.
    """
    odd = differences(run)
    if odd:
        raise UsageError(
            f"{run.folder}: expected the run that lies there, got another {', '.join(odd)}: choose another --out, or "
            "remove that folder to make it anew"
        )


def record_identity(run: Run) -> None:
    """Write what a run's result depends on."""
    write_text(run.folder / _IDENTITY, json.dumps(identity(run), indent=1) + "\n")


def policy_of(run: Run) -> str | None:
    """Return the spec of the policy that a run left, None if there is none."""
    if run.variant.method == "base":
        base = run.settings["base"]
        return _BASE_POLICIES.get(base, f"hf:{base}")
    found = outcome(run)
    if found is None or found.adapter is None:
        return None
    # Every adapter folder is played alike, whatever trained it; "sft" is the name of that way of playing.
    return f"sft:{found.adapter}"


def policy_digest(run: Run) -> str:
    """Return the digest of the weights that a run's policy plays."""
    found = outcome(run)
    base = base_digest(run.settings["base"])
    return base if found is None or found.adapter is None else f"{base} {adapter_digest(found.adapter)}"


def adapter_digest(folder: Path) -> str:
    """Return the digest of an adapter's configuration and weights. Raises ``UsageError`` where there is none."""
    try:
        return digest((folder / name).read_bytes() for name in ("adapter_config.json", WEIGHTS))
    except OSError as error:
        raise UsageError(f"{folder}: expected an adapter folder, got {error.strerror}: {error.filename}") from error


@cache
def base_digest(name: str) -> str:
    """Return the digest of a base's weights and configuration, "" for one that is not in a folder here."""
    folder = Path(base_path(name))
    if not folder.is_dir():
        return ""
    files = sorted(path for end in ("*.json", "*.safetensors") for path in folder.glob(end))
    return digest(part for path in files for part in (path.name.encode(), path.read_bytes()))


def _read(path: Path) -> dict[str, Any]:
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataFileError(f"{path}: expected a run's record, got {error}: remove the run's folder") from error
    return record
