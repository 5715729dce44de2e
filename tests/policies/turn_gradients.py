"""The tiny base as a policy: its replies, and the gradient of a policy loss at each of a dialogue's tokens."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from negotiation_env.engines.specs import base_path


@cache
def tiny_model() -> Any:
    """The base of 2.5 million parameters that comes with the package."""
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(base_path("tiny"), dtype="float32")


def tiny_reply(prompt: Sequence[int], tokens: int) -> tuple[list[int], list[float]]:
    """Return the likeliest reply to a prompt, its end token included, with log-probabilities."""
    import torch

    model, ids = tiny_model(), list(prompt)
    logprobs = []
    for _ in range(tokens):
        with torch.no_grad():
            scores = model(torch.tensor([ids])).logits[0, -1].log_softmax(-1)
        ids.append(int(scores.argmax()))
        logprobs.append(float(scores.max()))
        if ids[-1] == model.config.eos_token_id:
            break
    return ids[len(prompt) :], logprobs


def policy_gradient(model: Any, ids: Sequence[int], advantages: Sequence[float], own: Sequence[bool]) -> list[float]:
    """Return the gradient of -mean(ratio * advantage) over the policy's own tokens at each token's log-probability."""
    import torch

    scores = model(torch.tensor([ids])).logits[0, :-1].log_softmax(-1)
    logprobs = scores.gather(1, torch.tensor(ids[1:])[:, None])[:, 0]
    logprobs.retain_grad()
    ratio = (logprobs - logprobs.detach()).exp()
    mask = torch.tensor(own[1:])
    loss = -(ratio * torch.tensor(advantages[1:]))[mask].sum() / mask.sum()
    torch.autograd.backward(loss)
    return [0.0, *logprobs.grad.tolist()]
