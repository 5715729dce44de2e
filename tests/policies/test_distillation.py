"""A policy's own dialogues, every sampled reply graded by the reward."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, count

import pytest

from negotiation_env.engines.chat_model import ChatReply, ChatRequest
from negotiation_env.errors import UsageError
from negotiation_env.play.protocols import AgentReply, AgentView, Policy, ReplyView, Reward, RewardBreakdown, Unscored
from negotiation_env.play.registry import load_manager, load_reader
from policies import adapters
from simulators.people.conversations import Conversation

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
        return [
            RewardBreakdown(self.values[reply.text], None, None, self.values[reply.text], None) for reply in replies
        ]


@pytest.mark.parametrize(
    ("values", "grades"),
    [((0.5, -1.0, 0.2), (5, 1, 3)), ((0.05, -1.0, 0.0), (3, 1, 3)), ((None, -1.0, 0.4), (None, 1, 5))],
)
def test_the_best_reply_of_a_state_is_told_from_the_others(
    values: tuple[float | None, ...], grades: tuple[int | None, ...]
) -> None:
    from policies.training.on_policy.samples import SamplingAgent

    reward = ByText(values)
    lines = _played(SamplingAgent(Scripted(), reward, 8, 3, 0.7, prompt="transcript"), reward)
    assert len(lines) == 3
    for line in lines:
        own = [place for place, message in enumerate(line.messages) if message["role"] == "assistant"]
        assert own and {line.messages[place]["content"] for place in own} == {TEXTS[0]}
        wanted = dict(zip(TEXTS, grades, strict=True))
        assert [line.grades[place] for place in own] == [wanted[TEXTS[0]]] * len(own)
        assert {(other.text, other.grade) for other in line.others} == {(text, wanted[text]) for text in TEXTS[1:]}


def test_of_a_scripted_policy_what_breaks_no_rule_is_learned() -> None:
    class Fixed:
        name = "fixed"

        def reply(self, views: Sequence[AgentView]) -> list[AgentReply]:
            return [AgentReply(TEXTS[int(view.game.turn) % 2]) for view in views]

    for line in _played(Fixed(), ByText((0.0, -0.2, None))):
        own = [(m["content"], g) for m, g in zip(line.messages, line.grades, strict=True) if m["role"] == "assistant"]
        assert own == [(TEXTS[i % 2], (4, 1)[i % 2]) for i in range(len(own))] and not line.others


def test_an_adapter_of_another_prompt_is_refused() -> None:
    from policies.training.distillation import sampling

    with pytest.raises(UsageError, match="transcript prompt, got one of 'compact'"):
        sampling(adapters.ARTIFACTS / "sft-tiny", Unscored(), 2)


def _played(policy: Policy, reward: Reward) -> list[Conversation]:
    from policies.training.distillation import distilled, distilled_scenarios

    scenarios, manager = distilled_scenarios(0, 3), load_manager("rules")
    return list(distilled(policy, scenarios, manager=manager, reward=reward, reader=load_reader("rules"), max_turns=4))


def test_rounds_play_other_scenarios() -> None:
    from policies.training.distillation import distilled_scenarios

    seeds = [{scenario.seed for scenario in distilled_scenarios(seed, 50)} for seed in (0, 1)]
    assert len(seeds[0] | seeds[1]) == 100
    with pytest.raises(UsageError, match="seed below 100"):
        distilled_scenarios(100, 1)


def test_replies_are_sampled_turn_by_turn_so_that_prompts_only_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    from policies.training import distillation

    class Noting(Scripted):
        """Keeps what each call asks."""

        asked: list[list[ChatRequest]]

        def generate(self, requests: Sequence[ChatRequest]) -> list[ChatReply]:
            self.asked.append(list(requests))
            return super().generate(requests)

    engine = Noting()
    engine.asked = []
    monkeypatch.setattr(distillation, "load_engine", lambda spec: engine)
    monkeypatch.setattr(distillation, "trained_with", lambda folder: ("transcript", 48))
    found = list(distillation.sampled_replies("adapter", "validation", 20, batch_size=3))
    assert len({line.where for line in found}) == len(found) == 20 == sum(map(len, engine.asked))
    assert len({request.seed for call in engine.asked for request in call}) == 20
    texts = {line.where: str(request.messages) for line, request in zip(found, chain(*engine.asked), strict=True)}
    later = 0
    for where, text in texts.items():
        dialogue, turn = where.split(":")
        before = texts.get(f"{dialogue}:{int(turn) - 1}")
        assert before is None or len(before) < len(text)
        later += before is not None
    assert later >= 10
