"""Trains the shipped reward model and the distilled judge, and writes what they reach on held-out data.

    python -m rewards.train_ngram

writes ``rewards/weights/preference.npz``, ``judge.npz`` and ``report.json``. Data and annotators are simulated
(``data``, ``annotators``); scenarios, personas, phrases and damage of the held-out pairs are never trained on. A file
of pairs can be trained on instead (``--set data=FILE``); the judge is always trained on generated replies, because
pairs say nothing about dimensions.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from negotiation_env import __version__
from negotiation_env.presets import Preset, read_preset
from negotiation_env.protocols import ReplyView, RewardBreakdown
from negotiation_env.training_files import PreferencePair, read_preferences, split_lines
from negotiation_env.understanding import context_of
from negotiation_env.wording import agent_phrase_book, word
from rewards.annotators import rubric_points
from rewards.candidates import HONEST, ROUTINE, draw_acts
from rewards.data import Candidate, Pair, preference_pairs
from rewards.distilled_judge import DistilledJudge
from rewards.examples import view_reply
from rewards.linear import Array
from rewards.ngram_fit import fit_judge, fit_preference
from rewards.preference import PreferenceModel
from rewards.replay import views_of
from rewards.repo import RepoReward
from rewards.rubric import Rubric
from rewards.situations import sample_situation
from rewards.training.measures import correlation, pair_report

WEIGHTS = Path(__file__).with_name("weights")
PRESETS = Path(__file__).with_name("presets")
CALIBRATION_STEP = 10
"""Every so manieth training pair is left out of the fit, to find the temperature of the scores on."""


class NgramPreset(Preset):
    """One training run; see ``presets/ngram.toml``."""

    seed: int = Field(ge=0)
    data: str
    pairs: int = Field(ge=100)
    held_out: int = Field(ge=20)
    honest: int = Field(ge=100)


class Compared(NamedTuple):
    """A pair to learn from or to test on: both views, and what its line says."""

    chosen: ReplyView
    rejected: ReplyView
    source: str
    margin: float
    sure: float | None


def train(
    preset: Mapping[str, Any] | str | Path = "ngram", out: str | Path = WEIGHTS, overrides: Sequence[str] = ()
) -> Path:
    """Train both scorers and write weights and report into a folder, which is returned.

    Args:
        preset: a table, a TOML file, or the shipped "ngram".
        out: the folder; made if need be.
        overrides: "key=value" over the preset's.

    Raises:
        DataFileError: a wrong preset, or a data file that cannot be used: names file, line and field.
    """
    settings = read_preset(NgramPreset, preset, PRESETS, overrides)
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    generated = preference_pairs(settings.pairs, settings.seed, held_out=False)
    generated_test = preference_pairs(settings.held_out, settings.seed, held_out=True)
    if settings.data:
        training, test = (_from_lines(part, settings.data) for part in split_lines(read_preferences(settings.data)))
    else:
        training, test = _from_pairs(generated), _from_pairs(generated_test)
    honest, routine = honest_replies(settings.honest, settings.seed)
    fitted = [p for i, p in enumerate(training) if i % CALIBRATION_STEP]
    fit_preference(
        [p.chosen for p in fitted], [p.rejected for p in fitted], [p.margin for p in fitted], honest, routine
    ).save(folder / "preference.npz")
    model = PreferenceModel.from_file(folder / "preference.npz")
    rubric = Rubric.from_toml()
    replies, points = labelled(generated, rubric, settings.seed)
    clean = [not r.damage for r in replies]
    fit_judge([r.view for r in replies], points, clean, rubric).save(folder / "judge.npz")
    judge = DistilledJudge.from_file(folder / "judge.npz")
    report = {
        "version": __version__,
        "note": "Simulated data and annotators; held-out pairs: unseen scenarios, personas, phrases and damage.",
        "settings": settings.model_dump(),
        "reward_model": {
            "training_pairs": len(fitted),
            "test_pairs": len(test),
            "training_accuracy": float((gaps_of(model, fitted) > 0.0).mean()),
            **report_preference(model, training[::CALIBRATION_STEP], test),
            "vocabulary": len(model.weights.words),
        },
        "distilled_judge": report_judge(judge, *labelled(generated_test, rubric, settings.seed + 1)),
        "mean_reward_by_habit": report_habits(RepoReward(model, judge), generated_test),
        "accuracy_by_damage": report_damage(model, generated_test),
    }
    (folder / "report.json").write_text(json.dumps(_rounded(report), indent=1) + "\n", encoding="utf-8")
    return folder


def _from_pairs(pairs: Sequence[Pair]) -> list[Compared]:
    return [Compared(p.chosen.view, p.rejected.view, p.source, p.margin, p.sure) for p in pairs]


def _from_lines(lines: Sequence[PreferencePair], path: str) -> list[Compared]:
    return [Compared(*views_of(x, path), x.source, x.margin, x.sure) for x in lines]


def honest_replies(count: int, seed: int) -> tuple[list[ReplyView], list[bool]]:
    """Return an honest agent's replies, worded by its own phrase book, and which of them are routine."""
    views, routine, habits = [], [], sorted(HONEST)
    for number in range(count):
        rng = np.random.default_rng((0x40E57, seed, number))
        at = sample_situation((seed << 32) + number)
        habit = habits[int(rng.integers(len(habits)))]
        acts, context = draw_acts(habit, at.card, at.game, rng), context_of(at.card, at.game, "agent")
        text = word(acts, at.card, context, agent_phrase_book(), int(rng.integers(1 << 40)), int(at.game.turn))
        views.append(view_reply(text, at.card, at.game, at.said, at.manager))
        routine.append(habit in ROUTINE)
    return views, routine


