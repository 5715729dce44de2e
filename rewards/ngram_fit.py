"""Fits the small linear scorers: the n-gram reward model by Bradley-Terry, the distilled judge by ridge regression.

Works on views of replies and on numbers; knows no file and no annotator.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_array, diags_array, hstack, vstack
from scipy.sparse.linalg import lsqr

from negotiation_env.features import FEATURES
from negotiation_env.protocols import ReplyView
from rewards.linear import INPUTS, MOST_WORDS, Array, LinearWeights, inputs_of
from rewards.reward_scale import ROUTINE_LEVEL
from rewards.rubric import Rubric
from rewards.text_marks import text_marks

FEWEST_REPLIES = 12
"""A word or pair enters the vocabulary if so many training replies hold it."""
GRADE_MARGINS = (0.0, 1.5, 3.0, 5.0, 9.0)
"""What margins 0 to 4 of the data mean in units of the fit; margins between are interpolated."""
SLIP = 0.025
"""Share of comparisons that the fit takes for slips."""
ACT_PENALTY, WORD_PENALTY = 0.1, 8.0
"""L2 penalties of the Bradley-Terry fit (on the summed loss)."""
MARK_PENALTY = 1.0
"""The same for marks of the text, which are few."""
OWN_PENALTIES = {"press_at_target": 0.3, "answer_reason": 10.0, "ignore_reason": 10.0}
"""Penalties of features that come in turns: a good quote is taken or pressed on, a question answered or passed over.
Comparisons tell only how far apart the two lie; the penalties share it out between a gain and a loss."""
JUDGE_PENALTY = 12.0
FEWEST_POINTS = 0.3
"""Weights of the judge below this many points are dropped."""
SMALLEST = 0.02
"""Word weights of less than this share of the score's unit are dropped."""
WORDS_LOW, WORDS_HIGH = -4.0, 0.0
"""Limits of the words' share of R_model. No word has a positive weight, so words can spoil a reply but never make one:
there is nothing to stuff it with."""


def entries_of(view: ReplyView, pairs: bool) -> list[str]:
    """Return the vocabulary entries of a reply, each once: words, marks, pairs if asked; none with a digit."""
    said = tuple(view.words[:MOST_WORDS])
    entries = [*dict.fromkeys(said), *text_marks(view)]
    if pairs:
        entries += [f"{a} {b}" for a, b in dict.fromkeys(pairwise(said))]
    return [e for e in entries if not any(c.isdigit() for c in e)]


def vocabulary(replies: Iterable[ReplyView], pairs: bool) -> tuple[str, ...]:
    """Return the entries that enough replies hold, sorted."""
    counts = Counter(e for view in replies for e in entries_of(view, pairs))
    return tuple(sorted(e for e, n in counts.items() if n >= FEWEST_REPLIES))


def design(replies: Sequence[ReplyView], words: tuple[str, ...], pairs: bool) -> csr_array:
    """Return the inputs of replies, shape [len(replies), len(INPUTS) + len(words)]."""
    place = {w: len(INPUTS) + i for i, w in enumerate(words)}
    rows, columns, values = [], [], []
    for i, view in enumerate(replies):
        for j, value in enumerate(inputs_of(view.features)):
            if value:
                rows.append(i)
                columns.append(j)
                values.append(value)
        for entry in entries_of(view, pairs):
            if entry in place:
                rows.append(i)
                columns.append(place[entry])
                values.append(1.0)
    shape = (len(replies), len(INPUTS) + len(words))
    return csr_array((values, (rows, columns)), shape=shape)


def fit_bradley_terry(difference: csr_array, margins: Array, penalty: Array, free: int) -> Array:
    """Return the weights w that minimise the Bradley-Terry loss with margins and slips, plus sum penalty * w^2 / 2.

    The first ``free`` weights may have any sign, the others are at most 0.

    The loss is -log(s + (1 - 2 s) sigmoid(difference @ w - margin)): graded comparisons tell how far apart two replies
    are (margins as in Touvron et al. 2023), and the slip rate s keeps a wrong tick from outweighing many right ones.
    """
    transposed = difference.T.tocsr()

    def loss(w: Array, slip: float) -> tuple[float, Array]:
        right = 1.0 / (1.0 + np.exp(-np.clip(difference @ w - margins, -60.0, 60.0)))
        likely = slip + (1.0 - 2.0 * slip) * right
        slope = (1.0 - 2.0 * slip) * right * (1.0 - right) / likely
        value = float(-np.log(likely).sum() + 0.5 * (penalty * w * w).sum())
        return value, penalty * w - transposed @ slope

    # With slips the loss is not convex, and flat far from the margins: the fit without slips leads near them.
    w = np.zeros(difference.shape[1])
    bounds = [(None, None if i < free else 0.0) for i in range(len(w))]
    for slip in (0.0, SLIP):
        w = minimize(loss, w, args=(slip,), jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 300}).x
    return np.asarray(w, dtype=np.float64)


