"""The loop of every on-policy method: play a round of dialogues, learn from its replies, check, measure, save.

Knows rounds, files and budgets. What is learned from a reply, and how, is the method's (``method.Method``). All random
draws follow from the seed and the round, so a run that was killed goes on from its last checkpoint and ends with the
weights of an unbroken one (on one machine, with as many threads).
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypedDict

import torch
from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from torch.utils.tensorboard import SummaryWriter

from negotiation_env.engines.transformers_engine import TransformersEngine
from negotiation_env.errors import DataFileError, UsageError
from negotiation_env.play.registry import load_manager, load_reward
from negotiation_env.training.run_folder import METRICS, MetricsLog, provenance, write_text
from policies.training.model_card import Card, write_card
from policies.training.on_policy.actor_critic import ActorCritic
from policies.training.on_policy.checkpoints import BEST, Checkpoints, Progress
from policies.training.on_policy.evaluation import Rater, draw, evaluate, outcome_means, training_scenarios
from policies.training.on_policy.learner import Learner, TrainingStoppedError, check_entropy, check_play
from policies.training.on_policy.methods import Method
from policies.training.on_policy.samples import Played, SamplingAgent, play
from policies.training.settings import OnPolicyPreset

SETTINGS, START = "run.json", "start"


class Options(TypedDict, total=False):
    """What every method's ``train`` passes on to ``run``."""

    resume: bool
    rate: Rater | None
    command: str
    show: bool


def run(
    method: Method,
    out: Path,
    *,
    resume: bool = False,
    rate: Rater | None = None,
    command: str = "",
    show: bool = True,
) -> Path:
    """Train until the budget is used up; write the best policy, its card and the learning curve into ``out``.

    Args:
        method: PPO, GRPO or REPO with its preset.
        out: the run's folder, in the end a PEFT adapter folder.
        resume: go on from the last checkpoint in ``out``.
        rate: rates held-out dialogues for the learning curve.
        command: what the user typed, for the model card.
        show: whether to show a progress bar on stderr.

    Raises:
        UsageError: on settings that do not fit, or a folder that holds another run.
        TrainingStoppedError: if a guard stops the run; the last good checkpoint is kept.
    """
    preset = method.preset
    checkpoints = Checkpoints(out)
    _claim(out, method, resume, checkpoints)
    torch.set_num_threads(preset.torch_threads)
    engine = TransformersEngine(preset.base, dtype=preset.dtype, max_prompt_tokens=preset.max_prompt_tokens)
    with ActorCritic(engine, preset, with_value=method.has_value) as actor:
        session = _Session(method, actor, checkpoints, out, rate, show)
        try:
            session.run(resume)
        except TrainingStoppedError as stop:
            kept = checkpoints.newest()
            raise TrainingStoppedError(f"{stop}; last good checkpoint: {kept or 'none'}") from stop
        finally:
            session.close()
    return _finish(method, checkpoints, session, out, command)


def _claim(out: Path, method: Method, resume: bool, checkpoints: Checkpoints) -> None:
    """Write the run's settings, or check that the folder's run has the same."""
    settings: dict[str, Any] = {"method": method.name, **method.preset.model_dump(mode="json")}
    path = out / SETTINGS
    if path.is_file() and checkpoints.newest() is not None:
        if not resume:
            raise UsageError(f"{out}: a run lies here already; pass --resume to go on, or another --out")
        try:
            earlier = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise DataFileError(f"{path}: expected a run's settings, got {error}") from error
        if earlier != settings:
            odd = [key for key, value in settings.items() if earlier.get(key) != value]
            raise UsageError(f"{out}: expected the settings of the run there, got another {', '.join(odd)}")
    try:
        write_text(path, json.dumps(settings, indent=2) + "\n")
    except OSError as error:
        raise UsageError(f"expected a folder that can be written for --out, got {out} ({error.strerror})") from error


