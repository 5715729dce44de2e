"""The loop of every on-policy method, and a round of it from top to bottom.

``_Run._round`` has dialogues played, in which replies are sampled and scored (``shared_play``), and has the ``Learner``
learn from them: advantages and loss are the method's (``methods``), the optimiser's step is here. A round ends with a
measurement, where it is time for one, and a checkpoint. All random draws follow from the seed and the round, so a run
that was killed goes on from its last checkpoint and ends with the weights of an unbroken one (on one machine, with as
many threads).

Under ``accelerate launch`` every process plays its share of a round's dialogues, all learn from all of them, each
computes its share of every minibatch, and gradients are added up before each step: what one process would do, but for
rounding. Gradients are added up here rather than by a DistributedDataParallel around the model, because a step has two
losses of two adapters on one base, over parts of a minibatch that need not be as many in every process.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from shutil import copytree
from statistics import fmean
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from safetensors.torch import load_file, save_file
from torch.utils.tensorboard import SummaryWriter

from negotiation_env.engines.transformers_engine import TransformersEngine
from negotiation_env.errors import DataFileError
from negotiation_env.files import read_json, write_json
from negotiation_env.play.protocols import Reward
from negotiation_env.play.registry import load_reward
from negotiation_env.seeds import Stream
from negotiation_env.training.processes import ProcessGroup
from negotiation_env.training.run_folder import (
    MetricsLog,
    RunFolder,
    TrainingStoppedError,
    peak_memory_mb,
    restore,
    state_tensors,
)
from policies.training.on_policy.actor_critic import POLICY, VALUE, ActorCritic
from policies.training.on_policy.evaluation import (
    Rater,
    draw,
    evaluate,
    held_out_scenarios,
    own_scenarios,
    round_figures,
    start_and_best,
    training_scenarios,
)
from policies.training.on_policy.losses import share_beyond, token_mean, value_loss
from policies.training.on_policy.methods import LossTensors, Method, RoundTensors, Targets, load_method
from policies.training.on_policy.samples import Sample, SampledRound, TokenBatch, composition_of
from policies.training.on_policy.shared_play import SharedPlay
from policies.training.settings import OnPolicyPreset, policy_card

BEST, OPTIMIZER, STATE = "best", "optimizer.safetensors", "state.json"
_ADAM = "optimizer"


def train(
    method: str,
    preset: Mapping[str, Any] | str | Path,
    out: Path,
    overrides: Sequence[str] = (),
    *,
    resume: bool = False,
    rate: Rater | None = None,
    command: str = "",
    show: bool = True,
    ray: str | None = None,
    workers: int = 0,
) -> Path:
    """Train until the budget is used up; write the best policy, its card and the learning curve into ``out``.

    Args:
        method: "ppo", "grpo" or "repo".
        preset: settings as a table, a TOML file, or a shipped preset's name.
        out: the run's folder, in the end a PEFT adapter folder.
        overrides: "key=value" settings that replace the preset's.
        resume: go on from the last checkpoint in ``out``; of a finished run, too, where ``replies`` is larger now.
        rate: rates held-out dialogues for the learning curve.
        command: what the user typed, for the model card.
        show: whether to show a progress bar on stderr.
        ray: a Ray cluster whose actors play the dialogues, see ``workers.actors_or_here``.
        workers: how many actors; 0 for as many as fit.

    Raises:
        DataFileError, UsageError: on settings that do not fit, or a folder that holds another run.
        TrainingStoppedError: if a guard stops the run; the last good checkpoint is kept.
    """
    learns = load_method(method, preset, overrides)
    settings = learns.preset
    processes, folder = ProcessGroup(), RunFolder(out, "round", digits=6)
    wanted = {"method": method, **settings.model_dump(mode="json")}
    checkpoint = processes.on_main(lambda: folder.claim(wanted, resume, may_grow="replies"))
    torch.set_num_threads(settings.torch_threads)
    engine = TransformersEngine(settings.base, dtype=settings.dtype, max_prompt_tokens=settings.max_prompt_tokens)
    with (
        ActorCritic(engine, settings, with_value=learns.has_value, processes=processes) as actor,
        SharedPlay(learns, actor, out, ray, workers) as shared,
    ):
        run = _Run(learns, actor, folder, checkpoint, rate, shared)
        try:
            run.go(show and processes.is_main)
        except TrainingStoppedError as stop:
            raise TrainingStoppedError(f"{stop}; last good checkpoint: {folder.newest() or 'none'}") from stop
        finally:
            run.close()
    processes.on_main(lambda: run.publish(command))
    return out


@dataclass(slots=True)
class Progress:
    """How far a run is, and what it has used up."""

    round: int = 0
    steps: int = 0
    dialogues: int = 0
    replies: int = 0
    """Replies sampled for training, those left out included."""
    unscored: int = 0
    faults: int = 0
    sampled_tokens: int = 0
    """Tokens of replies sampled for training."""
    trained_tokens: int = 0
    """Tokens, prompts included, that went through a training pass, each model's counted."""
    seconds: float = 0.0
    """Wall time, without what a kill lost."""
    cpu_seconds: float = 0.0
    peak_memory_mb: float = 0.0
    best_round: int = -1
    best_reward: float | None = None