def gaps_of(model: PreferenceModel, pairs: Sequence[Compared]) -> Array:
    """Return score of the chosen reply less that of the rejected one, per pair."""
    return np.array([model.score(p.chosen) - model.score(p.rejected) for p in pairs])


def report_preference(
    model: PreferenceModel, calibration: Sequence[Compared], test: Sequence[Compared]
) -> dict[str, Any]:
    """Return the held-out figures of a model; its temperature is found on pairs that were left out of the fit."""
    views = [view for p in test for view in (p.chosen, p.rejected)]
    return pair_report(
        gaps_of(model, test),
        [p.source for p in test],
        [p.margin for p in test],
        [p.sure for p in test],
        np.array([model.score(v) for v in views]),
        np.array([float(len(v.text)) for v in views]),
        gaps_of(model, calibration),
    )


def report_damage(model: PreferenceModel, pairs: Sequence[Pair]) -> dict[str, dict[str, float]]:
    """Return the accuracy on pairs that hold a reply with each kind of damage."""
    kinds: dict[str, list[bool]] = {}
    for pair in pairs:
        right = model.score(pair.chosen.view) > model.score(pair.rejected.view)
        for kind in {pair.chosen.damage, pair.rejected.damage}:
            kinds.setdefault(kind or "none in one of both", []).append(right)
    return {kind: {"value": float(np.mean(oks)), "n": len(oks)} for kind, oks in sorted(kinds.items())}


def report_judge(judge: DistilledJudge, replies: Sequence[Candidate], points: Array) -> dict[str, Any]:
    """Return how near the distilled judge comes to the simulated rubric annotator, per dimension."""
    verdicts = judge.judge([r.view for r in replies])
    scored: NDArray[np.float64] = np.array([[t.points for t in v.terms] for v in verdicts])
    out: dict[str, Any] = {}
    for k, dimension in enumerate(judge.rubric.dimensions):
        choices = np.array([c.points for c in dimension.choices])
        nearest = choices[np.abs(scored[:, k, None] - choices).argmin(axis=1)]
        out[dimension.id] = {
            "correlation": correlation(scored[:, k], points[:, k]),
            "nearest_choice_the_same": float((nearest == points[:, k]).mean()),
            "mean_error": float(np.abs(scored[:, k] - points[:, k]).mean()),
        }
    out["total"] = {"correlation": correlation(scored.sum(axis=1), points.sum(axis=1)), "replies": len(replies)}
    return out


def report_habits(reward: RepoReward, pairs: Sequence[Pair]) -> dict[str, dict[str, float]]:
    """Return the mean reward, composed and by source, of undamaged replies by the habit that they come from."""
    replies = list({id(c): c for p in pairs for c in (p.chosen, p.rejected)}.values())
    groups: dict[str, list[RewardBreakdown]] = {}
    for reply, scored in zip(replies, reward.score([r.view for r in replies]), strict=True):
        if not reply.damage and reply.habit:
            groups.setdefault("routine (honest)" if reply.habit in ROUTINE else reply.habit, []).append(scored)
    fields = ("total", "model", "judge", "rules")
    return {
        group: {f: float(np.mean([float(getattr(s, f) or 0.0) for s in some])) for f in fields} | {"n": len(some)}
        for group, some in sorted(groups.items())
    }


def labelled(pairs: Sequence[Pair], rubric: Rubric, seed: int) -> tuple[list[Candidate], Array]:
    """Return the pairs' replies and a simulated rubric annotator's points for them."""
    replies = [c for p in pairs for c in (p.chosen, p.rejected)]
    rng = np.random.default_rng((0x70D6E, seed))
    return replies, np.array([rubric_points(r.judged, rubric, rng) for r in replies])


def _rounded(value: Any) -> Any:
    """Return a report with its numbers rounded to four digits."""
    if isinstance(value, dict):
        return {key: _rounded(x) for key, x in value.items()}
    return round(value, 4) if isinstance(value, float) else value


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, print the main held-out figures, and write weights and report."""
    parser = argparse.ArgumentParser(description="Train the shipped reward model and the distilled judge.")
    parser.add_argument("--preset", default="ngram", help="a shipped preset's name, or a TOML file")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="replace a preset's value")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    options = parser.parse_args(arguments)
    folder = train(options.preset, options.out, options.set)
    model = json.loads((folder / "report.json").read_text(encoding="utf-8"))["reward_model"]
    accuracy = model["accuracy"]
    print(f"held-out pairs: accuracy {accuracy['value']:.3f} [{accuracy['low']:.3f}, {accuracy['high']:.3f}], ", end="")
    print(f"n {accuracy['n']}, ceiling {model['ceiling'] or float('nan'):.3f} (simulated annotators)")
    for source, part in model["accuracy_by_source"].items():
        print(f"  {source}: {part['value']:.3f} (n {part['n']})")
    print(f"length correlation {model['length_correlation']:+.3f}, calibration {model['calibration']}")
    print(f"written to {folder}")


if __name__ == "__main__":
    main()
