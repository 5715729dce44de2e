"""The classical pipeline: detect the intent, look the reply up in a table (``intents.toml``), fill a template."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from negotiation_env.errors import DataFileError, did_you_mean
from negotiation_env.game.acts import Act, DialogueAct, Tactic
from negotiation_env.game.state import End, Stage, unsettled
from negotiation_env.play.protocols import AgentView
from policies.bargaining import ActPolicy, bid, concession, next_reason, odd_quote, take, takeable, without_conflict

ANY = "any"


@dataclass(frozen=True, slots=True)
class Intent:
    """One thing that a message may mean, and what shows it."""

    name: str
    acts: frozenset[tuple[Act, str]]
    """Kind and detail of telling acts; an empty detail stands for every detail."""
    patterns: tuple[re.Pattern[str], ...]

    def shown_by(self, text: str, acts: Iterable[DialogueAct]) -> bool:
        """Return whether a message (lower-cased text and its acts) shows this intent."""
        if any((act.kind, "") in self.acts or (act.kind, act.detail) in self.acts for act in acts):
            return True
        return any(pattern.search(text) for pattern in self.patterns)


@dataclass(frozen=True, slots=True)
class Rule:
    """What to say to an intent, in some stages, if some slots are (not) true."""

    intent: str
    stages: frozenset[Stage]
    when: tuple[tuple[str, bool], ...]
    say: tuple[str, ...]
    final: bool

    def fits(self, stage: Stage, slots: dict[str, bool]) -> bool:
        """Return whether the rule applies."""
        return stage in self.stages and all(slots[slot] is value for slot, value in self.when)


@dataclass(frozen=True, slots=True)
class Bargaining:
    """The numbers of the rule base; see the file for their meaning."""

    anchor: float
    turns_to_goal: int
    power: float
    settle_from_turn: int
    reasons: tuple[Tactic, ...]


@dataclass(frozen=True, slots=True)
class RuleBase:
    """Everything that the file says."""

    intents: tuple[Intent, ...]
    rules: tuple[Rule, ...]
    bargaining: Bargaining

    def first(self, intent: str, stage: Stage, slots: dict[str, bool]) -> Rule | None:
        """Return the first rule for an intent that fits, or None."""
        for rule in self.rules:
            if rule.intent == intent and rule.fits(stage, slots):
                return rule
        return None


class _Reader:
    """Checks one file; every error names the file and the field."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def fail(self, field: str, message: str) -> DataFileError:
        return DataFileError(f"{self.path.name}: {field}: {message}")

    def known(self, field: str, name: object, names: Collection[str]) -> str:
        if not isinstance(name, str) or name not in names:
            raise self.fail(field, f"expected a known name, got {name!r}.{did_you_mean(str(name), names)}")
        return name

    def keys(self, field: str, table: dict[str, Any], allowed: Collection[str]) -> None:
        for key in table:
            self.known(field, key, allowed)

    def strings(self, field: str, value: object) -> list[str]:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.fail(field, f"expected a list of strings, got {value!r}")
        return [str(item) for item in value]

    def number(self, field: str, value: object, low: float, high: float) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
            raise self.fail(field, f"expected a number from {low:g} to {high:g}, got {value!r}")
        return float(value)

    def intent(self, index: int, table: dict[str, Any]) -> Intent:
        field = f"intents[{index}]"
        self.keys(field, table, ("name", "acts", "patterns"))
        name = table.get("name")
        if not isinstance(name, str) or name in ("", ANY):
            raise self.fail(f"{field}.name", f"expected a name other than {ANY!r}, got {name!r}")
        acts = set()
        for text in self.strings(f"{field}.acts", table.get("acts", [])):
            kind, _, detail = text.partition(":")
            kinds = [act.name.lower() for act in Act]
            acts.add((Act[self.known(f"{field}.acts", kind, kinds).upper()], detail))
        patterns = []
        for text in self.strings(f"{field}.patterns", table.get("patterns", [])):
            try:
                patterns.append(re.compile(text))
            except re.error as error:
                raise self.fail(
                    f"{field}.patterns", f"expected a regular expression, got {text!r} ({error})"
                ) from error
        return Intent(name, frozenset(acts), tuple(patterns))

    def rule(
        self,
        index: int,
        table: dict[str, Any],
        intents: Collection[str],
        moves: Collection[str],
        slots: Collection[str],
    ) -> Rule:
        field = f"rules[{index}]"
        self.keys(field, table, ("intent", "stage", "when", "say", "final"))
        names = [stage.name.lower() for stage in Stage]
        stages = self.strings(f"{field}.stage", table.get("stage", names))
        when = []
        for text in self.strings(f"{field}.when", table.get("when", [])):
            when.append(
                (
                    self.known(f"{field}.when", text.removeprefix("!"), slots),
                    not text.startswith("!"),
                )
            )
        say = self.strings(f"{field}.say", table.get("say"))
        final = table.get("final", False)
        if not isinstance(final, bool):
            raise self.fail(f"{field}.final", f"expected true or false, got {final!r}")
        return Rule(
            intent=self.known(f"{field}.intent", table.get("intent"), intents),
            stages=frozenset(Stage[self.known(f"{field}.stage", s, names).upper()] for s in stages),
            when=tuple(when),
            say=tuple(self.known(f"{field}.say", move, moves) for move in say),
            final=final,
        )

    def bargaining(self, table: dict[str, Any]) -> Bargaining:
        fields = ("anchor", "turns_to_goal", "power", "settle_from_turn", "reasons")
        self.keys("bargaining", table, fields)
        reasons = self.strings("bargaining.reasons", table.get("reasons"))
        honest = [t.name.lower() for t in Tactic if t not in (Tactic.NONE, Tactic.PRESSURE)]
        return Bargaining(
            anchor=self.number("bargaining.anchor", table.get("anchor"), 1.0, 2.0),
            turns_to_goal=int(self.number("bargaining.turns_to_goal", table.get("turns_to_goal"), 1, 100)),
            power=self.number("bargaining.power", table.get("power"), 0.05, 20.0),
            settle_from_turn=int(self.number("bargaining.settle_from_turn", table.get("settle_from_turn"), 1, 200)),
            reasons=tuple(Tactic[self.known("bargaining.reasons", r, honest).upper()] for r in reasons),
        )


def read_rule_base(path: Path, moves: Collection[str], slots: Collection[str]) -> RuleBase:
    """Read a rule base whose moves and slots must be among the given names.

    Raises:
        DataFileError: naming the file, the field, and what was expected.
    """
    reader = _Reader(path)
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise reader.fail("file", f"expected readable TOML, got {error}") from error
    reader.keys("file", data, ("format", "intents", "rules", "bargaining"))
    if data.get("format") != 1:
        raise reader.fail("format", f"expected 1, got {data.get('format')!r}")
    for field in ("intents", "rules"):
        if not isinstance(data.get(field), list) or not all(isinstance(t, dict) for t in data[field]):
            raise reader.fail(field, "expected one or more tables")
    intents = tuple(reader.intent(i, table) for i, table in enumerate(data["intents"]))
    names = {ANY, *(intent.name for intent in intents)}
    if len(names) != len(intents) + 1:
        raise reader.fail("intents", "expected different names, got a repeated one")
    rules = tuple(reader.rule(i, t, names, moves, slots) for i, t in enumerate(data["rules"]))
    return RuleBase(intents, rules, reader.bargaining(data.get("bargaining", {})))


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
