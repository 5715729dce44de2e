"""Text that the tiny base model is trained on: prompts of the agent with replies of every kind, good and bad.

Two sources. Negotiations with the rule-based manager, in which each reply is drawn from one of several policies or
habits, so that dialogues wander as they do with an unskilled agent. And sampled situations, in which the manager speaks
in bare words. Nothing is chosen for its quality: the base model is to speak the domain, not to negotiate well. But most
replies are true to their card. Each example ends with questions about the card, and in half of them hotel and
competitor have made-up names: a model of this size learns to look facts up only where it must, and nothing
else tells them. All of it is generated, and follows from the seed. Situations and phrases of the held-out preference
data are not in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from negotiation_env.engines.chat_model import ChatMessage
from negotiation_env.files import write_lines
from negotiation_env.game import world
from negotiation_env.game.lanes import FLOATS
from negotiation_env.game.scenario import TaskCard, scenario_of
from negotiation_env.game.state import unsettled
from negotiation_env.language.wording import say_day
from negotiation_env.play.prompts import prompt
from negotiation_env.play.protocols import AgentReply, AgentView, Policy, ReplyView, Unscored
from negotiation_env.play.registry import load_manager, load_policy
from negotiation_env.play.rollout import rollout
from negotiation_env.seeds import Stream
from negotiation_env.training.run_folder import sha256
from simulators.people.demonstrations import MANAGER
from simulators.people.preferences import draw_candidate
from simulators.people.situations import Situation, sample_situation

SCRIPTED = ("random", "heuristic", "sb3", "intent-driven", "intent-driven", "intent-driven")
"""Policies that a reply is drawn from; repeated entries are likelier."""
HABITS = 0.2
"""Share of replies that come from the candidate replies of the preference data, damage to their text included."""
RENAMED = 0.5
"""Share of examples in which made-up names stand for the hotel's and the competitor's."""
RECITED = 3
"""Questions about the card at an example's end."""
FROM_SITUATIONS = 0.15
"""Share of examples that come from sampled situations."""
TURNS_KEPT = 0.35
"""Share of a negotiation's turns that become examples: neighbours share most of their text."""
MAX_TURNS = 14
_WAVE = 64
_KIND, _TAKE = 1, 2
_ONSETS = (*"bcdfghjklmnprstvwz", "br", "dr", "gr", "st", "tr", "sh", "ch", "th")


class MixedPolicy:
    """Draws each reply from one of several policies or habits, by the view's seed, and keeps some as examples."""

    name = "mixed"

    def __init__(self) -> None:
        self._policies: list[Policy] = [load_policy(name) for name in SCRIPTED]
        self.examples: list[list[ChatMessage]] = []

    def reply(self, views: Sequence[AgentView]) -> list[AgentReply]:
        """Return one reply per view, in order."""
        return [self._one(view) for view in views]

    def _one(self, view: AgentView) -> AgentReply:
        luck = float(FLOATS.draw(view.seed, _KIND, 0))
        if luck < HABITS:
            situation = Situation(view.seed, view.card, view.game, tuple(view.agent_said), tuple(view.manager_said))
            rng = np.random.default_rng((Stream.CORPUS_REPLY, view.seed))
            reply = AgentReply(draw_candidate(situation, rng, held_out=False).view.text)
        else:
            place = int((luck - HABITS) / (1.0 - HABITS) * len(self._policies))
            reply = self._policies[place].reply([view])[0]
        if reply.text and FLOATS.draw(view.seed, _TAKE, 0) < TURNS_KEPT:
            self.examples.append(_example(view, reply.text, view.seed))
        return reply


def _example(view: AgentView | ReplyView, text: str, seed: int) -> list[ChatMessage]:
    rng = np.random.default_rng((Stream.CORPUS_NAMES, seed))
    chat = [*prompt(view), ChatMessage(role="assistant", content=text), *recital(view.card, unsettled(view.game), rng)]
    return renamed(chat, view.card, rng) if rng.random() < RENAMED else chat


