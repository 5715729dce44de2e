"""The folder of a training run, the same for every trainer, and what made the run.

``run.json`` (settings and data, compared on --resume), ``metrics.jsonl``, ``checkpoints/UNIT-NUMBER`` (each appears
whole; the newest is kept), and the model card of what came out, ``README.md``. Tensors are safetensors, the rest is
JSON; nothing is pickled. Torch is imported by what handles an optimiser alone.
"""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from shutil import copyfile, rmtree
from typing import TYPE_CHECKING, Any

from negotiation_env.errors import NegotiationError, UsageError
from negotiation_env.files import (
    append_line,
    read_json,
    read_lines,
    write_file,
    write_folder,
    write_json,
    write_lines,
    write_text,
)

if TYPE_CHECKING:
    import torch

RUN, METRICS, CARD, CHECKPOINTS = "run.json", "metrics.jsonl", "README.md", "checkpoints"


class TrainingStoppedError(NegotiationError, RuntimeError):
    """Training cannot go on, as what it measures says; tells why, and where the last good checkpoint lies."""


class RunFolder:
    """A run's folder.

    Args:
        path: the folder; made if need be.
        unit: what checkpoints are numbered by.
        digits: least digits of a checkpoint's number.
    """

    def __init__(self, path: Path, unit: str = "step", digits: int = 1) -> None:
        self.path = path
        self._unit, self._digits = unit, digits

    def claim(self, settings: Mapping[str, Any], resume: bool, may_grow: str | None = None) -> Path | None:
        """Note what the run is made from; return the checkpoint to go on from, or None to begin.

        Args:
            settings: all that the result depends on, ready for JSON.
            resume: whether to go on with a run that lies there; where none does, one begins.
            may_grow: a budget, which may be larger than that of the run there; none for None.

        Raises:
            UsageError: if the folder cannot be written, or holds a run and ``resume`` is off, or one of other settings.
            DataFileError: if the settings of the run there cannot be read.
        """
        known = self.path / RUN
        try:
            (self.path / CHECKPOINTS).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"--out: expected a folder that can be written, got {self.path} ({error})") from error
        for folder in (self.path, self.path / CHECKPOINTS):
            clear_leftovers(folder)
        newest = self.newest()
        if newest is not None:
            if not resume:
                raise UsageError(
                    f"{self.path}: expected no run there, found one: pass --resume to go on, or another --out"
                )
            earlier = read_json(known, dict[str, Any])
            odd = sorted(key for key in settings.keys() | earlier.keys() if settings.get(key) != earlier.get(key))
            if may_grow is not None and may_grow in odd and settings[may_grow] > earlier[may_grow]:
                odd.remove(may_grow)
            if odd:
                raise UsageError(
                    f"{self.path}: expected the settings and data of the run there, got another {', '.join(odd)}: "
                    "give the run's own, or another --out"
                )
        write_json(known, settings, indent=1)
        return newest

    def checkpoints(self) -> list[Path]:
        """Return the whole checkpoints, oldest first."""
        return sorted((self.path / CHECKPOINTS).glob(f"{self._unit}-*"), key=self.number)

    def newest(self) -> Path | None:
        """Return the newest whole checkpoint, None where there is none."""
        return next(reversed(self.checkpoints()), None)

    def number(self, checkpoint: Path) -> int:
        """Return a checkpoint's number."""
        return int(checkpoint.name.removeprefix(f"{self._unit}-"))

    def save(self, number: int, fill: Callable[[Path], None]) -> None:
        """Have ``fill`` write a checkpoint, then remove the older ones: a kill at any moment leaves a whole one."""
        fresh = self.path / CHECKPOINTS / f"{self._unit}-{number:0{self._digits}d}"
        write_folder(fresh, fill)
        for path in self.checkpoints():
            if path != fresh:
                rmtree(path, ignore_errors=True)

    def publish(self, adapter: Path, card: str) -> None:
        """Put an adapter's files and its card into the run's folder itself."""
        for file in adapter.iterdir():
            write_file(self.path / file.name, partial(copyfile, file))
        write_text(self.path / CARD, card)

    def log(self, checkpoint: Path | None = None) -> MetricsLog:
        """Return the metrics log, cut back to a checkpoint that is gone on from; None starts anew."""
        return MetricsLog(self.path / METRICS, None if checkpoint is None else self.number(checkpoint))


