"""Trains the light judge, one logistic regression for each question: ``negotiate train judge --preset light``.

Writes ``judge.npz`` and ``judge.json``, its figures: on the validation authors, whose dialogues are never trained on,
and on simulated replies of other scenarios, phrases and damage. Questions that are not asked, or whose true answer is
untold, are no part of the loss. Afterwards the points of an ordinary reply (grade 3, no flaw) are found and taken off,
and points by act-level features for moves without text, by ridge regression on simulated sound replies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field
from scipy.optimize import minimize
from scipy.sparse import csr_array

from negotiation_env import __version__
from negotiation_env.files import read_json, write_json
from negotiation_env.game.lanes import FLOATS
from negotiation_env.seeds import Stream
from negotiation_env.training.presets import Preset, read_preset
from rewards.judge.case_questions import cases
from rewards.judge.distilled_judge import DistilledJudge, LightWeights
from rewards.judge.judge_data import (
    HARMLESS,
    JudgedReply,
    families,
    injection,
    injections,
    sampled_replies,
    simulated_replies,
    spelt,
    written_replies,
)
from rewards.judge.judge_figures import agreement, by_grade, injection_shift, ordinary, points_of
from rewards.judge.judge_orders import judged_reply, sentences_of, with_text
from rewards.judge.light_features import RANGES, WIDTH, places, word_places
from rewards.judge.rubric import Rubric
from rewards.linear import INPUTS, inputs_of

LIGHT: Final = "light"
PRESETS: Final = Path(__file__).parents[1] / "training" / "presets" / "judge"
WEIGHTS: Final = Path(__file__).parents[1] / "weights"
SMALLEST: Final = 0.75
"""Weights of less than so many of their units are dropped, so that the file stays small."""
SPOKEN: Final = 16_000
"""Sentences of written replies that show what is not aimed at a judge."""
AIMED_PENALTY: Final = 0.3
_ACT_PENALTY: Final = 3.0
Floats = NDArray[np.float64]


def _each_family(penalties: dict[str, float]) -> dict[str, float]:
    if penalties.keys() != RANGES.keys():
        raise ValueError(f"expected the keys {sorted(RANGES)}, got {sorted(penalties)}")
    return penalties


class LightPreset(Preset):
    """Settings of a run; see ``presets/judge/light.toml``."""

    seed: int = Field(ge=0)
    situations: int = Field(ge=1)
    held_out: int = Field(ge=1)
    simulated: float = Field(gt=0.0)
    injected: float = Field(ge=0.0, le=1.0)
    yes: float = Field(gt=0.0)
    penalties: Annotated[dict[str, Annotated[float, Field(gt=0.0)]], AfterValidator(_each_family)]
    """Of the squared weights, by the family of features."""
    steps: int = Field(ge=1)
    most_turns: int | None = None
    """Cuts written data short, for tests."""


class _Examples(NamedTuple):
    """Replies as the fit takes them: features [N, WIDTH], answers [N, Q] (-1 for none), weight [N]."""

    x: csr_array
    answers: NDArray[np.int8]
    weight: Floats


def train(
    preset: Mapping[str, Any] | str | Path = LIGHT, out: str | Path = WEIGHTS, overrides: Sequence[str] = ()
) -> Path:
    """Train the light judge and write weights and figures into a folder, which is returned.

    Args:
        preset: a table, a TOML file, or the shipped "light".
        out: the folder; made if need be.
        overrides: "key=value" over the preset's.

    Raises:
        DataFileError: a wrong preset.
    """
    settings = read_preset(LightPreset, preset, PRESETS, overrides)
    folder, rubric = Path(out), Rubric.from_toml()
    folder.mkdir(parents=True, exist_ok=True)
    written = list(chain.from_iterable(islice(written_replies("train", rubric), settings.most_turns)))
    simulated = list(chain.from_iterable(simulated_replies(settings.situations, settings.seed, rubric)))
    simulated += islice(sampled_replies("train", rubric), settings.most_turns)
    weights = fit(written, simulated, rubric, settings)
    weights.save(folder / "judge.npz")
    judge = DistilledJudge.from_file(folder / "judge.npz")
    write_json(folder / "judge.json", _rounded(report(judge, settings)), indent=1, escaped=True)
    return folder


def fit(
    written: Sequence[JudgedReply], simulated: Sequence[JudgedReply], rubric: Rubric, settings: LightPreset
) -> LightWeights:
    """Return the weights that explain the replies' answers best, less what penalties take off."""
    rng = np.random.default_rng((Stream.JUDGE_INJECTION, settings.seed))
    replies = [*written, *simulated]
    aimed = rng.random(len(replies)) < settings.injected
    views = [
        with_text(r.view, f"{r.view.text} {injection(rng)}") if a and r.view.text else r.view
        for r, a in zip(replies, aimed, strict=True)
    ]
    examples = _Examples(
        matrix([places(read, cases(read)) for read in map(judged_reply, views)]),
        np.array([[-1 if a is None else int(a) for a in r.answers] for r in replies], dtype=np.int8),
        np.array([1.0] * len(written) + [settings.simulated] * len(simulated)),
    )
    w, bias = _logistic(examples, settings)
    step = np.maximum(np.abs(w).max(axis=0), 1e-6) / 127.0
    whole = w / step
    whole[np.abs(whole) < SMALLEST] = 0.0
    none = np.zeros(len(rubric.questions))
    weights = LightWeights(
        tuple(q.id for q in rubric.questions), np.rint(whole).astype(np.int8), step, bias, none,
        np.zeros(len(INPUTS)), np.zeros(1), *aimed_weights([r.view.text for r in written], rng),
    )  # fmt: skip
    bland = [r.view for r in written if r.quality == 3 and not _flawed(r, rubric)]
    told = DistilledJudge(weights).answers(bland)
    weights = weights._replace(ordinary=np.array(ordinary(told, len(rubric.questions))))
    acts, level = _acts(DistilledJudge(weights), [r for r in simulated if r.sound and r.view.text])
    return weights._replace(acts=acts, acts_bias=np.array([level]))


