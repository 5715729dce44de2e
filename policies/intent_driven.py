"""The classical pipeline: detect the intent, look the reply up in a table (``intents.toml``), fill a template."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from negotiation_env.errors import did_you_mean
from negotiation_env.files import Many, Table, Text, known, named, read_toml
from negotiation_env.game.acts import Act, DialogueAct, Tactic
from negotiation_env.game.state import End, Stage, unsettled
from negotiation_env.play.protocols import AgentView
from policies.bargaining import ActPolicy, bid, concession, next_reason, odd_quote, take, takeable, without_conflict

ANY = "any"


class Bargaining(Table):
    """The numbers of the rule base; see the file for their meaning."""

    anchor: Annotated[float, Field(ge=1.0, le=2.0)]
    turns_to_goal: Annotated[int, Field(ge=1, le=100)]
    power: Annotated[float, Field(ge=0.05, le=20.0)]
    settle_from_turn: Annotated[int, Field(ge=1, le=200)]
    reasons: Many[
        Annotated[
            Tactic,
            named({t.name.lower(): t for t in Tactic if t not in (Tactic.NONE, Tactic.PRESSURE)}, "an honest tactic"),
        ]
    ]


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
    "nothing_open", "takeable", "cut_standing", "odd_quote", "stuck", "closing", "reasoned_twice", "reasons_used_up",
    "promise_left",
)  # fmt: skip


_ACTS = {act.name.lower(): act for act in Act}
_STAGES = {stage.name.lower(): stage for stage in Stage}


def _read_act(text: object) -> tuple[object, str]:
    """Return the kind, still as a name, and the detail of an act; an empty detail stands for every detail."""
    kind, _, detail = str(text).partition(":")
    return kind, detail


def _read_condition(text: object) -> tuple[str, bool]:
    return str(text).removeprefix("!"), not str(text).startswith("!")


class Intent(Table):
    """One thing that a message may mean, and what shows it."""

    name: Text
    acts: Annotated[
        frozenset[Annotated[tuple[Annotated[Act, named(_ACTS, "a kind of act")], str], BeforeValidator(_read_act)]],
        Field(strict=False),
    ] = frozenset()
    """Kind and detail of telling acts."""
    patterns: Many[re.Pattern[str]] = ()

    def shown_by(self, text: str, acts: Iterable[DialogueAct]) -> bool:
        """Return whether a message (lower-cased text and its acts) shows this intent."""
        if any((act.kind, "") in self.acts or (act.kind, act.detail) in self.acts for act in acts):
            return True
        return any(pattern.search(text) for pattern in self.patterns)


class IntentRule(Table):
    """What to say to an intent, in some stages, if some slots are (not) true."""

    intent: str
    stages: Annotated[frozenset[Annotated[Stage, named(_STAGES, "a stage")]], Field(strict=False, alias="stage")] = (
        frozenset(Stage)
    )
    when: Many[Annotated[tuple[Annotated[str, known(SLOTS, "a slot")], bool], BeforeValidator(_read_condition)]] = ()
    say: Many[Annotated[str, known(MOVES, "a move")]]
    final: bool = False

    def fits(self, stage: Stage, slots: dict[str, bool]) -> bool:
        """Return whether the rule applies."""
        return stage in self.stages and all(slots[slot] is value for slot, value in self.when)


class RuleBase(Table):
    """Everything that the file says."""

    format: Literal[1]
    intents: Many[Intent]
    rules: Many[IntentRule]
    bargaining: Bargaining

    @model_validator(mode="after")
    def _names_fit(self) -> RuleBase:
        names = [intent.name for intent in self.intents]
        if len({ANY, *names}) != len(names) + 1:
            raise ValueError(f"intents: expected different names other than {ANY!r}, got {names}")
        for number, rule in enumerate(self.rules, 1):
            if rule.intent not in (ANY, *names):
                hint = did_you_mean(rule.intent, (ANY, *names))
                raise ValueError(f"rules.{number}.intent: expected an intent, got {rule.intent!r}.{hint}")
        return self

    def first(self, intent: str, stage: Stage, slots: dict[str, bool]) -> IntentRule | None:
        """Return the first rule for an intent that fits, or None."""
        for rule in self.rules:
            if rule.intent == intent and rule.fits(stage, slots):
                return rule
        return None


@cache
def default_rules() -> RuleBase:
    """Return the rule base that comes with the project."""
    return read_toml(RULES, RuleBase)


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
