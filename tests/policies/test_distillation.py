"""A policy's own dialogues, every sampled reply graded by the reward."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

import pytest

from negotiation_env.engines.chat_model import ChatReply, ChatRequest
from negotiation_env.errors import UsageError
from negotiation_env.play.protocols import ReplyView, RewardBreakdown, Unscored
from negotiation_env.play.registry import load_manager, load_reader

pytest.importorskip("torch")
pytest.importorskip("peft")

TEXTS = ("Hello, I am from the platform.", "Your rate is a joke.", "Could you tell me your rate?")


class Scripted:
    """Says one text after another; the token of a text is its place."""

    spec = "scripted"

    def __init__(self) -> None:
        self.places = count()

    def renew(self) -> None: ...

    def generate(self, requests: Sequence[ChatRequest]) -> list[ChatReply]:
        return [reply for reply, _ in self.generate_from_prompts(requests)]

    def generate_from_prompts(self, requests: Sequence[ChatRequest]) -> list[tuple[ChatReply, tuple[int, ...]]]:
        found: list[tuple[ChatReply, tuple[int, ...]]] = []
        for _ in requests:
            place = next(self.places) % len(TEXTS)
            found.append((ChatReply(TEXTS[place], token_ids=(place,), logprobs=(0.0,)), (1, 2)))
        return found


class ByText(Unscored):
    """Values each text as it is told to."""

    def __init__(self, values: Sequence[float | None]) -> None:
        self.values = dict(zip(TEXTS, values, strict=True))

    def score(self, replies: Sequence[ReplyView]) -> list[RewardBreakdown]:
        return [RewardBreakdown(self.values[reply.text], None, None, None, None) for reply in replies]


@pytest.mark.parametrize(
    ("values", "grades"),
    [((0.5, -1.0, 0.2), (5, 1, 3)), ((0.05, -1.0, 0.0), (3, 1, 3)), ((None, -1.0, 0.4), (None, 1, 5))],
)
def test_the_best_reply_of_a_state_is_told_from_the_others(
    values: tuple[float | None, ...], grades: tuple[int | None, ...]
) -> None:
    from policies.training.distillation import distilled, distilled_scenarios

    lines = list(
        distilled(
            Scripted(),
            distilled_scenarios(0, 3),
            manager=load_manager("rules"),
            reward=ByText(values),
            reader=load_reader("rules"),
            samples=3,
            max_tokens=8,
            max_turns=4,
            temperature=0.7,
        )
    )
    assert len(lines) == 3
    for line in lines:
        own = [place for place, message in enumerate(line.messages) if message["role"] == "assistant"]
        assert own and {line.messages[place]["content"] for place in own} == {TEXTS[0]}
        wanted = dict(zip(TEXTS, grades, strict=True))
        assert [line.grades[place] for place in own] == [wanted[TEXTS[0]]] * len(own)
        assert {(other.text, other.grade) for other in line.others} == {(text, wanted[text]) for text in TEXTS[1:]}


def test_rounds_play_other_scenarios() -> None:
    from policies.training.distillation import distilled_scenarios

    seeds = [{scenario.seed for scenario in distilled_scenarios(seed, 50)} for seed in (0, 1)]
    assert len(seeds[0] | seeds[1]) == 100
    with pytest.raises(UsageError, match="seed below 100"):
        distilled_scenarios(100, 1)
