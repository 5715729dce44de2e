"""Which dialogues a run trains on and which it is measured on, and how its policy does: figures, and their picture.

Held-out dialogues are played as the finished agent is played. Success is a lower price agreed; persuasion is what an
outside rater says of the dialogues, or the training judge's points where there is none. The scenarios of the benchmark
suites are in neither range of seeds (``negotiation_env.seeds``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from negotiation_env.envs.arguments import load_suite
from negotiation_env.errors import UsageError
from negotiation_env.game.lanes import episode_seed
from negotiation_env.game.scenario import Scenario, sample_scenario
from negotiation_env.play.protocols import RewardBreakdown
from negotiation_env.play.records import Episode
from negotiation_env.seeds import SCENARIOS
from policies.training.on_policy.actor_critic import ActorCritic
from policies.training.on_policy.losses import token_mean
from policies.training.on_policy.samples import Sample, SampledRound
from policies.training.settings import OnPolicyPreset
from rewards.repo import relations

HELD_OUT_SEEDS = SCENARIOS["on-policy held out"]
"""Seeds of the scenarios on which checkpoints are compared; the same for every run."""
_PER_RUN = 10_000_000


def training_seeds(run_seed: int) -> range:
    """Return all the scenario seeds that a run may train on; those of different runs are disjoint."""
    first = run_seed * _PER_RUN
    return SCENARIOS["on-policy training"][first : first + _PER_RUN]


def training_scenarios(run_seed: int, played: int, count: int, own: Sequence[Scenario] = ()) -> list[Scenario]:
    """Return a run's next scenarios, after ``played`` ones.

    Args:
        run_seed: of the run.
        played: scenarios that the run has had.
        count: how many.
        own: what is played, one after the other and again from the first, each time with other draws; with none, each
            scenario is sampled.

    Raises:
        UsageError: the run has no more seeds.
    """
    seeds = training_seeds(run_seed)[played : played + count]
    if len(seeds) < count:
        raise UsageError(f"replies: expected a run of at most {_PER_RUN} dialogues, got more: lower the budget")
    if own:
        return [replace(own[(played + i) % len(own)], seed=episode_seed(seed)) for i, seed in enumerate(seeds)]
    return [sample_scenario(seed) for seed in seeds]


def own_scenarios(spec: str | None) -> Sequence[Scenario]:
    """Return the scenarios of a file, a folder or a suite; none for None.

    Raises:
        UsageError, DataFileError: there is none, a file is wrong, or the hotel's lines are scripted.
    """
    if spec is None:
        return ()
    suite = load_suite(spec)
    if suite.manager() is not None:
        raise UsageError(f"scenarios: expected scenarios to train on, got {spec!r}, whose hotel speaks by a script")
    return suite.scenarios


def held_out_scenarios(count: int, skip: int = 0) -> list[Scenario]:
    """Return held-out scenarios, the first ``skip`` left out."""
    return [sample_scenario(seed) for seed in HELD_OUT_SEEDS[skip : skip + count]]


Rater = Callable[[Sequence[Episode]], float]
"""Says how persuasive dialogues are: the higher the better."""


def evaluate(
    actor: ActorCritic, preset: OnPolicyPreset, played: SampledRound, rate: Rater | None = None
) -> dict[str, float]:
    """Return figures of played held-out dialogues: rewards by source per reply, success per ticket, divergence."""
    replies = [turn.reward for episode in played.episodes for turn in episode.turns]
    figures = reward_means(replies) | relations(replies) | outcome_means(played.episodes)
    figures |= _divergence(actor, played.samples, preset.part_tokens)
    figures["persuasion"] = figures.get("judge", 0.0) if rate is None else rate(played.episodes)
    return figures


def reward_means(breakdowns: Sequence[RewardBreakdown]) -> dict[str, float]:
    """Return the mean of each reward source over the replies that it scored; a source that scored none is left out."""
    found = {}
    for source in ("total", "model", "judge", "rules"):
        known = [score for breakdown in breakdowns if (score := getattr(breakdown, source)) is not None]
        if known:
            found[source] = sum(known) / len(known)
    return found


def outcome_means(episodes: Sequence[Episode]) -> dict[str, float]:
    """Return the share of tickets with a lower price agreed, and turns and tokens used, of episodes without fault."""
    sound = [episode for episode in episodes if episode.fault is None]
    tickets = [ticket for episode in sound for ticket in episode.tickets]
    turns = [turn for episode in sound for turn in episode.turns]
    won = sum(t.agreed is not None and t.agreed < t.selling_price for t in tickets)
    return {
        "success": won / max(len(tickets), 1),
        "turns": len(turns) / max(len(sound), 1),
        "reply_tokens": sum(len(turn.token_ids) for turn in turns) / max(len(turns), 1),
    }


def round_figures(played: SampledRound) -> dict[str, float]:
    """Return a round's own figures: rewards by source over its samples, and what play was like."""
    count = len(played.samples)
    return (
        reward_means(played.breakdowns)
        | relations(played.breakdowns)
        | outcome_means(played.episodes)
        | {
            "credit": sum(s.reward for s in played.samples) / count,
            "samples": count,
            "unscored": played.unscored,
            "faults": played.faults,
            "empty": played.empty / played.sampled,
            "prompt_tokens": sum(len(s.prompt) for s in played.samples) / count,
        }
    )