def recital(card: TaskCard, open_tickets: Sequence[int], rng: np.random.Generator) -> list[ChatMessage]:
    """Return questions about what the card says and their answers, some of them in any order."""
    facts = card.facts
    promises = ", ".join(world.PROMISES[name] for name in card.promises) or "nothing"
    rooms = (card.tickets[k] for k in open_tickets)
    told = [
        ("Which house is it about?", f"About {card.hotel.name}."),
        ("What do we get?", f"You get {promises}."),
        ("Who is cheaper?", f"{facts.competitor_name} asks {facts.competitor_price}."),
        ("Why now?", f"Demand moves by {facts.demand:+d}% around {facts.event}."),
        ("What does it bring?", f"{facts.exposure}% more views and {facts.conversion}% more bookings."),
        *((f"When is the {t.room}?", f"From {say_day(t.check_in)} to {say_day(t.check_out)}.") for t in rooms),
    ]
    some = [told[int(i)] for i in rng.permutation(len(told))[:RECITED]]
    asked, answered = (" ".join(part) for part in zip(*some, strict=True))
    return [ChatMessage(role="user", content=asked), ChatMessage(role="assistant", content=answered)]


def renamed(chat: Sequence[ChatMessage], card: TaskCard, rng: np.random.Generator) -> list[ChatMessage]:
    """Return a chat with made-up names for the card's hotel and competitor, the same throughout."""
    # Two words are the name, the rest says what kind of house it is.
    true = [" ".join(name.split()[:2]) for name in (card.hotel.name, card.facts.competitor_name)]
    names = {name: f"{_made_up(rng)} {_made_up(rng)}" for name in true}
    found = re.compile("|".join(map(re.escape, names)))
    return [{**m, "content": found.sub(lambda match: names[match[0]], m["content"])} for m in chat]


def _made_up(rng: np.random.Generator) -> str:
    """Return a word of two or three syllables that stands in no list."""
    syllables = (str(rng.choice(_ONSETS)) + str(rng.choice([*"aeiou"])) for _ in range(2 + int(rng.integers(2))))
    return ("".join(syllables) + str(rng.choice([*"nrlsmtkx"])) * int(rng.integers(2))).capitalize()


def negotiated(seed: int) -> Iterator[list[ChatMessage]]:
    """Yield examples from negotiations with the rule-based manager, without end."""
    policy, manager, reward = MixedPolicy(), load_manager(MANAGER), Unscored()
    rng = np.random.default_rng((Stream.CORPUS_NEGOTIATION, seed))
    while True:
        scenarios = [scenario_of("base", int(s)) for s in rng.integers(1 << 62, size=_WAVE)]
        policy.examples = []
        rollout(policy, scenarios, manager=manager, reward=reward, max_turns=MAX_TURNS)
        order = rng.permutation(len(policy.examples))
        yield from (policy.examples[int(i)] for i in order)


def sampled(seed: int) -> Iterator[list[ChatMessage]]:
    """Yield examples from sampled situations, without end."""
    rng = np.random.default_rng((Stream.CORPUS_SITUATION, seed))
    while True:
        situation = sample_situation(int(rng.integers(1 << 39)))
        view = draw_candidate(situation, rng, held_out=False).view
        if view.text:
            yield _example(view, view.text, situation.seed)


def write_corpus(path: Path, examples: int, seed: int) -> str:
    """Write ``examples`` chats as JSON Lines of ``{"messages": [...]}``; return the file's SHA-256.

    The file appears whole or not at all; one that is there is replaced.
    """
    rng = np.random.default_rng((Stream.CORPUS_ORDER, seed))
    sources = (negotiated(seed), sampled(seed))
    write_lines(path, ({"messages": next(sources[int(rng.random() < FROM_SITUATIONS)])} for _ in range(examples)))
    return sha256(path)
