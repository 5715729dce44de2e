"""Linear readers of hidden states, fitted before an adapter is trained.

Knows matrices only. Readers have no constant term, as the vocabulary's layer and a score layer have none: what stands
for it is a direction in which all states are about equally long.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

STEPS = 80


def linear_readers(
    hidden: torch.Tensor, labels: torch.Tensor, count: int, level: float, penalty: float = 0.05
) -> torch.Tensor:
    """Return rows (count, width) whose products with a state are the logits of its label, ``level`` added on average.

    Args:
        hidden: states (examples, width).
        labels: class of each, 0 to ``count`` - 1.
        count: number of classes.
        level: mean logarithm of the summed exponentials of a state's logits.
        penalty: L2 penalty on the weights of standardised states.
    """
    mean, spread = hidden.mean(dim=0), hidden.std(dim=0) + 1e-3

    def loss(weights: torch.Tensor) -> torch.Tensor:
        logits = ((hidden - mean) / spread) @ weights[1:] + weights[0]
        return torch.nn.functional.cross_entropy(logits, labels)

    weights = _fit(loss, hidden.shape[1] + 1, count, penalty)
    slopes = (weights[1:] / spread[:, None]).T
    constants = weights[0] - slopes @ mean
    now = (hidden @ slopes.T + constants).logsumexp(dim=1).mean()
    return slopes + torch.outer(constants + level - now, constant_direction(hidden))


def preference_reader(gaps: torch.Tensor, margins: torch.Tensor, smooth: float) -> torch.Tensor:
    """Return a row (width,) whose products with states differ as Bradley and Terry's model has it.

    Args:
        gaps: chosen minus rejected state of each pair, (pairs, width).
        margins: wanted differences, (pairs,).
        smooth: probability of a wrong tick.
    """
    spread = gaps.std(dim=0) + 1e-3

    def loss(weights: torch.Tensor) -> torch.Tensor:
        wanted = (gaps / spread) @ weights[:, 0] - margins
        likely = (1.0 - smooth) * torch.sigmoid(wanted) + smooth * torch.sigmoid(-wanted)
        return -likely.clamp_min(1e-6).log().mean()

    return _fit(loss, gaps.shape[1], 1, 0.02)[:, 0] / spread


def constant_direction(hidden: torch.Tensor) -> torch.Tensor:
    """Return a vector (width,) whose product with every state (examples, width) is about 1."""
    square = hidden.T @ hidden
    ridge = 1e-3 * square.diagonal().mean() * torch.eye(len(square))
    found: torch.Tensor = torch.linalg.solve(square + ridge, hidden.sum(dim=0))
    return found


def _fit(loss: Callable[[torch.Tensor], torch.Tensor], rows: int, columns: int, penalty: float) -> torch.Tensor:
    """Return weights (rows, columns) that minimise a loss plus an L2 penalty, from zero."""
    weights = torch.zeros(rows, columns, requires_grad=True)
    optimiser = torch.optim.LBFGS([weights], max_iter=STEPS, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        value = loss(weights) + penalty * weights.square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    return weights.detach()