def start_and_best(rows: Sequence[Mapping[str, Any]], best_round: int) -> dict[str, Any]:
    """Return what a card says of metrics' rows: each held-out figure at the start and at the best checkpoint."""
    measured = {row["step"]: row for row in rows if "held_out/total" in row}
    start, best = measured[min(measured)], measured[best_round]
    found: dict[str, Any] = {
        name.replace("held_out/", "held out, "): f"{start[name]:.3f} at the start, {value:.3f} at the best"
        for name, value in best.items()
        if name.startswith("held_out/") and name in start
    }
    return found | {"held-out dialogues": "the best checkpoint is chosen on them, so these figures flatter it"}


@torch.no_grad()
def _divergence(actor: ActorCritic, samples: Sequence[Sample], part_tokens: int) -> dict[str, float]:
    """Return the policy's entropy and its exact divergence from the start, in nats per token."""
    tokens = sum(len(s.reply) for s in samples)
    sums = torch.zeros(2, dtype=torch.float64)
    for batch in actor.batches(samples, part_tokens) if samples else ():
        divergence, own_entropy = actor.divergence(batch)
        sums += torch.tensor([float(token_mean(part, batch.mask, tokens)) for part in (divergence, own_entropy)])
    actor.processes.add_up([sums])
    return {"kl_to_start": float(sums[0]), "entropy": float(sums[1])} if samples else {}


PICTURE = "learning_curve.png"
_PANELS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    ("R_total per reply", (("total", "training"), ("held_out/total", "held out"))),
    ("R_model per reply", (("model", "training"), ("held_out/model", "held out"))),
    ("E_judge and E_func, points", (("held_out/judge", "judge"), ("held_out/rules", "rules"))),
    ("KL to the start, nats per token", (("held_out/kl_to_start", "held out"),)),
    ("entropy, nats per token", (("entropy", "training"), ("held_out/entropy", "held out"))),
    ("tokens per reply", (("reply_tokens", "training"), ("held_out/reply_tokens", "held out"))),
    ("success per ticket", (("success", "training"), ("held_out/success", "held out"))),
    ("persuasion score", (("held_out/persuasion", "held out"),)),
)


def draw(rows: Sequence[Mapping[str, Any]], title: str, folder: Path) -> Path:
    """Write the picture of metrics' rows (each with ``replies``) into a folder and return its path."""
    figure = Figure(figsize=(16, 7))
    # Fixed margins: laying the panels out by their contents takes longer than drawing them.
    figure.subplots_adjust(left=0.04, right=0.99, bottom=0.07, top=0.9, wspace=0.2, hspace=0.3)
    figure.suptitle(title)
    for axes, (name, lines) in zip(figure.subplots(2, 4).flat, _PANELS, strict=True):
        for key, label in lines:
            points = [(row["replies"], row[key]) for row in rows if row.get(key) is not None]
            if points:
                axes.plot(*zip(*points, strict=True), label=label, marker="o" if "/" in key else None, markersize=3)
        axes.set_title(name, fontsize=10)
        axes.set_xlabel("replies sampled", fontsize=8)
        axes.grid(alpha=0.3)
        if axes.lines:
            axes.legend(fontsize=8)
    FigureCanvasAgg(figure).print_png(folder / PICTURE)  # type: ignore[no-untyped-call]
    return folder / PICTURE