def aimed_weights(replies: Sequence[str], rng: np.random.Generator) -> tuple[NDArray[np.int8], Floats]:
    """Return ``aimed`` [WIDTH] and ``aimed_step`` [2] of ``LightWeights``: injections' words against those of replies.

    Args:
        replies: texts that are none; sentences of them are drawn.
        rng: draws the sentences and how lines are spelt.
    """
    spoken = list(dict.fromkeys(part.strip() for text in replies for part in sentences_of(text) if part.strip()))
    spoken = [spoken[i] for i in rng.permutation(len(spoken))[:SPOKEN]]
    harmless = [spelt(line, rng) for line in families()[HARMLESS] for _ in range(6)]
    aimed = list(dict.fromkeys(spelt(line, rng) for line in injections(False) for _ in range(25)))
    x = matrix([word_places(sentence) for sentence in (*spoken, *harmless, *aimed)])
    back, yes = x.T.tocsr(), np.repeat([0.0, 1.0], [len(spoken) + len(harmless), len(aimed)])

    def loss(theta: Any) -> tuple[float, Any]:
        w, odds = theta[:-1], x @ theta[:-1] + theta[-1]
        slope = 1.0 / (1.0 + np.exp(-np.clip(odds, -60.0, 60.0))) - yes
        value = float((np.logaddexp(0.0, odds) - yes * odds).sum() + 0.5 * AIMED_PENALTY * (w @ w))
        return value, np.append(back @ slope + AIMED_PENALTY * w, slope.sum())

    theta = minimize(loss, np.zeros(WIDTH + 1), jac=True, method="L-BFGS-B", options={"maxiter": 60}).x
    step = max(float(np.abs(theta[:-1]).max()), 1e-6) / 127.0
    return np.rint(theta[:-1] / step).astype(np.int8), np.array([step, theta[-1]])


def matrix(found: Sequence[Sequence[int] | NDArray[np.intp]]) -> csr_array:
    """Return which features replies have, [len(found), WIDTH]."""
    ends = np.cumsum([0, *map(len, found)])
    return csr_array((np.ones(ends[-1]), np.concatenate([*map(np.asarray, found)]), ends), shape=(len(found), WIDTH))


