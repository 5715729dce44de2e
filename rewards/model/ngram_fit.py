"""``negotiate train rm --preset ngram``: fits the light reward model on preference pairs, in half a minute.

The loss is that of ``compared_talks`` but for the length: afterwards its weight is set so that R_model correlates with
it no more than ``NgramPreset.length_correlation``. AdaGrad on sparse rows. Pairs about an answer to a figure, which
are in the phrase book's words, teach the entries about figures alone (``ngram_model.of_figures``), in a second pass.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.optimize import brentq
from scipy.sparse import csr_array

from negotiation_env.engines.chat_model import ChatMessage
from negotiation_env.files import write_json
from negotiation_env.play.protocols import ReplyView
from negotiation_env.training.presets import Preset, read_preset
from rewards.model.act_fit import fit_acts
from rewards.model.compared_talks import graded, reference_of, training_pairs
from rewards.model.ngram_model import LENGTH, NgramRewardModel, entries, length_value, of_figures, raw_score
from rewards.training.held_out_figures import held_out
from rewards.training.reward_presets import PRESETS
from simulators.people.graded_replies import GradedReply
from simulators.people.haggling import SOURCE as HAGGLING
from simulators.people.training_files import PreferencePair
from simulators.people.written_pairs import NO_ANSWER

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


def talk_of(prompt: Sequence[ChatMessage]) -> tuple[list[str], list[str]]:
    """Return what agent and hotel said in a chat."""
    own = [m["content"] for m in prompt if m["role"] == "assistant"]
    users = [m["content"] for m in prompt if m["role"] == "user"]
    return own, ["" if text == NO_ANSWER else text for text in users[1:]]


def chat_scores(model: NgramRewardModel, chats: Sequence[tuple[Sequence[ChatMessage], str]]) -> list[float]:
    """Return the unbounded scores of replies to chats."""
    return [model.raw(*talk_of(prompt), reply) for prompt, reply in chats]


def fit(pairs: Sequence[PreferencePair], settings: NgramPreset) -> dict[str, float]:
    """Return weights by entry."""
    texts: dict[tuple[str, str, str], int] = {}
    read: list[dict[str, float]] = []
    ends: list[tuple[int, int]] = []
    for pair in pairs:
        own, heard = talk_of(pair.prompt)
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
    about = np.array([of_figures(e) for e in sorted(vocabulary)])
    haggled = np.array([pair.source == HAGGLING for pair in pairs])
    w = _descend(rows, settings, np.flatnonzero(~haggled), np.zeros(len(vocabulary)), np.ones(len(vocabulary)))
    if haggled.any():
        w = _descend(rows, settings, np.arange(len(pairs)), w, about.astype(float))
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


def _descend(rows: _Rows, settings: NgramPreset, taught: NDArray[np.int64], begun: Floats, free: Floats) -> Floats:
    """Return the weights that AdaGrad comes to on some pairs; ``free`` is 0 for those that stay as they are begun."""
    w, squares = begun.copy(), np.full(rows.x.shape[1], 1e-8)
    gap = csr_array(rows.x[rows.chosen] - rows.x[rows.rejected])
    above, below = csr_array(rows.x[rows.chosen]), csr_array(rows.x[rows.rejected])
    known = (rows.sure != 0.5).astype(float) * settings.level / 2.0
    rng = np.random.default_rng(settings.seed)
    for _ in range(settings.epochs):
        order = rng.permutation(taught)
        for start in range(0, len(order), BATCH):
            part = order[start : start + BATCH]
            slope = _sigmoid(gap[part] @ w) - rows.sure[part]
            g = gap[part].T @ slope
            g = g + above[part].T @ ((_sigmoid(above[part] @ w) - 1.0) * known[part])
            g = g + below[part].T @ (_sigmoid(below[part] @ w) * known[part])
            g = (g / len(part) + settings.ridge * w) * free
            squares += g * g
            w -= settings.rate * g / np.sqrt(squares)
    return w


def _sigmoid(x: Floats) -> Floats:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(x, -40.0, 40.0))))


def without_length(weights: Mapping[str, float], replies: Sequence[GradedReply], most: float) -> dict[str, float]:
    """Return weights with that of the length such that R_model's correlation with characters is at most so much."""
    scores = np.array([_raw(weights, reply.view) for reply in replies])
    characters = np.array([float(len(reply.view.text)) for reply in replies])
    lengths = np.array([length_value(reply.view.text) for reply in replies])
    bland = np.array([reply.grade == "bland" for reply in replies])

    def excess(b: float) -> float:
        left = scores - b * lengths
        return float(np.corrcoef(np.tanh((left - left[bland].mean()) / 2.0), characters)[0, 1]) - most

    b = float(brentq(excess, 0.0, 10.0)) if excess(0.0) > 0.0 else 0.0
    return {**weights, LENGTH: round(weights.get(LENGTH, 0.0) - b, 4)}


def _raw(weights: Mapping[str, float], view: ReplyView) -> float:
    own, heard = ([u.text for u in said] for said in (view.agent_said, view.manager_said))
    return raw_score(weights, own, heard, view.text)


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
    pairs = training_pairs(settings.data, settings.pairs, settings.seed)
    replies = graded("train")
    weights = without_length(fit(pairs, settings), replies, settings.length_correlation)
    acts = fit_acts(settings.act_pairs, settings.honest, settings.seed)
    reference = reference_of(lambda views: [_raw(weights, view) for view in views], replies)
    model = NgramRewardModel(weights, reference, acts)
    model.save(folder / "preference.npz")
    counts = {"pairs": len(pairs), "entries": len(weights)}
    report = {"settings": settings.model_dump(), **counts, **held_out(partial(chat_scores, model))}
    write_json(folder / "preference.json", report, indent=1)
    return folder
