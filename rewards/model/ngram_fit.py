"""``negotiate train rm --preset ngram``: fits the light reward model on preference pairs, in half a minute.

The loss is that of the encoder reward model (``encoder_training``): Bradley-Terry with the annotators' certainty, ties
among it, and each chosen reply drawn above 0, each rejected one below. AdaGrad on sparse rows; afterwards the weight of
the length is set so that R_model correlates with it no more than ``NgramPreset.length_correlation``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.optimize import brentq
from scipy.sparse import csr_array

from negotiation_env.files import write_json
from negotiation_env.training.presets import Preset, read_preset
from rewards.model.act_fit import fit_acts
from rewards.model.ngram_model import LENGTH, NgramRewardModel, entries, length_value, raw_score
from rewards.model.reference import Reference
from rewards.training.held_out_figures import correlation, share
from rewards.training.reward_presets import PRESETS
from simulators.people.graded_replies import GradedReply, graded_turns
from simulators.people.training_files import PreferencePair, training_preferences
from simulators.people.written_dialogues import written_dialogues
from simulators.people.written_pairs import NO_ANSWER, tied_pairs, written_pairs

Floats = NDArray[np.float64]
BATCH: Final = 256
SMALLEST: Final = 0.01
"""Weights below this are dropped."""


class NgramPreset(Preset):
    """Settings of a fit."""

    seed: int = Field(ge=0)
    data: str = ""
    """A file of preference pairs of which the training lines are taken instead of the written ones."""
    pairs: int = Field(ge=0)
    """Written pairs, in the paper's composition; 0 for all there are."""
    epochs: int = Field(ge=1)
    rate: float = Field(gt=0.0)
    ridge: float = Field(ge=0.0)
    level: float = Field(ge=0.0)
    fewest: int = Field(ge=1)
    """Training replies that hold an entry for it to be read."""
    length_correlation: float = Field(ge=0.0, le=1.0)
    act_pairs: int = Field(ge=20)
    """Generated pairs by which moves without text are scored."""
    honest: int = Field(ge=20)
    """Honest replies that set zero and unit of those."""


class _Rows(NamedTuple):
    """Different replies as sparse rows, and the pairs by row with the annotator's certainty."""

    x: csr_array
    chosen: NDArray[np.int64]
    rejected: NDArray[np.int64]
    sure: Floats


def talk_of(pair: PreferencePair) -> tuple[list[str], list[str]]:
    """Return what agent and hotel said before a pair's replies."""
    own = [m["content"] for m in pair.prompt if m["role"] == "assistant"]
    users = [m["content"] for m in pair.prompt if m["role"] == "user"]
    return own, ["" if text == NO_ANSWER else text for text in users[1:]]


def fit(pairs: Sequence[PreferencePair], settings: NgramPreset) -> dict[str, float]:
    """Return weights by entry."""
    texts: dict[tuple[str, str, str], int] = {}
    read: list[dict[str, float]] = []
    ends: list[tuple[int, int]] = []
    for pair in pairs:
        own, heard = talk_of(pair)
        key = "\x00".join((*own, "\x01", *heard))
        both = []
        for reply in (pair.chosen, pair.rejected):
            if (pair.scenario, key, reply) not in texts:
                texts[pair.scenario, key, reply] = len(read)
                read.append(entries(own, heard, reply))
            both.append(texts[pair.scenario, key, reply])
        ends.append((both[0], both[1]))
    counts = Counter(e for row in read for e in row)
    vocabulary = {e: i for i, e in enumerate(sorted(e for e, n in counts.items() if n >= settings.fewest))}
    sure = np.array([1.0 if pair.sure is None else pair.sure for pair in pairs])
    chosen, rejected = np.array(ends, dtype=np.int64).reshape(-1, 2).T
    rows = _Rows(_matrix(read, vocabulary), chosen, rejected, sure)
    w = _descend(rows, settings)
    return {e: round(float(w[i]), 4) for e, i in vocabulary.items() if abs(w[i]) >= SMALLEST}


def _matrix(read: Sequence[Mapping[str, float]], vocabulary: Mapping[str, int]) -> csr_array:
    rows, columns, values = [], [], []
    for i, row in enumerate(read):
        for entry, value in row.items():
            if entry in vocabulary:
                rows.append(i)
                columns.append(vocabulary[entry])
                values.append(value)
    return csr_array((values, (rows, columns)), shape=(len(read), len(vocabulary)))