class _Run:
    """A run, of which the first process writes the files.

    Args:
        method: reward, advantage and regulariser.
        actor: the models.
        folder: of the run.
        checkpoint: to go on from; None to begin.
        rate: rates held-out dialogues.
        shared: plays the dialogues.
    """

    log: MetricsLog
    board: SummaryWriter
    """Both the first process's alone."""

    def __init__(
        self,
        method: Method,
        actor: ActorCritic,
        folder: RunFolder,
        checkpoint: Path | None,
        rate: Rater | None,
        shared: SharedPlay,
    ) -> None:
        self.method, self.actor, self.folder, self.shared = method, actor, folder, shared
        self.processes = actor.processes
        self.rate = rate if self.processes.is_main else None
        self.preset = preset = method.preset
        self.own = own_scenarios(preset.scenarios)
        self.learner = Learner(method, actor, e_adds_to_model(preset, load_reward(preset.reward)))
        self.began = checkpoint is None
        self.progress = Progress() if checkpoint is None else self._load(checkpoint)
        if self.processes.is_main:
            self.log = folder.log(checkpoint)
            self.board = SummaryWriter(
                str(folder.path / "tensorboard"), purge_step=None if checkpoint is None else self.progress.round + 1
            )
        self._clocks = time.monotonic(), time.process_time()

    def go(self, show: bool) -> None:
        """Take rounds to the end of the budget."""
        progress = self.progress
        if self.began:
            self._end_round({"replies": 0}, True)
        bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f} replies"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=not show,
        )
        with bar:
            task = bar.add_task(self.method.name, total=self.preset.replies, completed=progress.replies)
            while progress.replies < self.preset.replies:
                self._round()
                bar.update(task, completed=min(progress.replies, self.preset.replies))

    def _round(self) -> None:
        """Sample replies, score them, learn from them, measure, save."""
        preset, progress, began = self.preset, self.progress, time.monotonic()
        # A method that samples groups plays fewer dialogues, so that a round has about as many replies.
        dialogues = max(1, round(preset.dialogues / preset.group_size))
        played = self.shared.play(training_scenarios(preset.seed, progress.dialogues, dialogues, self.own))
        check_play(preset, played)
        played_at = time.monotonic()
        figures = self.learner.learn(played.samples, progress.round)
        check_entropy(preset, figures["entropy"])
        clocks = {"seconds_playing": played_at - began, "seconds_learning": time.monotonic() - played_at}
        self._count(played)
        last = progress.replies >= preset.replies
        self._end_round(round_figures(played) | figures | clocks, last or progress.round % preset.evaluate_every == 0)

    def _count(self, played: SampledRound) -> None:
        """Add a round to what the run has used up."""
        progress = self.progress
        progress.round += 1
        progress.steps = self.learner.steps
        progress.dialogues += len(played.episodes)
        progress.replies += played.sampled
        progress.unscored += played.unscored
        progress.faults += played.faults
        progress.sampled_tokens += sum(len(s.reply) for s in played.samples)
        passed = sum(len(s.prompt) + len(s.reply) for s in played.samples) * self.preset.epochs
        progress.trained_tokens += passed * (2 if self.method.has_value else 1)

    def _end_round(self, row: Mapping[str, Any], measure: bool) -> None:
        """Measure on held-out dialogues where it is time to, log, and write the checkpoint."""
        progress = self.progress
        found: dict[str, float] = {}
        score: float | None = None
        if measure:
            played = self.shared.play(held_out_scenarios(self.preset.held_out), training=False)
            found = evaluate(self.actor, self.preset, played, self.rate)
            score = self._own_reward(played)
        is_best = score is not None and (progress.best_reward is None or score > progress.best_reward)
        if is_best:
            progress.best_round, progress.best_reward = progress.round, score
        before, self._clocks = self._clocks, (time.monotonic(), time.process_time())
        progress.seconds += self._clocks[0] - before[0]
        progress.cpu_seconds += self._clocks[1] - before[1]
        progress.peak_memory_mb = max(progress.peak_memory_mb, peak_memory_mb())
        values = {
            "replies": progress.replies,
            "optimiser_steps": progress.steps,
            **row,
            **{f"held_out/{name}": value for name, value in found.items()},
            "seconds": progress.seconds,
            "peak_memory_mb": progress.peak_memory_mb,
        }
        self.processes.on_main(lambda: self._write(values, is_best))

    def _own_reward(self, played: SampledRound) -> float | None:
        """Return the mean of what the method learns from (R_model, say) over held-out replies, or None."""
        read = (self.method.read(turn.reward) for episode in played.episodes for turn in episode.turns)
        known = [value for value in read if value is not None]
        return fmean(known) if known else None

    def _write(self, values: Mapping[str, Any], is_best: bool) -> None:
        """Write a round's figures and its checkpoint; a kill between the two is made good on resume."""
        # Before the checkpoint: on resume, rows later than the checkpoint's round are dropped.
        self.log.write(self.progress.round, values)
        self._save(is_best)
        for name, value in values.items():
            self.board.add_scalar(name, value, self.progress.round)

    def _save(self, is_best: bool) -> None:
        """Write all that the run goes on from; random draws need no state. ``is_best``: the policy is so far."""
        older = self.folder.newest()

        def fill(folder: Path) -> None:
            self.actor.save(folder)
            if is_best or older is None:
                self.actor.save_policy(folder / BEST)
            else:
                copytree(older / BEST, folder / BEST)
            save_file(state_tensors(self.learner.optimizer, _ADAM), folder / OPTIMIZER)
            write_json(folder / STATE, asdict(self.progress))

        self.folder.save(self.progress.round, fill)

    def _load(self, checkpoint: Path) -> Progress:
        """Put back what ``_save`` wrote. Raises ``DataFileError`` where it is not readable."""
        progress = read_json(checkpoint / STATE, Progress)
        self.actor.load(checkpoint)
        restore(self.learner.optimizer, load_file(checkpoint / OPTIMIZER), _ADAM)
        self.learner.steps = progress.steps
        return progress

    def close(self) -> None:
        """Close what the run writes to all the time."""
        if self.processes.is_main:
            self.board.close()

    def publish(self, command: str) -> None:
        """Put the best policy, its card and the learning curve into the run's folder."""
        preset, out, newest = self.preset, self.folder.path, self.folder.newest()
        if newest is None:
            raise DataFileError(f"{out}: expected a checkpoint at the end of the run, found none")
        rows = self.log.read()
        draw(rows, f"{self.method.name.upper()} on {preset.base}, seed {preset.seed}", out)
        figures = start_and_best(rows, self.progress.best_round)
        figures |= {name.replace("_", " "): value for name, value in asdict(self.progress).items()}
        figures |= {"processes": self.processes.count} if self.processes.count > 1 else {}
        if shares := [row["advantage_share_of_e"] for row in rows if "advantage_share_of_e" in row]:
            figures["share of the advantages' variance from E, mean over rounds"] = f"{fmean(shares):.3f}"
        self.folder.publish(newest / BEST, policy_card(self.method.name, preset, command, figures))


