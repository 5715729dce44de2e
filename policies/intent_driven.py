"""The classical pipeline: detect the intent, look the reply up in a table, fill a template.

This is how such systems worked before language models, and the baseline of the A/B test. Intents,
rules and numbers are data (``intents.toml``). The pipeline is exact about prices, tickets and
confirmation; its known weakness is that every manager gets the same treatment, whatever convinces
or annoys this one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

from negotiation_env.acts import Act, DialogueAct
from negotiation_env.game import End, unsettled
from negotiation_env.protocols import AgentView
from policies.act_policy import ActPolicy
from policies.bargaining import bid, concession, next_reason, odd_quote, take, takeable, without_conflict
from policies.intent_rules import ANY, Bargaining, RuleBase, read_rule_base

RULES = Path(__file__).with_name("intents.toml")
MAX_INTENTS = 3
"""Most intents of one message that are answered; a message that means more is beyond the table."""

READ_CHARACTERS = 1000
"""Characters of a message that the detector reads; the acts cover all of it."""

Move = Callable[[AgentView, Bargaining], tuple[DialogueAct, ...]]


def detect_intents(rules: RuleBase, view: AgentView) -> tuple[str, ...]:
    """Return what the hotel's last message means, most urgent first; () before it has spoken."""
    if not view.manager_said:
        return ()
    text, acts = view.manager_said[-1]
    text = text[:READ_CHARACTERS].lower()
    if not text.strip():
        return ("silent",)
    return tuple(intent.name for intent in rules.intents if intent.shown_by(text, acts))


def slots_of(view: AgentView, numbers: Bargaining, max_turns: int) -> dict[str, bool]:
    """Return the facts of the negotiation that rules may ask for."""
    card, game = view.card, view.game
    left = unsettled(game)
    used = sum(1 for tactic in numbers.reasons if game.used[tactic])
    return {
        "nothing_open": not left,
        "takeable": any(takeable(game, k, card.tickets[k].target_price) for k in left),
        "cut_standing": any(takeable(game, k, card.tickets[k].selling_price - 1) for k in left),
        "odd_quote": any(odd_quote(game, k) for k in left),
        "stuck": _held(view) >= 2,
        "closing": int(game.turn) >= min(numbers.settle_from_turn, max_turns - 3),
        "reasoned_twice": used >= 2,
        "reasons_used_up": used >= len(numbers.reasons),
        "promise_left": _next_promise(view) is not None,
    }


def _held(view: AgentView) -> int:
    """Count the hotel's last messages in a row that moved no price."""
    count = 0
    for said in reversed(view.manager_said):
        kinds = {act.kind for act in said.acts}
        if Act.REJECT not in kinds or kinds & {Act.ACCEPT, Act.COUNTER, Act.PROPOSE}:
            break
        count += 1
    return count


def _next_promise(view: AgentView) -> str | None:
    made = {act.detail for said in view.agent_said for act in said.acts if act.kind is Act.PROMISE}
    return next((promise for promise in view.card.promises if promise not in made), None)


def _reason(view: AgentView, numbers: Bargaining) -> tuple[DialogueAct, ...]:
    return (next_reason(view.card, view.game, numbers.reasons),)


def _promise(view: AgentView, numbers: Bargaining) -> tuple[DialogueAct, ...]:
    promise = _next_promise(view)
    return () if promise is None else (DialogueAct(Act.PROMISE, detail=promise),)


def _bargain(view: AgentView, numbers: Bargaining) -> tuple[DialogueAct, ...]:
    """Take what reaches the goal; bid for every other open ticket, never back and never above the hotel's figure."""
    card, game = view.card, view.game
    share = (int(game.turn) - 2) / numbers.turns_to_goal
    acts = []
    for k in unsettled(game):
        if takeable(game, k, card.tickets[k].target_price):
            acts.append(take(game, k))
            continue
        figure = concession(card, k, numbers.anchor, share, numbers.power)
        acts.append(bid(game, k, max(figure, game.bid[k] if game.bid[k] <= game.quote[k] else 0.0)))
    return tuple(acts)


def _settle(view: AgentView, numbers: Bargaining) -> tuple[DialogueAct, ...]:
    """Take every standing cut; bid for the other open tickets."""
    card, game = view.card, view.game
    standing = [k for k in unsettled(game) if takeable(game, k, card.tickets[k].selling_price - 1)]
    taken = tuple(take(game, k) for k in standing)
    return taken + tuple(act for act in _bargain(view, numbers) if act.ticket not in standing)


def _thank(view: AgentView, numbers: Bargaining) -> tuple[DialogueAct, ...]:
    return (DialogueAct(Act.CLOSE, detail="bye"),)


MOVES: dict[str, Move] = {
    "greet": lambda view, numbers: (DialogueAct(Act.GREET),),
    "reason": _reason,
    "ask_price": lambda view, numbers: (DialogueAct(Act.ASK, detail="price"),),
    "soothe": lambda view, numbers: (DialogueAct(Act.SOOTHE),),
    "promise": _promise,
    "decline": lambda view, numbers: (DialogueAct(Act.REJECT),),
    "bargain": _bargain,
    "settle": _settle,
    "thank": _thank,
}
SLOTS = (
    "nothing_open",
    "takeable",
    "cut_standing",
    "odd_quote",
    "stuck",
    "closing",
    "reasoned_twice",
    "reasons_used_up",
    "promise_left",
)


@cache
def default_rules() -> RuleBase:
    """Return the rule base that comes with the project."""
    return read_rule_base(RULES, MOVES.keys(), SLOTS)


class IntentDrivenPolicy(ActPolicy):
    """Intent detection, then the rule table, then the agent's phrase book.

    Args:
        max_turns: turns (agent messages) after which the negotiation is cut off.
        rules: a rule base; default: the project's own.
    """

    name = "intent-driven"

    def __init__(self, max_turns: int = 20, rules: RuleBase | None = None) -> None:
        self.max_turns = max_turns
        self.rules = rules or default_rules()

    def moves(self, view: AgentView) -> tuple[str, ...]:
        """Return the names of the moves that the table holds for a view."""
        numbers = self.rules.bargaining
        slots = slots_of(view, numbers, self.max_turns)
        moves: dict[str, None] = {}
        for intent in (*detect_intents(self.rules, view)[:MAX_INTENTS], ANY):
            rule = self.rules.first(intent, view.stage, slots)
            if rule is None:
                continue
            moves.update(dict.fromkeys(rule.say))
            if rule.final:
                break
        return tuple(moves)

    def choose(self, view: AgentView) -> tuple[DialogueAct, ...]:
        """Return the acts of the next message."""
        if view.game.end != End.OPEN:
            return _thank(view, self.rules.bargaining)
        acts = [act for move in self.moves(view) for act in MOVES[move](view, self.rules.bargaining)]
        return without_conflict(tuple(acts)) or _bargain(view, self.rules.bargaining)
