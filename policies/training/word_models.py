"""Fitting linear models over words and pairs of words (``negotiation_env.language.word_model``) with SciPy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from scipy.optimize import minimize
from scipy.sparse import csr_matrix

from negotiation_env.language.word_model import grams, tokens_of

PENALTY: Final = 1 / 30
"""L2 penalty of two classes."""
JOINT_PENALTY: Final = 1 / 10
"""The same of many classes that share their messages."""


def names_of(texts: Iterable[str], rarest: int) -> list[str]:
    """Return the words and pairs that occur in at least ``rarest`` messages, sorted."""
    counts = Counter(gram for text in texts for gram in grams(tokens_of(text)))
    return sorted(gram for gram, count in counts.items() if count >= rarest)


def features(texts: Sequence[str], names: Sequence[str]) -> Any:
    """Return [texts, names]: which words and pairs occur, each text of length 1 over all that occur in it."""
    place = {name: i for i, name in enumerate(names)}
    values: list[float] = []
    columns: list[int] = []
    ends = [0]
    for text in texts:
        found = grams(tokens_of(text))
        known = [place[gram] for gram in found if gram in place]
        columns += known
        values += [1.0 / np.sqrt(max(1, len(found)))] * len(known)
        ends.append(len(columns))
    return csr_matrix((values, columns, ends), shape=(len(texts), len(names)))


def logistic(x: Any, y: Any) -> tuple[Any, float]:
    """Return weights and bias of a logistic regression, both classes weighing the same."""
    weight = np.where(y > 0, len(y) / (2 * y.sum()), len(y) / (2 * (len(y) - y.sum())))

    def loss(theta: Any) -> tuple[float, Any]:
        w, b = theta[:-1], theta[-1]
        z = x @ w + b
        p = 1.0 / (1.0 + np.exp(-z))
        value = float((weight * (np.logaddexp(0.0, z) - y * z)).sum() + 0.5 * PENALTY * (w @ w))
        slope = weight * (p - y)
        return value, np.append(x.T @ slope + PENALTY * w, slope.sum())

    found = minimize(loss, np.zeros(x.shape[1] + 1), jac=True, method="L-BFGS-B", options={"maxiter": 400})
    return found.x[:-1].copy(), float(found.x[-1])


def softmax(x: Any, labels: Any, classes: int, heavier: float = 1.0) -> tuple[Any, Any]:
    """Return weights [names, classes] and biases [classes] of one regression over all classes.

    ``heavier``: how much more a message of any class but the first weighs.
    """
    size, width = x.shape
    target = np.eye(classes)[labels]
    weight = np.where(labels == 0, 1.0, heavier)[:, None]

    def loss(theta: Any) -> tuple[float, Any]:
        w, b = theta[: width * classes].reshape(width, classes), theta[width * classes :]
        z = x @ w + b
        z -= z.max(axis=1, keepdims=True)
        p = np.exp(z)
        p /= p.sum(axis=1, keepdims=True)
        value = -float((weight[:, 0] * np.log(p[np.arange(size), labels] + 1e-12)).sum())
        slope = (p - target) * weight
        gradient = np.concatenate([(x.T @ slope + JOINT_PENALTY * w).ravel(), slope.sum(axis=0)])
        return value + 0.5 * JOINT_PENALTY * float((w * w).sum()), gradient

    start = np.zeros(width * classes + classes)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 60}).x
    return found[: width * classes].reshape(width, classes), found[width * classes :]


def kept(names: Sequence[str], weights: Any, most: int) -> Mapping[str, float]:
    """Return the ``most`` largest weights by name."""
    least = np.sort(np.abs(weights))[-most] if len(weights) > most else 0.0
    return {name: round(float(w), 3) for name, w in zip(names, weights, strict=True) if w and abs(w) >= least}