class _Session:
    """One process's part of a run."""

    def __init__(
        self, method: Method, actor: ActorCritic, checkpoints: Checkpoints, out: Path, rate: Rater | None, show: bool
    ) -> None:
        self.method, self.actor, self.checkpoints, self.rate = method, actor, checkpoints, rate
        self.preset: OnPolicyPreset = method.preset
        self.out = out
        self.learner = Learner(method, actor)
        self.progress = Progress()
        self.manager = load_manager(self.preset.manager)
        self.reward = load_reward(self.preset.reward)
        self.agent = SamplingAgent(
            actor.engine,
            self.reward,
            self.preset.max_reply_tokens,
            self.preset.group_size,
            temperature=self.preset.temperature,
        )
        self.log: MetricsLog | None = None
        self._board: SummaryWriter | None = None
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f} replies"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=not show,
        )
        self._clocks = time.monotonic(), time.process_time()

    def run(self, resume: bool) -> None:
        """Go from the last checkpoint, or from the start, to the end of the budget."""
        progress = self.progress
        if resume and self.checkpoints.newest() is not None:
            progress = self.progress = self.checkpoints.load(self.actor, self.learner)
            self._open_logs(progress.round)
        else:
            self._open_logs(None)
            self._tick_clocks()
            self._save({"replies": 0}, True)
        with self._bar:
            task = self._bar.add_task(self.method.name, total=self.preset.replies, completed=progress.replies)
            while progress.replies < self.preset.replies:
                self._round(task)

    def close(self) -> None:
        """Close the logs."""
        if self._board is not None:
            self._board.close()

    def _open_logs(self, after: int | None) -> None:
        self.log = MetricsLog(self.out / METRICS, after)
        self._board = SummaryWriter(str(self.out / "tensorboard"), purge_step=None if after is None else after + 1)

    def _round(self, task: TaskID) -> None:
        """Play, learn, measure, save."""
        preset, progress = self.preset, self.progress
        clock = time.monotonic()
        played = self._play()
        played_in, clock = time.monotonic() - clock, time.monotonic()
        figures = self.learner.learn(played.samples, progress.round)
        check_entropy(preset, figures["entropy"])
        learned_in = time.monotonic() - clock
        self._count(played)
        row = _row(played) | figures | {"seconds_playing": played_in, "seconds_learning": learned_in}
        last = progress.replies >= preset.replies
        self._save(row, last or progress.round % preset.evaluate_every == 0)
        self._bar.update(task, completed=min(progress.replies, preset.replies))

    def _play(self) -> Played:
        preset = self.preset
        count = max(1, round(preset.dialogues / preset.group_size))
        self.actor.engine.forget_prompts()
        played = play(
            self.agent,
            training_scenarios(preset.seed, self.progress.dialogues, count),
            self.method.read,
            manager=self.manager,
            max_turns=preset.max_turns,
            turn_discount=preset.turn_discount,
            batch_size=preset.rollout_batch,
        )
        check_play(preset, played.sampled, len(played.samples), played.empty, played.faults, played.unscored)
        return played

    def _count(self, played: Played) -> None:
        """Add a round to what the run has used up."""
        progress, learner = self.progress, self.learner
        progress.round += 1
        progress.steps = learner.steps
        progress.dialogues += len(played.episodes)
        progress.replies += played.sampled
        progress.unscored += played.unscored
        progress.faults += played.faults
        progress.sampled_tokens += sum(len(s.reply) for s in played.samples)
        passed = sum(len(s.prompt) + len(s.reply) for s in played.samples) * self.preset.epochs
        progress.trained_tokens += passed * (2 if self.method.has_value else 1)

    def _tick_clocks(self) -> None:
        """Add the time since the last tick, and look at the memory."""
        before, now = self._clocks, (time.monotonic(), time.process_time())
        self._clocks = now
        self.progress.seconds += now[0] - before[0]
        self.progress.cpu_seconds += now[1] - before[1]
        self.progress.peak_memory_mb = max(self.progress.peak_memory_mb, peak_memory_mb(self.actor.base.device))

    def _save(self, row: Mapping[str, Any], measure: bool) -> None:
        """Measure on held-out dialogues where it is time to, log, and write the checkpoint."""
        progress = self.progress
        found: dict[str, float] = {}
        if measure:
            found = evaluate(self.actor, self.preset, self.manager, self.reward, self.rate)
        score = found.get("total")
        is_best = score is not None and (progress.best_reward is None or score > progress.best_reward)
        if is_best:
            progress.best_round, progress.best_reward = progress.round, score
        self._tick_clocks()
        values = {
            "replies": progress.replies,
            "optimiser_steps": progress.steps,
            **row,
            **{f"held_out/{name}": value for name, value in found.items()},
            "seconds": progress.seconds,
            "peak_memory_mb": progress.peak_memory_mb,
        }
        # Before the checkpoint: on resume, rows later than the checkpoint's round are dropped.
        if self.log is not None:
            self.log.write(progress.round, values)
        self.checkpoints.save(progress, self.actor, self.learner, is_best)
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(name, value, progress.round)


def _row(played: Played) -> dict[str, float]:
    """Return a round's own figures: rewards by source over its samples, and what play was like."""
    figures: dict[str, float] = {}
    for source in ("total", "model", "judge", "rules"):
        known = [value for b in played.breakdowns if (value := getattr(b, source)) is not None]
        if known:
            figures[source] = sum(known) / len(known)
    figures |= outcome_means(played.episodes)
    count = len(played.samples)
    figures |= {
        "credit": sum(s.reward for s in played.samples) / count,
        "samples": count,
        "unscored": played.unscored,
        "faults": played.faults,
        "empty": played.empty / played.sampled,
        "prompt_tokens": sum(len(s.prompt) for s in played.samples) / count,
    }
    return figures


def peak_memory_mb(device: torch.device) -> float:
    """Return the most memory used so far: the GPU's on CUDA, else the process's resident set."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def _finish(method: Method, checkpoints: Checkpoints, session: _Session, out: Path, command: str) -> Path:
    """Write the best policy as the folder's adapter, its card, and the learning curve."""
    newest = checkpoints.newest()
    if newest is None:
        raise DataFileError(f"{out}: expected a checkpoint at the end of the run, found none")
    for file in (newest / BEST).iterdir():
        (out / file.name).write_bytes(file.read_bytes())
    rows = MetricsLog(out / METRICS, session.progress.round).read()
    draw(rows, f"{method.name.upper()} on {method.preset.base}, seed {method.preset.seed}", out)
    figures = _figures(rows, session.progress)
    write_card(out / "README.md", Card(method.name, method.preset, command, "", 0, figures, provenance()))
    return out


def _figures(rows: Sequence[Mapping[str, Any]], progress: Progress) -> dict[str, Any]:
    """Return what a card says of a run: held-out figures at the start and at the best, and what was used up."""
    measured = {row["step"]: row for row in rows if "held_out/total" in row}
    start, best = measured[min(measured)], measured[progress.best_round]
    figures: dict[str, Any] = {
        name.replace("held_out/", "held out, "): f"{start[name]:.3f} at the start, {value:.3f} at the best"
        for name, value in best.items()
        if name.startswith("held_out/") and name in start
    }
    figures["held-out dialogues"] = "the best checkpoint is chosen on them, so these figures flatter it"
    for name, value in asdict(progress).items():
        figures[name.replace("_", " ")] = round(value, 3) if isinstance(value, float) else value
    return figures