def fit_preference(
    chosen: Sequence[ReplyView],
    rejected: Sequence[ReplyView],
    margins: Sequence[float],
    honest: Sequence[ReplyView],
    routine: Sequence[bool],
) -> LinearWeights:
    """Fit R_model on pairs, and set its zero and unit by an honest agent's replies.

    Args:
        chosen: the chosen reply of each pair.
        rejected: the other one.
        margins: how much better the chosen one is, as annotators grade it: 0 to 4.
        honest: replies of an honest agent, deals among them.
        routine: which of those are routine replies on the way to a deal; see ``ROUTINE_LEVEL``.
    """
    words = vocabulary([*chosen, *rejected], pairs=True)
    penalty = np.full(len(INPUTS) + len(words), WORD_PENALTY)
    penalty[: len(INPUTS)] = ACT_PENALTY
    for name, value in OWN_PENALTIES.items():
        penalty[INPUTS.index(name)] = value
    penalty[[len(INPUTS) + i for i, word in enumerate(words) if word[0] == "<"]] = MARK_PENALTY
    difference = csr_array(design(chosen, words, True) - design(rejected, words, True))
    graded = np.interp(margins, range(len(GRADE_MARGINS)), GRADE_MARGINS)
    w = fit_bradley_terry(difference, graded, penalty, free=len(INPUTS))
    x = design(honest, words, True)
    w /= float((x @ w).std())
    acts, texts = w[: len(INPUTS)], w[len(INPUTS) :]
    keep = np.abs(texts) >= SMALLEST
    share = np.clip(x[:, len(INPUTS) :] @ np.where(keep, texts, 0.0), WORDS_LOW, WORDS_HIGH)
    scores = x[:, : len(INPUTS)] @ acts + share
    zero = float(scores[np.asarray(routine, dtype=bool)].mean()) - ROUTINE_LEVEL
    return LinearWeights(
        outputs=("reward",),
        acts=acts[:, None],
        bias=np.array([-zero]),
        words=tuple(word for word, k in zip(words, keep, strict=True) if k),
        word_weights=texts[keep][:, None],
        text_mean=np.array([share.mean()]),
        low=np.array([WORDS_LOW]),
        high=np.array([WORDS_HIGH]),
    )


def fit_judge(replies: Sequence[ReplyView], points: Array, honest: Sequence[bool], rubric: Rubric) -> LinearWeights:
    """Fit points per dimension by ridge regression.

    Args:
        replies: what was judged.
        points: shape [len(replies), dimensions].
        honest: which replies are undamaged; their words stand in where there is no text.
        rubric: names the dimensions and the range of their points.
    """
    words = vocabulary(replies, pairs=False)
    x = design(replies, words, False)
    count, wide = len(replies), len(INPUTS) + len(words)
    ridge = np.full(wide, JUDGE_PENALTY)
    ridge[: len(INPUTS)] = 1.0
    ridge[len(FEATURES) : len(INPUTS)] = 1e9  # the judge goes without products
    columns, biases = [], []
    for k in range(points.shape[1]):
        mean = float(points[:, k].mean())
        stacked = csr_array(_stack(x, np.ones(count), np.sqrt(ridge)))
        goal = np.concatenate([points[:, k] - mean, np.zeros(wide)])
        solution = lsqr(stacked, goal, atol=1e-7, btol=1e-7, iter_lim=400)[0]
        columns.append(solution[:wide])
        biases.append(mean + solution[wide])
    w = np.stack(columns, axis=1)
    w[np.abs(w) < FEWEST_POINTS] = 0.0
    texts = w[len(INPUTS) :]
    keep: NDArray[np.bool_] = np.abs(texts).max(axis=1) > 0.0
    zeros = np.zeros(points.shape[1])
    return LinearWeights(
        outputs=tuple(d.id for d in rubric.dimensions),
        acts=w[: len(INPUTS)],
        bias=np.array(biases),
        words=tuple(word for word, k in zip(words, keep, strict=True) if k),
        word_weights=texts[keep],
        text_mean=np.asarray(x[:, len(INPUTS) :] @ texts)[np.asarray(honest, dtype=bool)].mean(axis=0),
        low=zeros + [d.low for d in rubric.dimensions],
        high=zeros + [d.high for d in rubric.dimensions],
    )


def _stack(x: csr_array, ones: Array, roots: Array) -> csr_array:
    """Return [x, 1] over [diag(roots), 0]: least squares on it is ridge regression with a free constant."""
    top = hstack([x, csr_array(ones[:, None])])
    bottom = hstack([diags_array(roots), csr_array((len(roots), 1))])
    return csr_array(vstack([top, bottom]))