class Learner:
    """Learns from a round's samples: minibatches in passes that fit into memory, gradients to each model's own adapter.

    Args:
        method: reward, advantage and regulariser.
        actor: the models.
        e_adds: whether to tell E's share of the advantages; see ``e_adds_to_model``.
    """

    def __init__(self, method: Method, actor: ActorCritic, e_adds: bool = False) -> None:
        self.method = method
        self.e_adds = e_adds
        self.preset = method.preset
        self.actor = actor
        self.processes = actor.processes
        self.steps = 0
        groups = [{"params": list(actor.policy_parameters().values()), "lr": self.preset.learning_rate}]
        if method.has_value:
            groups.append({"params": list(actor.value_parameters().values()), "lr": self.preset.value_learning_rate})
        self.optimizer = torch.optim.AdamW(groups, weight_decay=0.0)
        self._rates = [float(group["lr"]) for group in self.optimizer.param_groups]

    def learn(self, samples: Sequence[Sample], round_number: int) -> dict[str, float]:
        """Take ``epochs`` passes over the samples; returns the round's figures, means over its steps.

        Raises:
            TrainingStoppedError: before the step that it would spoil.
        """
        played = self._tensors(samples)
        targets = self.method.targets(played)
        minibatches = max(1, round(len(samples) / self.preset.batch_size))
        steps: list[dict[str, float]] = []
        for epoch in range(self.preset.epochs):
            draws = np.random.default_rng((Stream.EPOCH_ORDER, self.preset.seed, round_number, epoch))
            order = epoch_order(samples, draws, self.preset.whole_dialogues)
            for chosen in np.array_split(order, minibatches):
                steps.append(self._step(samples, [int(i) for i in chosen], played, targets))
        figures = {name: sum(step[name] for step in steps) / len(steps) for name in steps[0]}
        figures["largest_ratio"] = max(step["largest_ratio"] for step in steps)
        # Measured before the first step, on the policy that sampled.
        figures["sampling_gap"] = abs(steps[0]["log_ratio"])
        if self.e_adds and played.sources is not None:
            beyond_model = played.rewards - played.sources[:, 0]
            figures["advantage_share_of_e"] = share_beyond(beyond_model, played.rewards, played.before)
        if played.values is not None and targets.values is not None:
            errors = (targets.values - played.values)[played.mask]
            spread = float(targets.values[played.mask].var(unbiased=False))
            figures["explained_variance"] = 1.0 - float(errors.var(unbiased=False)) / max(spread, 1e-12)
        return figures

    def _tensors(self, samples: Sequence[Sample]) -> RoundTensors:
        """Return a round before any step: what was sampled, values, the start's log-probabilities."""
        device = self.actor.base.device
        width = max(len(s.reply) for s in samples)
        logprobs = torch.zeros(len(samples), width, device=device)
        mask = torch.zeros(len(samples), width, dtype=torch.bool, device=device)
        rewards = torch.tensor([s.reward for s in samples], device=device)
        if self.steps == 0:
            # From 0, lambda below 1 would blame the last tokens of a reply for the mean reward, and so its ending.
            self.actor.expect(float(rewards.mean()))
        for row, sample in enumerate(samples):
            logprobs[row, : len(sample.reply)] = torch.tensor(sample.logprobs)
            mask[row, : len(sample.reply)] = True
        values = torch.zeros_like(logprobs) if self.method.has_value else None
        start = torch.zeros_like(logprobs) if self.method.wants_start else None
        for batch in self.actor.batches(samples, 2 * self.preset.part_tokens):
            rows, own = batch.rows, batch.mask.shape[1]
            if values is not None:
                with torch.no_grad():
                    values[rows, :own] += self.actor.values(batch)
            if start is not None:
                start[rows, :own] += self.actor.start_logprobs(batch)
        # Each row was filled by one process and is 0 in the others.
        self.processes.add_up(tensor for tensor in (values, start) if tensor is not None)
        groups = torch.tensor(_numbered(s.group for s in samples), device=device)
        sources = torch.tensor([s.sources or (0.0, 0.0, 0.0) for s in samples], device=device)
        return RoundTensors(rewards, groups, mask, logprobs, values, start, sources)

    def _step(
        self, samples: Sequence[Sample], chosen: list[int], played: RoundTensors, targets: Targets
    ) -> dict[str, float]:
        """One optimiser step on a minibatch: the samples ``chosen``."""
        some = [samples[i] for i in chosen]
        tokens = sum(len(s.reply) for s in some)
        self.optimizer.zero_grad(set_to_none=True)
        sums: dict[str, torch.Tensor] = {}
        for batch in self.actor.batches(some, self.preset.part_tokens):
            rows = [chosen[i] for i in batch.rows]
            for name, value in self._backward(batch, rows, played, targets, tokens).items():
                before = sums.get(name, torch.zeros_like(value))
                sums[name] = torch.maximum(before, value) if name == "largest_ratio" else before + value
        self._add_up(sums)
        figures = {name: float(value) for name, value in sums.items()}
        for name, parameters in (("policy", self.actor.policy_parameters()), ("value", self.actor.value_parameters())):
            if parameters:
                norm = torch.nn.utils.clip_grad_norm_(parameters.values(), self.preset.max_grad_norm)
                figures[f"{name}_grad_norm"] = float(norm)
        check_step(self.preset, figures)
        warm = min(1.0, (self.steps + 1) / (self.preset.warmup_steps + 1))
        for group, rate in zip(self.optimizer.param_groups, self._rates, strict=True):
            group["lr"] = rate * warm
        self.optimizer.step()
        self.steps += 1
        return figures

    def _add_up(self, sums: Mapping[str, torch.Tensor]) -> None:
        """Add the processes' parts of a minibatch up: gradients and figures."""
        trained = (*self.actor.policy_parameters().values(), *self.actor.value_parameters().values())
        self.processes.add_up(p.grad for p in trained if p.grad is not None)
        self.processes.add_up(value for name, value in sums.items() if name != "largest_ratio")
        self.processes.largest([sums["largest_ratio"]])

    def _backward(
        self, batch: TokenBatch, rows: list[int], played: RoundTensors, targets: Targets, tokens: int
    ) -> dict[str, torch.Tensor]:
        """Add a part's gradients; returns its share of the minibatch's figures."""
        width = batch.mask.shape[1]
        scores = self.actor.policy(batch)
        loss = self.method.loss(
            LossTensors(
                scores.logprobs,
                played.logprobs[rows, :width],
                targets.advantages[rows, :width],
                batch.mask,
                None if played.start_logprobs is None else played.start_logprobs[rows, :width],
                tokens,
            )
        )
        self.actor.backward(loss.loss, POLICY)
        figures = {
            "policy_loss": loss.loss.detach(),
            "clipped": loss.clipped,
            "log_ratio": loss.log_ratio,
            "divergence": loss.divergence,
            "largest_ratio": loss.largest_ratio,
            "entropy": token_mean(scores.entropy, batch.mask, tokens),
        }
        if targets.values is not None:
            error = value_loss(self.actor.values(batch), targets.values[rows, :width], batch.mask, tokens)
            self.actor.backward(error, VALUE)
            figures["value_loss"] = error.detach()
        return figures


