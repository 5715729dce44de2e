"""Data to learn from in a policy's own states: ``negotiate data distil``.

A policy that has learned from other people's dialogues soon stands in states that they do not show. Here it plays
itself, several replies are sampled in each state it comes to, and the reward grades them; SFT on the best of them from
where the policy is (``negotiate train sft --data FILE --init ADAPTER``) is one round of on-policy distillation, best of
n: DAgger (Ross et al. 2011, arXiv 1011.0686) with the reward in the expert's place. DPO learns from the same file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from negotiation_env.engines.chat_model import RolloutEngine
from negotiation_env.errors import UsageError
from negotiation_env.game.lanes import FLOATS
from negotiation_env.game.scenario import Scenario, sample_scenario
from negotiation_env.language.reading import Reader
from negotiation_env.play.protocols import AgentReply, Manager, Reward, RewardBreakdown, Utterance
from negotiation_env.play.records import Episode
from negotiation_env.play.rollout import rollout
from negotiation_env.play.transcript_prompt import transcript
from negotiation_env.seeds import POLICY_LABEL, SCENARIOS
from policies.training.on_policy.samples import SamplingAgent
from simulators.people.conversations import Conversation, OtherReply
from simulators.people.training_files import TRAIN

BEST, FAIR, POOR = 5, 3, 1
_PER_ROUND: Final = 100_000
LEAST: Final = 0.1
"""R_total from which the best reply of a state is worth imitating; an ordinary reply has 0."""


def distilled_scenarios(seed: int, count: int) -> list[Scenario]:
    """Return the scenarios of a round of distillation; those of other seeds are others."""
    seeds = SCENARIOS["distilled data"][seed * _PER_ROUND : (seed + 1) * _PER_ROUND][:count]
    if len(seeds) < count:
        raise UsageError(f"expected at most {_PER_ROUND} dialogues and a seed below 100, got {count} and {seed}")
    return [sample_scenario(found) for found in seeds]


def distilled(
    engine: RolloutEngine,
    scenarios: Sequence[Scenario],
    *,
    manager: Manager,
    reward: Reward,
    reader: Reader,
    samples: int,
    max_tokens: int,
    max_turns: int,
    temperature: float,
    batch_size: int = 64,
) -> Iterator[Conversation]:
    """Play scenarios with a policy of the transcript prompt, and yield the dialogues with every sampled reply graded.

    Args:
        engine: the policy.
        scenarios: what to play, once each.
        manager: the hotel's side.
        reward: grades the replies: the best of a state is graded 5 where it has ``LEAST`` at least, others 3 where they
            have 0 or more, else 1.
        reader: understands the replies.
        samples: replies in each state, at least 2; the first goes on with the dialogue.
        max_tokens: most of a reply.
        max_turns: most of a dialogue.
        temperature: of sampling.
        batch_size: dialogues in play at a time.
    """
    agent = SamplingAgent(engine, reward, max_tokens, samples, temperature, reader=reader, prompt="transcript")
    for start in range(0, len(scenarios), batch_size):
        some = scenarios[start : start + batch_size]
        agent.states.clear()
        played = rollout(
            agent, some, manager=manager, reward=reward, reader=reader, max_turns=max_turns, batch_size=batch_size
        )
        for scenario, episode in zip(some, played, strict=True):
            others = [
                agent.states[FLOATS.fork(episode.seed, POLICY_LABEL + turn)].others
                for turn in range(len(episode.turns))
            ]
            if episode.turns:
                yield _graded(scenario, episode, others)


def _graded(
    scenario: Scenario, episode: Episode, others: Sequence[Sequence[tuple[AgentReply, RewardBreakdown | None]]]
) -> Conversation:
    """Return an episode as a conversation; ``others``: what else was sampled at each turn."""
    answers = [Utterance(turn.answer, turn.answer_acts) for turn in episode.turns]
    chat = transcript(scenario.card, [turn.text for turn in episode.turns], answers[:-1])
    places = [place for place, message in enumerate(chat) if message["role"] == "assistant"]
    grades: list[int | None] = [None] * len(chat)
    rest = []
    for place, turn, sampled in zip(places, episode.turns, others, strict=True):
        found = {reply.text: scored.total for reply, scored in sampled if scored is not None}
        found = {turn.text: turn.reward.total} | found
        known = {text: total for text, total in found.items() if total is not None and text.strip()}
        best = max(known.values(), default=0.0)
        for text, total in known.items():
            grade = BEST if total == best >= LEAST else FAIR if total >= 0.0 else POOR
            if text == turn.text:
                grades[place] = grade
            else:
                rest.append(OtherReply(place, text, grade))
    return Conversation(chat, tuple(grades), tuple(rest), "distilled", scenario.id, TRAIN)
