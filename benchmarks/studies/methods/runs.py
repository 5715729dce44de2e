"""What is compared, and one run's folder: what it is, what it used up, how its training ended, which adapter it left.

Compared are the base and five methods, and REPO with one thing changed. A folder holds ``identity.json`` (settings,
start, base, versions: what its result depends on), ``training`` (the folder of ``negotiate train``), ``usage.json``,
``outcome.json`` once training has ended, ``log.txt``, and what measuring adds (see ``work``).

``usage.json`` lists the processes that worked on a run, a resumed run has several: their seconds and peak memory, on
disk every few seconds, so that a kill keeps it. How far a training got is read from its own files, nothing is
estimated. Sampled are replies for training, not those of held-out measurements. Trained are tokens, prompts included,
that went through a pass with gradients, each model's counted: PPO's and REPO's value model takes every token a second
time, and GRPO has none; a pair of DPO is two replies, the reference's passes not counted.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any, Final, NamedTuple

from benchmarks.runner.provenance import VERSIONS, digest
from benchmarks.suites import Case, CaseSuite
from negotiation_env.engines.specs import base_path
from negotiation_env.errors import DataFileError, UsageError
from negotiation_env.files import read_json, read_lines, write_json
from negotiation_env.training.run_folder import METRICS, peak_memory_mb
from policies.training.on_policy.evaluation import held_out_scenarios


class Variant(NamedTuple):
    """A row of a table.

    Attributes:
        name: the folder of its runs.
        method: the command of ``negotiate train`` and the folder of its presets; "base" is not trained.
        title: for people.
        overrides: "key=value" settings in which it differs from the method's preset.
    """

    name: str
    method: str
    title: str
    overrides: tuple[str, ...] = ()


BASE: Final = Variant("base", "base", "Base")
SFT: Final = Variant("sft", "sft", "SFT")
REPO: Final = Variant("repo", "repo", "REPO")
FROM_START: Final = (Variant("dpo", "dpo", "DPO"), Variant("ppo", "ppo", "PPO"), Variant("grpo", "grpo", "GRPO"), REPO)
"""Methods that train on from the SFT adapter."""
METHODS: Final = (BASE, SFT, *FROM_START)
ON_POLICY: Final = ("ppo", "grpo", "repo")
TRAINED: Final = ("sft", "dpo", *ON_POLICY)
"""Commands of ``negotiate train`` that are compared."""
TURN_DISCOUNT: Final = 0.7
"""Weight of the next reply's reward in the ablation that credits later turns."""


def ablations(reward: str, kl_weight: float) -> tuple[Variant, ...]:
    """Return REPO with one thing changed each; n = 100 is REPO itself.

    Args:
        reward: the REPO preset's reward, to which settings are added.
        kl_weight: the PPO preset's weight of the divergence penalty.
    """

    def changed(name: str, title: str, *settings: str) -> Variant:
        return Variant(f"repo-{name}", "repo", title, settings)

    def rewarded(name: str, title: str, setting: str) -> Variant:
        return changed(name, title, f"reward={with_setting(reward, setting)}")

    return (
        rewarded("without-judge", "without RJ", "without=judge"),
        rewarded("without-rules", "without RF", "without=rules"),
        rewarded("sum", "plain sum", "formula=sum"),
        changed("kl", f"KL penalty, weight {kl_weight:g}", f"kl_weight={kl_weight}"),
        rewarded("n-25", "n = 25", "n=25"),
        rewarded("n-400", "n = 400", "n=400"),
        changed("turn-discount", f"turn discount {TURN_DISCOUNT:g}", f"turn_discount={TURN_DISCOUNT}"),
    )


def with_setting(reward: str, setting: str) -> str:
    """Return a reward's spec with one more setting: "repo" and "n=25" give "repo:n=25"."""
    return f"{reward}{',' if ':' in reward else ':'}{setting}"


HELD_OUT: Final = "held-out"
SKIPPED: Final = 10_000
"""Held-out scenarios left to training, which compares its checkpoints on the first of them."""


