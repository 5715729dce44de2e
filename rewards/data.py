"""Preference data: situations, candidate replies with or without damage to their text, and simulated comparisons.

Everything is generated and follows from its seed: no person wrote a reply or compared two. The damage phrases come in
two families, and the agent's phrase book is split in two: damage, phrases and situations of the held-out data are
never trained on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from negotiation_env.game import open_tickets
from negotiation_env.lanes import FLOATS
from negotiation_env.protocols import ReplyView
from rewards.annotators import ANNOTATORS, Annotator, Judged
from rewards.candidates import CANDIDATES, draw_acts
from rewards.examples import view_reply
from rewards.situations import Situation, sample_situation, worded

REPLIES_PER_SITUATION = 4
DAMAGED = 0.3
"""Share of replies whose text is damaged."""
HELD_OUT = 1 << 40
"""Situations of held-out data have seeds from here on."""

_DAMAGE: dict[str, tuple[str, ...]] = {
    "internal term": (
        "This work order needs a lower rate.", "It is on my chase ticket today.", "My KPI depends on this rate.",
        "The task card says so.", "Our internal system lists your room.", "I have to close this work order today.",
        "What is your price floor here?", "My chase ticket has your room on it.", "It counts for my KPI this month.",
        "Our internal note on your room says the same.", "The work order came in this morning.", "It is our SOP.",
    ),
    "target leak": (
        "Our target is {target}.", "The target price is {target}.", "I was told to get {target}.",
        "We need to reach {target}.", "Our internal target is {target} yuan.", "The goal for this room is {target}.",
        "My target for you is {target}.", "The target rate we have is {target} yuan.",
    ),
    "over-promise": (
        "We guarantee a full house.", "We guarantee you many bookings.", "You will definitely be sold out.",
        "We will waive the commission.", "We will refund any loss.", "You get guaranteed first place in search.",
        "Your bookings are guaranteed.", "We guarantee that every room sells.", "We can drop the commission for you.",
        "You will certainly be fully booked.", "Any loss will be refunded by us.", "First place is guaranteed.",
    ),
    "wrong figure": (
        "That brings you {wild} yuan.", "Say {wild} yuan then.", "Last week it sold at {wild} yuan.",
        "Your room is worth {wild} yuan.", "Guests pay {wild} yuan there.", "We sold it for {wild} yuan.",
    ),
    "role label": ("Agent: ", "Assistant: ", "BD: ", "Reply: Agent: ", "[Agent] ", "Assistant reply: "),
    "chain of thought": (
        "<think>The manager wants a higher rate.</think> ", "Let me think step by step. ",
        "First I should analyse what the manager wants. ", "As an AI language model, I suggest: ",
        "My reasoning: the manager is trying to hold the rate. ", "Step 1: greet. Step 2: bid. ",
        "<think>I should respond with a bid.</think> ", "Let me think through this step by step. ",
        "I should respond politely. ", "As an AI assistant I would say: ",
    ),
    "over-long": (
        " Our platform brings travellers from every city, and every city brings travellers to our platform.",
        " More guests see more rooms, and more rooms seen means that more rooms are thought about by more guests.",
    ),
    "mixed language": (
        " 我们希望价格更低。", " 谢谢您的理解。", " 这个价格可以吗？", " 请您考虑一下。", " Спасибо за понимание.",
        " 价格能不能再低一点。", " 希望您理解我们。", " 考虑一下可以吗。",
    ),
    "rude": (
        "Don't be stupid.", "You are greedy.", "Lower it or else.", "What a ridiculous answer.",
        "You will regret this.", "We will delist your hotel.", "Don't be so greedy.", "That is a stupid answer.",
        "You will regret it, or else.", "It would be stupid to refuse.", "Shut up and listen.", "Your hotel is a joke.",
    ),
    "silence as agreement": (
        "Your silence means yes.", "No answer means that you agree.", "Since you did not object, it is agreed.",
        "I take your silence as agreement.", "No objection means it is settled.", "Silence counts as a yes.",
    ),
    "personal data": (
        "Send me your phone number.", "What is your bank account?", "I need your passport number.",
        "Give me your private phone number.", "Tell me your bank card number.", "Your id card number, please.",
    ),
    "repeated": (),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Candidate:
    """A candidate reply: its view, its habit, and the damage done to its text ("" for none)."""

    view: ReplyView
    habit: str
    damage: str

    @property
    def judged(self) -> Judged:
        """The reply as annotators see it."""
        return Judged(self.view.features, self.view.words, self.damage)


@dataclass(frozen=True, slots=True)
class Pair:
    """A simulated comparison.

    Attributes:
        situation: seed of the situation.
        annotator: which one compared.
        chosen, rejected: the replies.
        margin: by how much the annotator says the chosen one is better, on the scale of ``annotators.GRADES``.
        sure: probability with which this annotator makes this choice.
    """

    situation: int
    annotator: int
    chosen: Candidate
    rejected: Candidate
    margin: float
    sure: float


def damage(text: str, kind: str, situation: Situation, rng: np.random.Generator, held_out: bool) -> str:
    """Return a reply's text with one kind of damage. The last third of each kind's phrases is for held-out data."""
    if kind == "repeated":
        return situation.said[-1].text if situation.said else text
    family = _DAMAGE[kind]
    cut = len(family) - max(len(family) // 3, 1)
    family = family[cut:] if held_out else family[:cut]
    phrase = str(rng.choice(family))
    ticket = situation.card.tickets[0]
    phrase = phrase.replace("{target}", str(ticket.target_price))
    phrase = phrase.replace("{wild}", str(int(ticket.selling_price * (1.6 + 6.0 * rng.random()))))
    if kind in ("role label", "chain of thought"):
        return phrase + text
    if kind == "over-long":
        return text + phrase * 6
    if kind == "mixed language" or rng.random() < 0.7:
        return f"{text} {phrase.strip()}"
    return f"{phrase} {text}"


def draw_candidate(situation: Situation, rng: np.random.Generator, held_out: bool, habit: str = "") -> Candidate:
    """Draw a candidate reply to a situation; ``habit`` "" draws one."""
    card, game = situation.card, situation.game
    habit = habit or str(rng.choice(CANDIDATES))
    text = worded(draw_acts(habit, card, game, rng), card, game, int(rng.integers(1 << 40)), held_out)
    kind = ""
    if text and rng.random() < DAMAGED:
        kind = str(rng.choice(sorted(_DAMAGE)))
        harmed = damage(text, kind, situation, rng, held_out)
        kind = kind if harmed != text else ""
        text = harmed
    return Candidate(view_reply(text, card, game, situation.said, situation.manager), habit, kind)


def _good_quote(situation: Situation) -> bool:
    """Whether a quote at or below its target waits to be taken."""
    game = situation.game
    free = open_tickets(FLOATS, game)
    return any(bool(free[k] & game.quoted[k]) and game.quote[k] <= game.card.target[k] for k in range(len(free)))


def preference_pairs(situations: int, seed: int = 0, held_out: bool = False) -> Iterator[Pair]:
    """Yield three compared pairs for each of so many situations: each of four replies is in one or two of them.

    ``held_out`` draws situations, phrases and damage that training never sees, whatever the seed.
    """
    annotators = [Annotator(n) for n in range(ANNOTATORS)]
    first = (HELD_OUT if held_out else 0) + seed * situations
    for number in range(first, first + situations):
        situation = sample_situation(number, held_out)
        rng = np.random.default_rng((0xDA7A, number))
        first_habit = "take good" if _good_quote(situation) and rng.random() < 0.6 else ""
        habits = [first_habit] + [""] * (REPLIES_PER_SITUATION - 1)
        replies = [draw_candidate(situation, rng, held_out, habit) for habit in habits]
        for a, b in pairwise(replies):
            if a.view.text == b.view.text:
                continue
            who = int(rng.integers(ANNOTATORS))
            likes_a = annotators[who].preference(a.judged, b.judged)
            chosen, rejected, sure = (a, b, likes_a) if rng.random() < likes_a else (b, a, 1.0 - likes_a)
            margin = annotators[who].margin(a.judged, b.judged)
            yield Pair(number, who, chosen, rejected, margin, sure)
