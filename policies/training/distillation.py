"""Data to learn from in a policy's own states, or of another's: ``negotiate data distil``.

A policy that has learned from other people's dialogues soon stands in states that they do not show. Here it plays
itself, several replies are sampled in each state it comes to, and the reward grades them; SFT on the best of them from
where the policy is is one round of on-policy distillation, best of n: DAgger (Ross et al. 2011, arXiv 1011.0686) with
the reward in the expert's place. DPO learns from the same file. Of a policy that is not sampled from, a scripted one
say, the replies that break no rule are learned: plain, and right in figures and procedure, which a small model hardly
learns from people's dialogues alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np

from negotiation_env.engines import load_engine
from negotiation_env.engines.chat_model import ChatRequest, RolloutEngine
from negotiation_env.errors import UsageError
from negotiation_env.game.lanes import FLOATS
from negotiation_env.game.scenario import Scenario, sample_scenario
from negotiation_env.language.reading import Reader
from negotiation_env.play.agent_prompts import PROMPTS
from negotiation_env.play.protocols import AgentReply, Manager, Policy, Reward, RewardBreakdown, Utterance
from negotiation_env.play.records import Episode, TurnRecord
from negotiation_env.play.registry import reader_for
from negotiation_env.play.rollout import rollout
from negotiation_env.play.transcript_prompt import transcript
from negotiation_env.seeds import POLICY_LABEL, SCENARIOS, Stream
from policies.adapters import TEMPERATURE, trained_with
from policies.chat import spoken_part
from policies.training.on_policy.samples import SamplingAgent
from simulators.people.conversations import Conversation, OtherReply, is_english
from simulators.people.graded_replies import graded_turns
from simulators.people.training_files import TRAIN
from simulators.people.written_dialogues import written_dialogues
from simulators.people.written_pairs import SampledReply

BEST, GOOD, FAIR, POOR = 5, 4, 3, 1
PER_ROUND: Final = 100_000
"""Scenarios of a seed."""
LEAST: Final = 0.1
"""R_total from which the best reply of a state is worth imitating; an ordinary reply has 0."""


def distilled_scenarios(seed: int, count: int) -> list[Scenario]:
    """Return the scenarios of a round of distillation; those of other seeds are others."""
    seeds = SCENARIOS["distilled data"][seed * PER_ROUND : (seed + 1) * PER_ROUND][:count]
    if len(seeds) < count:
        raise UsageError(f"expected at most {PER_ROUND} dialogues and a seed below 100, got {count} and {seed}")
    return [sample_scenario(found) for found in seeds]


def sampling(folder: str | Path, reward: Reward, samples: int) -> SamplingAgent:
    """Return a trained policy as an agent that samples several replies in each state.

    Args:
        folder: an adapter that was trained with the transcript prompt.
        reward: grades the replies.
        samples: replies in each state; the first goes on with the dialogue.

    Raises:
        UsageError: on an adapter of another prompt.
    """
    found = Path(folder)
    prompt, most = trained_with(found)
    if prompt != "transcript":
        raise UsageError(f"{found}: expected an adapter of the transcript prompt, got one of {prompt!r}")
    engine = load_engine(f"hf:{found}")
    if not isinstance(engine, RolloutEngine):
        raise UsageError(f"{found}: expected an engine that tells its tokens, got {engine.spec}")
    return SamplingAgent(engine, reward, most, samples, TEMPERATURE, reader=reader_for(None), prompt=prompt)


def distilled(
    policy: Policy,
    scenarios: Sequence[Scenario],
    *,
    manager: Manager,
    reward: Reward,
    reader: Reader,
    max_turns: int,
    batch_size: int = 64,
) -> Iterator[Conversation]:
    """Play scenarios and yield the dialogues with every reply graded by the reward.

    Args:
        policy: the agent. Of a ``SamplingAgent``, which has to see the transcript prompt, all sampled replies are
            graded: the best of a state 5 where its R_total is ``LEAST`` or more, others 3 where it is 0 or more, else
            1. Of another, a reply that breaks no rule (E_func of 0 or more) is graded 4, else 1.
        scenarios: what to play, once each.
        manager: the hotel's side.
        reward: grades the replies.
        reader: understands the replies.
        max_turns: most turns of a dialogue.
        batch_size: dialogues in play at a time.
    """
    for start in range(0, len(scenarios), batch_size):
        some = scenarios[start : start + batch_size]
        if isinstance(policy, SamplingAgent):
            policy.states.clear()
        played = rollout(
            policy, some, manager=manager, reward=reward, reader=reader, max_turns=max_turns, batch_size=batch_size
        )
        for scenario, episode in zip(some, played, strict=True):
            if not episode.turns:
                continue
            graded = [_alone(turn) for turn in episode.turns]
            if isinstance(policy, SamplingAgent):
                seeds = [FLOATS.fork(episode.seed, POLICY_LABEL + place) for place in range(len(episode.turns))]
                graded = [
                    _best(turn, policy.states[seed].others) for turn, seed in zip(episode.turns, seeds, strict=True)
                ]
            yield _conversation(scenario, episode, graded)


def sampled_replies(
    folder: str | Path, split: str, count: int, seed: int = 0, batch_size: int = 24
) -> Iterator[SampledReply]:
    """Yield what a trained policy says in turns of written dialogues, as it is played: rejected replies to learn from.

    Args:
        folder: an adapter that was trained with the transcript prompt.
        split: whose authors' dialogues, English ones.
        count: replies, each in another turn; fewer where there are not so many.
        seed: which dialogues, and the draws.
        batch_size: dialogues side by side: turn by turn, so that the engine keeps what they begin with.
    """
    prompt, most = trained_with(Path(folder))
    dialogues = [dialogue for dialogue in written_dialogues(split) if is_english(dialogue)]
    order = np.random.default_rng((Stream.SAMPLED_REPLY, seed)).permutation(len(dialogues))
    engine = load_engine(f"hf:{folder}")
    made = 0
    for start in range(0, len(order), batch_size):
        side_by_side = [list(graded_turns(dialogues[i])) for i in order[start : start + batch_size]]
        for turns in zip_longest(*side_by_side):
            some = [turn for turn in turns if turn is not None][: count - made]
            requests = [
                ChatRequest(
                    PROMPTS[prompt].write(turn.replies[0].view),
                    seed=seed + made + i,
                    max_tokens=most,
                    temperature=TEMPERATURE,
                    stop=("\n",),
                )
                for i, turn in enumerate(some)
            ]
            for turn, reply in zip(some, engine.generate(requests) if some else (), strict=True):
                if reply.fault is None and reply.text.strip():
                    yield SampledReply(where=turn.where, text=spoken_part(reply.text))
            made += len(some)
        if made >= count:
            return


Graded: TypeAlias = dict[str, int]
"""A state's replies with their grades; one that was not scored has none."""