def held_out(count: int, max_turns: int) -> CaseSuite:
    """Return negotiations with a live manager, whose persona is drawn from each scenario's seed."""
    return CaseSuite(
        HELD_OUT,
        [
            Case(
                scenario=replace(scenario, id=f"held-out-{place:04d}"),
                category=HELD_OUT,
                severity="minor",
                script=None,
                checks=(),
                title=f"held-out dialogue, seed {scenario.seed}",
                max_turns=max_turns,
            )
            for place, scenario in enumerate(held_out_scenarios(count, skip=SKIPPED))
        ],
    )


FILE: Final = "usage.json"
EVERY: Final = 2.0
"""Seconds between two looks."""


class Usage(NamedTuple):
    """What one or more processes used up.

    Attributes:
        seconds: wall time, start of the training libraries and generation of data included.
        cpu_seconds: of all threads.
        peak_memory_mb: MiB; the GPU's on CUDA, else the process's resident set.
        processes: how many worked on it; above 1 the run was resumed, and some of its work done twice.
    """

    seconds: float
    cpu_seconds: float
    peak_memory_mb: float
    processes: int


def read_usage(folder: Path) -> Usage | None:
    """Return what a folder's run used up, None where nothing was measured."""
    try:
        rows = read_json(folder / FILE, list[dict[str, float]])
    except DataFileError:
        return None
    return Usage(
        sum(row["seconds"] for row in rows),
        sum(row["cpu_seconds"] for row in rows),
        max(row["peak_memory_mb"] for row in rows),
        len(rows),
    )


@contextmanager
def measured(folder: Path) -> Iterator[None]:
    """Add a row to the folder's ``usage.json``, and keep it up to date until the block ends."""
    path = folder / FILE
    earlier = read_json(path, list[dict[str, float]]) if path.is_file() else []
    began = time.monotonic(), time.process_time()
    over = threading.Event()

    def write() -> None:
        row = {
            "seconds": round(time.monotonic() - began[0], 2),
            "cpu_seconds": round(time.process_time() - began[1], 2),
            "peak_memory_mb": round(peak_memory_mb(), 1),
        }
        write_json(path, [*earlier, row], indent=None)

    def look() -> None:
        while not over.wait(EVERY):
            write()

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
        write()


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


class TrainingOutcome(NamedTuple):
    """How a training ended.

    Attributes:
        status: ``FINISHED``, or ``STOPPED`` by one of the training's guards.
        reason: the guard's words, "" if it finished.
        adapter: the best adapter, None if it was stopped before there was one.
    """

    status: str
    reason: str
    adapter: Path | None


def outcome(run: Run) -> TrainingOutcome | None:
    """Return how a run's training ended, None if it has not. Raises ``DataFileError`` on an unreadable record."""
    if not run.trains:
        return TrainingOutcome(FINISHED, "", run.given)
    path = run.folder / _OUTCOME
    if not path.is_file():
        return None
    record = _read(path)
    adapter = record.get("adapter")
    return TrainingOutcome(record["status"], record["reason"], None if adapter is None else run.folder / adapter)


def record_outcome(run: Run, status: str, reason: str, adapter: Path | None) -> None:
    """Write how training ended; the adapter lies in the run's folder."""
    place = None if adapter is None else adapter.relative_to(run.folder).as_posix()
    write_json(run.folder / _OUTCOME, {"status": status, "reason": reason, "adapter": place}, indent=None)


def identity(run: Run) -> dict[str, Any]:
    """Return what a run's result depends on, without paths; a start that is not there counts as ""."""
    settings = {key: value for key, value in run.settings.items() if key != "start"}
    found: dict[str, Any] = {"method": run.variant.method, "base": base_digest(settings["base"])}
    if run.given is not None:
        return {**found, "adapter": adapter_digest(run.given)}
    if run.trains:
        start = adapter_digest(run.start) if run.start is not None and (run.start / WEIGHTS).is_file() else ""
        versions = {name: value for name, value in VERSIONS.items() if name not in ("checks", "raters")}
        found |= {"settings": settings, "start": start, "versions": versions}
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
    write_json(run.folder / _IDENTITY, identity(run), indent=1)


def policy_of(run: Run) -> str | None:
    """Return the spec of the policy that a run left, None if there is none."""
    if run.variant.method == "base":
        base = run.settings["base"]
        return _BASE_POLICIES.get(base, f"hf:{base}?prompt=compact")  # as its adapters are played
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
    return read_json(path, dict[str, Any], do="remove the run's folder")