class MetricsLog:
    """``metrics.jsonl``: one JSON object a line, each with the step it was measured at.

    Args:
        path: the file; made if need be.
        after_step: on resume, lines of later steps, and a line that a kill cut off, are dropped; None starts anew.
    """

    def __init__(self, path: Path, after_step: int | None = None) -> None:
        self.path = path
        kept: list[dict[str, Any]] = []
        if after_step is not None and path.is_file():
            kept = [line for line in read_lines(path, dict[str, Any], torn=True) if line["step"] <= after_step]
        write_lines(path, kept, escaped=True)

    def write(self, step: int, values: Mapping[str, Any]) -> None:
        """Append one line."""
        append_line(self.path, {"step": step, **values})

    def read(self) -> list[dict[str, Any]]:
        """Return all lines."""
        return list(read_lines(self.path, dict[str, Any]))


def clear_leftovers(folder: Path) -> None:
    """Finish or undo what a killed ``write_folder`` left in a folder."""
    for old in folder.glob(".*.old"):
        name, mark, _ = old.name[1:].rsplit(".", 2)
        fresh = folder / f".{name}.{mark}.new"
        # The old one is moved aside only when the new one is whole.
        if fresh.is_dir() and not (folder / name).exists():
            fresh.rename(folder / name)
    for path in (*folder.glob(".*.old"), *folder.glob(".*.new")):
        rmtree(path, ignore_errors=True)


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


def peak_memory_mb() -> float:
    """Return the most memory used so far, MiB: the GPU's where CUDA is in use, else the process's resident set."""
    torch = sys.modules.get("torch")  # not imported for this
    if torch is not None and torch.cuda.is_available():
        return float(torch.cuda.max_memory_allocated()) / 2**20
    import resource  # not on every platform

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def model_card(
    title: str,
    about: Sequence[str],
    *,
    base: str = "",
    tags: Sequence[str] = (),
    use: str = "",
    made: Sequence[str] = (),
    settings: Mapping[str, Any],
    figures: Mapping[str, Any],
    versions: Mapping[str, str],
) -> str:
    """Return a model card as Markdown: what the model is, how it was made, and its figures.

    Args:
        title: its heading.
        about: paragraphs on what it is and what it is not for.
        base: of an adapter; writes the metadata block that model hubs read.
        tags: of that block.
        use: how to load it.
        made: the command that made it, and paragraphs on its data.
        settings: the preset, overrides included.
        figures: name to value, as measured in this run; an inner table's names are joined by dots.
        versions: commit, machine, packages.
    """
    lines = []
    if base:
        lines += ["---", "library_name: peft", f"base_model: {base}", "license: apache-2.0"]
        lines += [f"tags: [{', '.join(tags)}]", "---", ""]
    lines += [f"# {title}", "", "\n\n".join(about), ""]
    lines += ["## Use", "", use, ""] if use else []
    command, *data = made or [""]
    lines += ["## Made by", "", f"    {command or 'a call from Python'}", "", *(f"{text}\n" for text in data)]
    for heading, what, table in (
        ("", "setting", settings),
        ("Figures of this run", "figure", figures),
        ("Versions", "what", versions),
    ):
        lines += [f"## {heading}", ""] if heading else []
        lines += [f"| {what} | value |", "|---|---|"]
        lines += [f"| {name} | {_cell(value)} |" for name, value in _rows(table)]
        lines.append("")
    return "\n".join(lines)


def _rows(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _rows(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _cell(value: object) -> str:
    if isinstance(value, tuple | list):
        return ", ".join(map(_cell, value))
    return (f"{value:.5g}" if isinstance(value, float) else str(value)).replace("|", "\\|")


def state_tensors(optimizer: torch.optim.Optimizer, prefix: str) -> dict[str, torch.Tensor]:
    """Return the moments and step counts of all parameters, named ``PREFIX.INDEX.NAME``.

    Under FSDP2 every process must ask.
    """
    import torch

    from negotiation_env.training.processes import whole

    return {
        f"{prefix}.{index}.{name}": whole(torch.as_tensor(value)).detach().contiguous()
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
    from negotiation_env.training.processes import divided

    held = optimizer.state_dict()
    held["state"] = {}
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for key, value in tensors.items():
        if key.startswith(f"{prefix}."):
            index, name = key.removeprefix(f"{prefix}.").split(".", 1)
            held["state"].setdefault(int(index), {})[name] = divided(value, parameters[int(index)])
    for group, known in zip(held["param_groups"], settings or [], strict=bool(settings)):
        # JSON has no tuples; the optimisers compare and unpack theirs either way.
        group.update({name: tuple(v) if name == "betas" else v for name, v in known.items() if name != "params"})
    optimizer.load_state_dict(held)