def _alone(turn: TurnRecord) -> Graded:
    points = turn.reward.rules
    return {} if points is None or not turn.text.strip() else {turn.text: GOOD if points >= 0.0 else POOR}


def _best(turn: TurnRecord, others: Sequence[tuple[AgentReply, RewardBreakdown | None]]) -> Graded:
    sampled = {reply.text: scored.total for reply, scored in others if scored is not None}
    found = {turn.text: turn.reward.total} | sampled
    known = {text: total for text, total in found.items() if total is not None and text.strip()}
    best = max(known.values(), default=0.0)
    return {text: BEST if total == best >= LEAST else FAIR if total >= 0.0 else POOR for text, total in known.items()}


def _conversation(scenario: Scenario, episode: Episode, graded: Sequence[Graded]) -> Conversation:
    answers = [Utterance(turn.answer, turn.answer_acts) for turn in episode.turns]
    chat = transcript(scenario.card, [turn.text for turn in episode.turns], answers[:-1])
    places = [place for place, message in enumerate(chat) if message["role"] == "assistant"]
    grades: list[int | None] = [None] * len(chat)
    others = []
    for place, turn, found in zip(places, episode.turns, graded, strict=True):
        grades[place] = found.get(turn.text)
        others += [OtherReply(place, text, grade) for text, grade in found.items() if text != turn.text]
    return Conversation(chat, tuple(grades), tuple(others), "distilled", scenario.id, TRAIN)