def epoch_order(samples: Sequence[Sample], draws: np.random.Generator, whole_dialogues: bool) -> np.ndarray:
    """Return the samples' indices, each once, in the order in which an epoch divides them into minibatches.

    Args:
        samples: at least one.
        draws: of the order, by reply or, with ``whole_dialogues``, by dialogue.
        whole_dialogues: whether the replies of a dialogue stay together, in their order.
    """
    if not whole_dialogues:
        return draws.permutation(len(samples))
    places = draws.permutation(len(samples))[_numbered(s.dialogue for s in samples)]
    return np.argsort(places, kind="stable")


def _numbered(seeds: Iterable[int]) -> list[int]:
    """Return seeds as numbers from 0, equal where they are equal: a 64-bit seed may lie beyond int64."""
    places: dict[int, int] = {}
    return [places.setdefault(seed, len(places)) for seed in seeds]


def e_adds_to_model(preset: OnPolicyPreset, reward: Reward) -> bool:
    """Whether a reply's credit is R_model and what judge and rules add to it, so that these have a share of it."""
    composition = composition_of(reward)
    if composition is None or preset.decoupled or preset.turn_discount > 0.0:
        return False
    return composition.formula in ("repo", "sum") and "model" not in composition.without


def check_play(preset: OnPolicyPreset, played: SampledRound) -> None:
    """Check a round of play. Raises ``TrainingStoppedError``."""
    if not played.samples:
        raise TrainingStoppedError(
            f"no reply of {played.sampled} was scored ({played.faults} faults, {played.unscored} unscored): "
            "check engine and reward"
        )
    if played.empty > preset.most_empty * played.sampled:
        raise TrainingStoppedError(
            f"empty replies: expected at most {preset.most_empty:.0%} of a round, got {played.empty} of "
            f"{played.sampled}: the policy has collapsed; lower learning_rate"
        )


def check_entropy(preset: OnPolicyPreset, entropy: float) -> None:
    """Check the mean entropy of a round's tokens, in nats. Raises ``TrainingStoppedError``."""
    if entropy < preset.least_entropy:
        raise TrainingStoppedError(
            f"collapsed entropy: expected at least {preset.least_entropy} nats per token, got {entropy:.4f}: "
            "the policy says one thing only; lower learning_rate, or raise kl_weight"
        )


def check_step(preset: OnPolicyPreset, figures: Mapping[str, float]) -> None:
    """Check a minibatch's losses, gradients and divergence before its step. Raises ``TrainingStoppedError``."""
    for name, value in figures.items():
        if not math.isfinite(value):
            raise TrainingStoppedError(f"{name}: expected a finite number, got {value}: lower learning_rate")
    if figures["divergence"] > preset.most_divergence:
        raise TrainingStoppedError(
            f"exploding ratio: expected at most {preset.most_divergence} nats per token between the sampling policy "
            f"and the trained one, got {figures['divergence']:.3f}: lower learning_rate, or epochs"
        )