class Budget(NamedTuple):
    """One training's expense; None where it was not measured.

    Attributes:
        replies: sampled for training.
        steps: of the optimiser.
        sampled_tokens: of those replies.
        trained_tokens: see the module's docstring.
        seconds: wall time of the whole process.
        cpu_seconds: of all its threads.
        peak_memory_mb: MiB of that process.
        compared: checkpoints that were measured on held-out data, of which the best was kept.
        best: where the best was found, as a part of the training.
        processes: how many the training took; more than 1 where it was killed and resumed.
    """

    replies: int | None = None
    steps: int | None = None
    sampled_tokens: int | None = None
    trained_tokens: int | None = None
    seconds: float | None = None
    cpu_seconds: float | None = None
    peak_memory_mb: float | None = None
    compared: int | None = None
    best: float | None = None
    processes: int | None = None


FIELDS: Final[dict[str, str]] = {
    "replies": "replies sampled",
    "steps": "optimiser steps",
    "sampled_tokens": "tokens sampled",
    "trained_tokens": "tokens trained",
    "seconds": "wall, s",
    "cpu_seconds": "CPU, s",
    "peak_memory_mb": "peak memory, MiB",
    "compared": "checkpoints compared",
    "best": "best at, part of training",
}
"""Headings, in the order to show them."""


def budget(run: Run) -> Budget | None:
    """Return what a run's training used up; None for a policy that was not trained here, or not yet."""
    if not run.trains:
        return None
    rows = _rows(run.training / METRICS)
    found = _on_policy(run, rows) if run.variant.method in ON_POLICY else _supervised(rows)
    usage = read_usage(run.folder)
    if usage is None:
        return found
    return found._replace(
        seconds=usage.seconds,
        cpu_seconds=usage.cpu_seconds,
        peak_memory_mb=usage.peak_memory_mb,
        processes=usage.processes,
    )


def _on_policy(run: Run, rows: list[Mapping[str, Any]]) -> Budget:
    states = sorted((run.training / "checkpoints").glob("round-*/state.json"))
    if not states:
        return Budget()
    state = read_json(states[-1], dict[str, Any])
    return Budget(
        state["replies"],
        state["steps"],
        state["sampled_tokens"],
        state["trained_tokens"],
        compared=sum("held_out/total" in row for row in rows),
        best=state["best_round"] / state["round"] if state["round"] else None,
    )


def _supervised(rows: list[Mapping[str, Any]]) -> Budget:
    steps = max((row["step"] for row in rows if "loss" in row), default=0)
    held_out = [(row["eval_loss"], row["step"]) for row in rows if "eval_loss" in row]
    return Budget(
        0,
        steps,
        0,
        tokens_of(row["num_tokens"] for row in rows if "num_tokens" in row),
        compared=len(held_out),
        best=min(held_out)[1] / steps if held_out and steps else None,
    )


def tokens_of(counts: Iterable[float]) -> int:
    """Return all tokens trained, from running counts that begin anew wherever training was resumed."""
    total = before = 0.0
    for count in counts:
        total += count - before if count >= before else count
        before = count
    return round(total)


def _rows(path: Path) -> list[Mapping[str, Any]]:
    """Return the metrics' whole lines; one that a kill cut off is left out."""
    if not path.is_file():
        return []
    return list(read_lines(path, dict[str, Any], torn=True))


def progress(run: Run) -> str:
    """Return how far a run's training is, in a few words."""
    rows = _rows(run.training / METRICS)
    if not rows:
        return "starting"
    last = rows[-1]
    if "replies" in last:
        total = next((row["held_out/total"] for row in reversed(rows) if "held_out/total" in row), None)
        told = "" if total is None else f", held-out R_total {total:.3f}"
        return f"{last['replies']} of {run.settings['replies']} replies{told}"
    return f"step {last['step']}"


def average_budget(budgets: Iterable[Budget], name: str) -> dict[str, float] | None:
    """Return mean, least and most of one of the ``FIELDS``, None where it is not known of any."""
    known = [float(value) for b in budgets if (value := getattr(b, name)) is not None]
    if not known:
        return None
    return {"mean": round(fmean(known), 3), "least": round(min(known), 3), "most": round(max(known), 3)}
