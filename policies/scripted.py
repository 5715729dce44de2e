"""Two policies that need no training: random legal acts, and an honest rule of thumb.

They are the floor and the first rung of every comparison. Both choose dialogue acts from the public
state alone and leave the words to the agent's phrase book.
"""

from __future__ import annotations

from negotiation_env.errors import UsageError
from negotiation_env.game.acts import Act, DialogueAct, Tactic
from negotiation_env.game.lanes import FLOATS
from negotiation_env.game.state import unsettled
from negotiation_env.play.protocols import AgentView
from policies.bargaining import ActPolicy, bid, concession, next_reason, reason, take, takeable, without_conflict

REASON_ORDER = (Tactic.EXPOSURE, Tactic.CONVERSION, Tactic.CALENDAR, Tactic.COMPETITOR, Tactic.FIT, Tactic.PARTNERSHIP)
"""The one order in which the heuristic gives its reasons, whoever it talks to."""


class RandomPolicy(ActPolicy):
    """Says one or two random legal acts: true figures, allowed promises, open tickets.

    It takes part in the game without playing it: bids lie anywhere from 20 % below the target to
    the current selling price, and it takes whatever the hotel has committed to when the draw says
    so.
    """

    name = "random"

    def choose(self, view: AgentView) -> tuple[DialogueAct, ...]:
        """Return one or two random legal acts."""
        count = 1 + int(FLOATS.draw(view.seed, 0, 0) * 2)
        acts = [self._draw(view, turn) for turn in range(1, count + 1)]
        # Two acts of a kind, or two figures for one ticket, read as one: keep the first.
        if count == 2:
            first, second = acts
            same_ticket = first.ticket is not None and first.ticket == second.ticket
            acts = [first] if first.kind is second.kind or same_ticket else acts
        return without_conflict(tuple(acts))

    @staticmethod
    def _draw(view: AgentView, turn: int) -> DialogueAct:
        def pick(channel: int, size: int) -> int:
            return int(FLOATS.draw(view.seed, turn, channel) * size)

        card, game = view.card, view.game
        tickets = unsettled(game) or [0]
        ticket = tickets[pick(1, len(tickets))]
        options = ["greet", "inform", "inform", "ask", "bid", "bid", "soothe", "reject"]
        if card.promises:
            options.append("promise")
        if game.quoted[ticket]:
            options.append("take")
        asked = card.tickets[ticket]
        low = 0.8 * asked.target_price
        acts = {
            "greet": DialogueAct(Act.GREET),
            "inform": reason(card, REASON_ORDER[pick(2, len(REASON_ORDER))]),
            "ask": DialogueAct(Act.ASK, detail="price"),
            "bid": bid(game, ticket, round(low + (asked.selling_price - low) * FLOATS.draw(view.seed, turn, 3))),
            "soothe": DialogueAct(Act.SOOTHE),
            "reject": DialogueAct(Act.REJECT),
            "promise": DialogueAct(Act.PROMISE, detail=(card.promises or ("",))[pick(4, len(card.promises))]),
            "take": take(game, ticket),
        }
        return acts[options[pick(0, len(options))]]


class HeuristicPolicy(ActPolicy):
    """Greet with one reason, ask, concede evenly from below the target up to it, take what fits.

    Reasons come in one fixed order. Near the turn limit it takes any standing cut. It treats every
    ticket alike and every manager alike.

    Args:
        max_turns: turns (agent messages) after which the negotiation is cut off, at least 4.
        anchor: depth of the first bid in wanted cuts (1 is the target).

    Raises:
        UsageError: on a value out of range.
    """

    name = "heuristic"

    def __init__(self, max_turns: int = 20, anchor: float = 1.3) -> None:
        if max_turns < 4:
            raise UsageError(f"expected max_turns of at least 4, got {max_turns}: give it room to bargain")
        if not 1.0 <= anchor <= 2.0:
            raise UsageError(f"expected an anchor from 1 to 2 wanted cuts, got {anchor}")
        self.max_turns = max_turns
        self.anchor = anchor

    def choose(self, view: AgentView) -> tuple[DialogueAct, ...]:
        """Return the next acts: at most one reason, and a figure for every open ticket."""
        card, game = view.card, view.game
        turn = int(game.turn)
        if not game.greeted:
            return (DialogueAct(Act.GREET), next_reason(card, game, REASON_ORDER))
        acts: list[DialogueAct] = []
        if game.upset:
            acts.append(DialogueAct(Act.SOOTHE))
        if game.wants_reason or game.silent_streak:
            acts.append(next_reason(card, game, REASON_ORDER))
        if not game.asked:
            return (*acts, DialogueAct(Act.ASK, detail="price"))
        # The last three turns are for taking what there is.
        late = turn >= self.max_turns - 3
        share = (turn - 2) / max(self.max_turns - 6, 1)
        for ticket in unsettled(game):
            asked = card.tickets[ticket]
            limit = asked.selling_price - 1 if late else asked.target_price
            if takeable(game, ticket, limit):
                acts.append(take(game, ticket))
            else:
                acts.append(bid(game, ticket, concession(card, ticket, self.anchor, share, 1.0)))
        return tuple(acts)
