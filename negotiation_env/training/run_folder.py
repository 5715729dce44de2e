"""An optimiser's state as plain tensors and JSON, so that a run can be resumed without unpickling anything."""
# MERGED-DOC """Files of a training run: a metrics log that survives a kill, folders that appear whole, and what made the run.
# MERGED-DOC
# MERGED-DOC Knows no trainer and needs no machine-learning library.
# MERGED-DOC """

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from negotiation_env.files import write_folder as write_folder
from negotiation_env.files import write_text as write_text

METRICS = "metrics.jsonl"


class MetricsLog:
    """``metrics.jsonl``: one JSON object a line, each with the step it was measured at.

    Args:
        path: the file; made if need be.
        after_step: on resume, lines of later steps, and a line that a kill cut off, are dropped; None starts anew.
    """

    def __init__(self, path: Path, after_step: int | None = None) -> None:
        self.path = path
        kept: list[str] = []
        if after_step is not None and path.is_file():
            for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
                try:
                    step = json.loads(line)["step"]
                except (json.JSONDecodeError, KeyError, TypeError):
                    continue
                if step <= after_step and line.endswith("\n"):
                    kept.append(line)
        write_text(path, "".join(kept))

    def write(self, step: int, values: Mapping[str, Any]) -> None:
        """Append one line."""
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps({"step": step, **values}) + "\n")

    def read(self) -> list[dict[str, Any]]:
        """Return all lines."""
        return [json.loads(line) for line in self.path.read_text(encoding="utf-8").splitlines()]


def clear_leftovers(folder: Path) -> None:
    """Finish or undo what a killed ``write_folder`` left in a folder."""
    for old in folder.glob(".*.old"):
        name, mark, _ = old.name[1:].rsplit(".", 2)
        fresh = folder / f".{name}.{mark}.new"
        # The old one is moved aside only when the new one is whole.
        if fresh.is_dir() and not (folder / name).exists():
            fresh.rename(folder / name)
    for path in (*folder.glob(".*.old"), *folder.glob(".*.new")):
        shutil.rmtree(path, ignore_errors=True)


def sha256(path: Path) -> str:
    """Return a file's SHA-256 as hexadecimal text."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def provenance(packages: tuple[str, ...] = ("torch", "transformers", "peft", "trl")) -> dict[str, str]:
    """Return the commit, processor and package versions that a run was made with; "unknown" where there is none."""
    found = {"commit": _commit(), "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPU cores"}
    for name in ("negotiation-env", *packages):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _commit() -> str:
    """Return the checkout's commit, "+" behind it where tracked files were changed; "unknown" outside a checkout."""
    here = Path(__file__).resolve().parent
    try:
        told = [
            subprocess.run(
                ["git", "-C", str(here), *words], capture_output=True, text=True, timeout=10, check=True
            ).stdout.strip()
            for words in (("rev-parse", "--short=12", "HEAD"), ("status", "--porcelain", "--untracked-files=no"))
        ]
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return told[0] + ("+" if told[1] else "")


def state_tensors(optimizer: torch.optim.Optimizer, prefix: str) -> dict[str, torch.Tensor]:
    """Return the moments and step counts of all parameters, named ``PREFIX.INDEX.NAME``."""
    return {
        f"{prefix}.{index}.{name}": torch.as_tensor(value).detach().contiguous()
        for index, state in optimizer.state_dict()["state"].items()
        for name, value in state.items()
    }


def settings_of(optimizer: torch.optim.Optimizer) -> list[dict[str, Any]]:
    """Return the learning rate and other settings of each parameter group, ready for JSON."""
    return [dict(group) for group in optimizer.state_dict()["param_groups"]]


def restore(
    optimizer: torch.optim.Optimizer,
    tensors: Mapping[str, torch.Tensor],
    prefix: str,
    settings: list[dict[str, Any]] | None = None,
) -> None:
    """Put back what ``state_tensors`` (and ``settings_of``) told of an optimiser over the same parameters."""
    held = optimizer.state_dict()
    held["state"] = {}
    for key, value in tensors.items():
        if key.startswith(f"{prefix}."):
            index, name = key.removeprefix(f"{prefix}.").split(".", 1)
            held["state"].setdefault(int(index), {})[name] = value
    for group, known in zip(held["param_groups"], settings or [], strict=bool(settings)):
        # JSON has no tuples; the optimisers compare and unpack theirs either way.
        group.update({name: tuple(v) if name == "betas" else v for name, v in known.items() if name != "params"})
    optimizer.load_state_dict(held)
