"""Whether a persona's own phrases mean what their keys say.

Each phrase is worded alone, for one ticket and for two, in every price format, and must read back as its key's act.
"""

from __future__ import annotations

from collections.abc import Iterator

from negotiation_env.game.acts import Act, DialogueAct, PriceType, Tactic
from negotiation_env.game.lanes import FLOATS, episode_seed
from negotiation_env.game.scenario import Scenario, card_numbers, scenario_of
from negotiation_env.game.state import new_game
from negotiation_env.language.reading import Context, context_of
from negotiation_env.language.rule_reader import understand
from negotiation_env.language.wording import word
from simulators.managers.rule_manager import manager_book
from simulators.personas import Persona

_WORDINGS = 12
"""Wordings of each phrase: enough to meet every price format."""
_PRICED = {"accept": Act.ACCEPT, "counter": Act.COUNTER, "confirm": Act.CONFIRM, "hold": Act.REJECT}
_PLAIN = {
    "greet": DialogueAct(Act.GREET),
    "upset": DialogueAct(Act.INFORM, detail="upset"),
    "ask.reason": DialogueAct(Act.ASK, detail="reason"),
    "close.walk": DialogueAct(Act.CLOSE, detail="walk"),
    "close.bye": DialogueAct(Act.CLOSE, detail="bye"),
}
MANAGER_KEYS = (
    *_PLAIN,
    *(f"objection.{tactic.name.lower()}" for tactic in Tactic if tactic is not Tactic.NONE),
    *(f"{name}.{kind.value}" for name in _PRICED for kind in PriceType),
    "hold.bare",
    "refuse",
)
"""The phrase-book keys that a manager speaks by."""


def phrase_problems(persona: Persona) -> list[str]:
    """Return what is wrong with a persona's phrases, one line each; none if every phrase reads back as its key."""
    problems = []
    scenarios = _scenarios()
    for key, templates in persona.phrases.items():
        if key not in MANAGER_KEYS:
            problems.append(f"phrases: expected keys that a hotel manager speaks by, got {key!r}: remove it")
            continue
        for template in templates:
            book = manager_book().with_phrases({key: [template]})
            for scenario, context, act in _cases(key, scenarios):
                texts = {word((act,), scenario.card, context, book, seed, 0) for seed in range(_WORDINGS)}
                wrong = sorted(text for text in texts if understand(text, context).acts != (act,))
                if wrong:
                    heard = understand(wrong[0], context).acts
                    problems.append(
                        f"phrases, {key}: expected {template!r} to mean {_say(act)}, got "
                        f"{', '.join(_say(a) for a in heard)} from {wrong[0]!r}: word it another way"
                    )
                    break
    return problems


def _scenarios() -> tuple[Scenario, Scenario]:
    """Return a scenario of one ticket and one of two."""
    sampled = [scenario_of(f"phrases-{i}", episode_seed(i)) for i in range(60)]
    one, two = (next(s for s in sampled if len(s.card.tickets) == count) for count in (1, 2))
    return one, two


def _cases(key: str, scenarios: tuple[Scenario, Scenario]) -> Iterator[tuple[Scenario, Context, DialogueAct]]:
    """Yield the situations in which a key's phrase is tried, with the act that it should say."""
    for scenario in scenarios:
        place = len(scenario.card.tickets) - 1
        ticket = scenario.card.tickets[place]
        game = new_game(FLOATS, card_numbers(scenario.card))
        context = context_of(scenario.card, game, "manager")
        name, _, kind = key.partition(".")
        if key in _PLAIN:
            yield scenario, context, _PLAIN[key]
        elif name == "objection":
            yield scenario, context, DialogueAct(Act.INFORM, Tactic[kind.upper()], detail="objection")
        elif key in ("hold.bare", "refuse"):
            yield (
                scenario,
                context,
                DialogueAct(Act.REJECT, ticket=place, detail="final" if key == "refuse" else "hold"),
            )
        else:
            selling = float(ticket.selling_price - 20)
            said = selling if kind == "selling" else float(round(selling * (1.0 - ticket.commission)))
            figures = tuple(selling if k == place else None for k in range(place + 1))
            detail = "hold" if name == "hold" else ""
            act = DialogueAct(_PRICED[name], price=said, price_type=PriceType(kind), ticket=place, detail=detail)
            below = 20.0 if name == "counter" else 0.0
            bids = tuple(None if figure is None else figure - below for figure in figures)
            yield scenario, context._replace(quotes=figures, bids=bids), act


def _say(act: DialogueAct) -> str:
    """Return an act in a few words, for messages."""
    parts = [act.kind.name, "" if act.tactic is Tactic.NONE else act.tactic.name, act.detail]
    parts.append("" if act.price is None else f"{act.price:g}")
    return " ".join(part for part in parts if part)
