"""Advantages and losses against slow, plain references: one token at a time, no tensors' tricks."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from policies.training.on_policy.losses import (
    clipped_policy_loss,
    decoupled_advantages,
    gae,
    group_advantages,
    kl_k1,
    kl_k3,
    on_last_token,
    share_beyond,
    token_mean,
    value_loss,
    whiten,
)
from policies.turn_credit import GROUP_EPSILON

LENGTHS = (4, 1, 6, 3)


def padded(seed: int, scale: float = 1.0) -> tuple[torch.Tensor, torch.Tensor]:
    """Random values whose padding holds garbage, with the mask."""
    rng = np.random.default_rng(seed)
    values = torch.tensor(rng.normal(size=(len(LENGTHS), max(LENGTHS))) * scale)
    mask = torch.arange(max(LENGTHS))[None, :] < torch.tensor(LENGTHS)[:, None]
    return torch.where(mask, values, 1e3), mask


def plain_gae(rewards: list[float], values: list[float], gamma: float, lam: float) -> list[float]:
    """The definition: A_t = sum over l of (gamma lambda)^l delta_{t+l}."""
    values = [*values, 0.0]
    deltas = [r + gamma * values[t + 1] - values[t] for t, r in enumerate(rewards)]
    return [sum((gamma * lam) ** (k - t) * deltas[k] for k in range(t, len(deltas))) for t in range(len(deltas))]


@pytest.mark.parametrize(("gamma", "lam"), [(1.0, 0.95), (0.9, 0.0), (1.0, 1.0), (0.8, 0.5)])
def test_gae_is_its_definition_whatever_lies_in_the_padding(gamma: float, lam: float) -> None:
    rewards, mask = padded(1)
    values, _ = padded(2)
    advantages, targets = gae(rewards, values, mask, gamma, lam)
    for row, length in enumerate(LENGTHS):
        expected = plain_gae(rewards[row, :length].tolist(), values[row, :length].tolist(), gamma, lam)
        assert advantages[row, :length].tolist() == pytest.approx(expected)
        assert targets[row, :length].tolist() == pytest.approx(
            [a + v for a, v in zip(expected, values[row, :length].tolist(), strict=True)]
        )
        assert not advantages[row, length:].any() and not targets[row, length:].any()


def test_with_lambda_one_the_value_targets_are_the_discounted_returns() -> None:
    mask = torch.tensor([[True, True, True]])
    _, targets = gae(torch.tensor([[0.0, 0.0, 2.0]]), torch.tensor([[0.3, -0.4, 0.9]]), mask, 0.5, 1.0)
    assert targets[0].tolist() == pytest.approx([0.5, 1.0, 2.0])


def test_the_reward_lies_on_the_last_token_of_each_reply() -> None:
    _, mask = padded(0)
    placed = on_last_token(torch.tensor([1.0, 2.0, 3.0, 4.0]), mask)
    for row, length in enumerate(LENGTHS):
        expected = [0.0] * max(LENGTHS)
        expected[length - 1] = row + 1.0
        assert placed[row].tolist() == expected
    with pytest.raises(ValueError, match="at least one token"):
        on_last_token(torch.tensor([1.0]), torch.tensor([[False, False]]))


def test_whitening_counts_tokens_only() -> None:
    advantages, mask = padded(3, scale=5.0)
    white = whiten(advantages, mask)
    known = [float(advantages[row, t]) for row, length in enumerate(LENGTHS) for t in range(length)]
    mean = sum(known) / len(known)
    deviation = math.sqrt(sum((x - mean) ** 2 for x in known) / len(known))
    assert white[mask].tolist() == pytest.approx([(x - mean) / deviation for x in known])
    assert not white[~mask].any()


def test_group_statistics_are_each_groups_own() -> None:
    rewards = torch.tensor([1.0, 10.0, 3.0, 10.0, 5.0, 7.0], dtype=torch.float64)
    groups = torch.tensor([7, 2, 7, 2, 7, 9])
    found = group_advantages(rewards, groups).tolist()
    deviation = math.sqrt(((1 - 3) ** 2 + 0 + (5 - 3) ** 2) / 3) + GROUP_EPSILON
    assert found == pytest.approx([-2 / deviation, 0.0, 0.0, 0.0, 2 / deviation, 0.0])


def test_decoupled_sources_count_alike_whatever_their_scale() -> None:
    groups = torch.tensor([0, 0, 0, 1, 1])
    one = torch.tensor([0.1, 0.2, 0.3, 0.1, 0.2], dtype=torch.float64)
    other = torch.tensor([-50.0, 0.0, 50.0, 40.0, -40.0], dtype=torch.float64)
    found = decoupled_advantages(torch.stack([one, other], dim=1), groups)
    scaled = decoupled_advantages(torch.stack([one, 100.0 * other], dim=1), groups)
    assert found.tolist() == pytest.approx(scaled.tolist(), abs=1e-2)
    assert found[2] > found[1] > found[0]
    assert abs(float(found[3] - found[4])) < 0.02  # in the second group the sources cancel out
    assert float(found.mean()) == pytest.approx(0.0, abs=1e-9)


def test_the_shares_of_a_reward_s_parts_in_the_advantages_add_up_to_one() -> None:
    rng = np.random.default_rng(2)
    model, extra, before = (torch.tensor(rng.normal(size=40)) for _ in range(3))
    rewards = model + 0.5 * extra
    shares = [share_beyond(part, rewards, before) for part in (model, 0.5 * extra, -before)]
    assert sum(shares) == pytest.approx(1.0)
    assert share_beyond(torch.zeros(40), rewards, before) == 0.0
    assert 0.0 < shares[1] < shares[0]


@pytest.mark.parametrize("dual_clip", [math.inf, 1.5])
def test_the_policy_loss_clips_only_where_that_lowers_the_gain(dual_clip: float) -> None:
    rng = np.random.default_rng(4)
    new, mask = padded(5, scale=0.8)
    old, _ = padded(6, scale=0.8)
    advantages = torch.where(mask, torch.tensor(rng.normal(size=mask.shape)), 1e3)
    found = clipped_policy_loss(new, old, advantages, mask, 0.2, dual_clip)
    total, clipped, bad_and_likelier, count = 0.0, 0, 0, 0
    for row, length in enumerate(LENGTHS):
        for t in range(length):
            ratio = math.exp(float(new[row, t]) - float(old[row, t]))
            gain = float(advantages[row, t])
            bounded = min(max(ratio, 0.8), 1.2)
            surrogate = min(ratio * gain, bounded * gain)
            dual = surrogate if gain >= 0.0 else max(surrogate, dual_clip * gain)
            total += -dual
            clipped += bounded * gain < ratio * gain or dual > surrogate
            bad_and_likelier += dual > surrogate
            count += 1
    assert clipped > bad_and_likelier
    assert bool(bad_and_likelier) == math.isfinite(dual_clip)
    assert float(found.loss) == pytest.approx(total / count)
    assert float(found.clipped) == pytest.approx(clipped / count)


def test_clipped_tokens_and_padding_get_no_gradient() -> None:
    new = torch.tensor([[0.5, 0.5, -0.5, -0.5, 0.1, 9.0, 9.0]], requires_grad=True)
    mask = torch.tensor([[True, True, True, True, True, True, False]])
    advantages = torch.tensor([[1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0]])
    found = clipped_policy_loss(new, torch.zeros(1, 7), advantages, mask, 0.2, 3.0)
    found.loss.backward()  # type: ignore[no-untyped-call]
    assert new.grad is not None
    # A raised ratio with a gain, and a lowered one with a loss, have had their step already; the last token of a bad
    # reply is so much likelier than it was that its step would drown the others'.
    assert [bool(g) for g in new.grad[0]] == [False, True, True, False, True, False, False]


def test_parts_of_a_minibatch_add_up_to_the_whole() -> None:
    new, mask = padded(7, scale=0.3)
    old, _ = padded(8, scale=0.3)
    advantages, _ = padded(9)
    tokens = int(mask.sum())
    whole = clipped_policy_loss(new, old, advantages, mask, 0.2, 3.0)
    for field in ("loss", "clipped", "log_ratio", "divergence"):
        parts = [
            getattr(
                clipped_policy_loss(
                    new[i : i + 2], old[i : i + 2], advantages[i : i + 2], mask[i : i + 2], 0.2, 3.0, tokens
                ),
                field,
            )
            for i in (0, 2)
        ]
        assert float(sum(parts)) == pytest.approx(float(getattr(whole, field)))
    squares = [(float(new[r, t]) - float(old[r, t])) ** 2 for r, n in enumerate(LENGTHS) for t in range(n)]
    assert float(value_loss(new, old, mask)) == pytest.approx(0.5 * sum(squares) / len(squares))
    assert float(token_mean(new, mask)) == pytest.approx(float(new[mask].mean()))


def test_divergence_estimates_agree_with_the_exact_kl_in_the_mean() -> None:
    rng = np.random.default_rng(10)
    now, start = (torch.log_softmax(torch.tensor(rng.normal(size=50)), dim=0) for _ in range(2))
    exact = float((now.exp() * (now - start)).sum())
    assert float((now.exp() * kl_k1(now, start)).sum()) == pytest.approx(exact)
    assert float((now.exp() * kl_k3(now, start)).sum()) == pytest.approx(exact)
    assert bool((kl_k3(now, start) >= 0).all())