def _logistic(examples: _Examples, settings: LightPreset) -> tuple[Floats, Floats]:
    """Return weights [WIDTH, Q] and biases [Q] of all questions, fitted together."""
    x, back = examples.x, examples.x.T.tocsr()
    yes = (examples.answers == 1).astype(np.float64)
    weight = np.where(yes > 0.0, settings.yes, 1.0) * (examples.answers >= 0) * examples.weight[:, None]
    count = yes.shape[1]
    penalty = np.ones((WIDTH, 1))
    for family, (first, end) in RANGES.items():
        penalty[first:end] = settings.penalties[family]

    def loss(theta: Any) -> tuple[float, Any]:
        w, bias = theta[:-count].reshape(WIDTH, count), theta[-count:]
        odds = x @ w + bias
        slope = weight * (1.0 / (1.0 + np.exp(-np.clip(odds, -60.0, 60.0))) - yes)
        value = float((weight * (np.logaddexp(0.0, odds) - yes * odds)).sum() + 0.5 * (penalty * w * w).sum())
        return value, np.concatenate([(back @ slope + penalty * w).ravel(), slope.sum(axis=0)])

    start = np.zeros((WIDTH + 1) * count)
    start[-count:] = np.log(((weight * yes).sum(axis=0) + 0.5) / ((weight * (1.0 - yes)).sum(axis=0) + 0.5))
    theta = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": settings.steps, "maxcor": 6}).x
    return theta[:-count].reshape(WIDTH, count), theta[-count:]


def _flawed(reply: JudgedReply, rubric: Rubric) -> bool:
    """Whether a true answer costs points."""
    return any(
        answer is not None and (q.yes if answer else q.no) < 0.0
        for q, answer in zip(rubric.questions, reply.answers, strict=True)
    )


def _acts(judge: DistilledJudge, replies: Sequence[JudgedReply]) -> tuple[Floats, float]:
    """Return points by act-level inputs, and what is added, that come nearest to the points of these replies."""
    x = np.array([inputs_of(r.view.features) for r in replies])
    points = points_of(judge.answers([r.view for r in replies]), judge.rubric, judge.weights.ordinary.tolist())
    centre, level = x.mean(axis=0), float(points.mean())
    inner = (x - centre).T @ (x - centre) + _ACT_PENALTY * np.eye(len(centre))
    acts = np.linalg.solve(inner, (x - centre).T @ (points - level))
    return acts, level - float(centre @ acts)


def report(judge: DistilledJudge, settings: LightPreset) -> dict[str, Any]:
    """Return the figures of a light judge on replies that it was not trained on."""
    rubric = judge.rubric
    found: dict[str, Any] = {"version": __version__, "settings": settings.model_dump()}
    tests = {
        "validation_authors": list(islice(written_replies("validation", rubric), settings.most_turns)),
        "simulated": list(simulated_replies(settings.held_out, settings.seed, rubric, held_out=True)),
    }
    for name, turns in tests.items():
        replies = [r for turn in turns for r in turn]
        told = judge.answers([r.view for r in replies])
        found[name] = agreement(told, turns, rubric)
        if name == "validation_authors":
            found[name] |= by_grade(points_of(told, rubric, judge.weights.ordinary.tolist()), turns, rubric)
            sound = [r.view for r in replies if r.quality >= 3]
            found["injection"] = injection_shift(judge.answers, sound, rubric)
        else:
            plain = [r for r in replies if r.sound and r.view.text]
            acts = [judge.score_features(FLOATS, r.view.features) for r in plain]
            text = [v.total or 0.0 for v in judge.judge([r.view for r in plain])]
            found[name] |= {"mean_points": float(np.mean(text)), "mean_points_by_acts": float(np.mean(acts))}
    return found


def _rounded(value: Any) -> Any:
    """Return figures with their numbers rounded to four digits."""
    if isinstance(value, dict):
        return {key: _rounded(x) for key, x in value.items()}
    if isinstance(value, list):
        return [_rounded(x) for x in value]
    return round(value, 4) if isinstance(value, float) else value


def figure_lines(folder: Path) -> list[str]:
    """Return the main figures of a trained folder as lines for people."""
    found = read_json(folder / "judge.json", dict[str, Any])
    authors = found["validation_authors"]
    kappas = ", ".join(f"{name} {d['kappa']:.2f}" for name, d in authors["dimensions"].items())
    better = ", ".join(f"{name} {authors[name]['value']:.3f}" for name in ("excellent_seen", "excellent_bland"))
    return [
        f"validation authors: kappa {kappas}",
        f"mean points by grade {authors['mean_points']}; the better reply gets more: {better}",
        f"injections move it by {found['injection']['mean_absolute']:.2f} points",
    ]