def _descend(rows: _Rows, settings: NgramPreset) -> Floats:
    """Return the weights that AdaGrad comes to."""
    gap = csr_array(rows.x[rows.chosen] - rows.x[rows.rejected])
    above, below = csr_array(rows.x[rows.chosen]), csr_array(rows.x[rows.rejected])
    known = (rows.sure != 0.5).astype(float) * settings.level / 2.0
    w, squares = np.zeros(rows.x.shape[1]), np.full(rows.x.shape[1], 1e-8)
    rng = np.random.default_rng(settings.seed)
    for _ in range(settings.epochs):
        order = rng.permutation(len(rows.sure))
        for start in range(0, len(order), BATCH):
            part = order[start : start + BATCH]
            slope = _sigmoid(gap[part] @ w) - rows.sure[part]
            g = gap[part].T @ slope
            g = g + above[part].T @ ((_sigmoid(above[part] @ w) - 1.0) * known[part])
            g = g + below[part].T @ (_sigmoid(below[part] @ w) * known[part])
            g = g / len(part) + settings.ridge * w
            squares += g * g
            w -= settings.rate * g / np.sqrt(squares)
    return w


def _sigmoid(x: Floats) -> Floats:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(x, -40.0, 40.0))))


def without_length(weights: Mapping[str, float], replies: Sequence[GradedReply], most: float) -> dict[str, float]:
    """Return weights with that of the length such that R_model's correlation with characters is at most so much."""
    scores = np.array([_raw(weights, reply) for reply in replies])
    characters = np.array([float(len(reply.view.text)) for reply in replies])
    lengths = np.array([length_value(reply.view.text) for reply in replies])
    bland = np.array([reply.grade == "bland" for reply in replies])

    def excess(b: float) -> float:
        left = scores - b * lengths
        return float(np.corrcoef(np.tanh((left - left[bland].mean()) / 2.0), characters)[0, 1]) - most

    b = float(brentq(excess, 0.0, 10.0)) if excess(0.0) > 0.0 else 0.0
    return {**weights, LENGTH: round(weights.get(LENGTH, 0.0) - b, 4)}


def _raw(weights: Mapping[str, float], reply: GradedReply) -> float:
    own, heard = ([u.text for u in said] for said in (reply.view.agent_said, reply.view.manager_said))
    return raw_score(weights, own, heard, reply.view.text)


def graded(split: str) -> list[GradedReply]:
    """Return a split's replies."""
    return [r for dialogue in written_dialogues(split) for turn in graded_turns(dialogue) for r in turn.replies]


def reference_of(weights: Mapping[str, float], replies: Sequence[GradedReply]) -> Reference:
    """Return the zero of R_model: what bland replies score."""
    return Reference.of((int(r.view.stage), _raw(weights, r)) for r in replies if r.grade == "bland")


def read_settings(preset: Mapping[str, Any] | str | Path, overrides: Sequence[str] = ()) -> NgramPreset:
    """Return the settings of a fit; raises ``DataFileError`` or ``UsageError`` where they are wrong."""
    return read_preset(NgramPreset, preset, PRESETS, overrides)


def train(
    preset: Mapping[str, Any] | str | Path = "ngram",
    out: str | Path = Path(__file__).parents[1] / "weights",
    overrides: Sequence[str] = (),
) -> Path:
    """Fit the model and write ``preference.npz``, ``acts.npz`` and ``preference.json``, its figures, into a folder.

    Raises:
        DataFileError: a wrong preset, or a data file that cannot be used: names file, line and field.
    """
    settings = read_settings(preset, overrides)
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    if settings.data:
        pairs = training_preferences(settings.data)
    else:
        pairs = [*written_pairs("train", settings.pairs or None, settings.seed), *tied_pairs("train")]
    replies = graded("train")
    weights = without_length(fit(pairs, settings), replies, settings.length_correlation)
    acts = fit_acts(settings.act_pairs, settings.honest, settings.seed)
    model = NgramRewardModel(weights, reference_of(weights, replies), acts)
    model.save(folder / "preference.npz")
    report = {"settings": settings.model_dump(), "pairs": len(pairs), **held_out(model)}
    write_json(folder / "preference.json", report, indent=1)
    return folder


def held_out(model: NgramRewardModel) -> dict[str, Any]:
    """Return accuracy on the validation authors' pairs and ties, and the correlation of score and length."""
    pairs, tied = written_pairs("validation", None), tied_pairs("validation", ("validation.jsonl",))

    def both(some: Sequence[PreferencePair]) -> tuple[Floats, Floats]:
        chosen, rejected = (
            np.array([model.raw(*talk_of(p), getattr(p, name)) for p in some]) for name in ("chosen", "rejected")
        )
        return chosen, rejected

    (chosen, rejected), (true, false) = both(pairs), both(tied)
    lengths = np.array([float(len(p.chosen)) for p in pairs] + [float(len(p.rejected)) for p in pairs])
    return {
        "entries": len(model.weights),
        "accuracy on validation authors": share(chosen > rejected),
        "true over false, validation edits (ties half)": float((np.sign(true - false) + 1.0).mean() / 2.0),
        "correlation with length": correlation(np.concatenate([chosen, rejected]), lengths),
    }
