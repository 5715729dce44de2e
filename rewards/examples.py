"""The example card on which rules are tried out, and the check of the examples that stand in a rules file.

The card is made up: one room at 400 yuan, commission 15 percent (340 net), target 352; or that and a second at 600.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from negotiation_env.features import reply_features
from negotiation_env.game import GameState, apply_decision, new_game, settle
from negotiation_env.lanes import FLOATS
from negotiation_env.moves import decision_of, move_of
from negotiation_env.protocols import ReplyView, Utterance
from negotiation_env.scenario import Facts, Hotel, TaskCard, Ticket, card_numbers
from negotiation_env.sop import stage_of
from negotiation_env.understanding import context_of, understand
from rewards.rules import Example, Rule, RuleReward

EXAMPLE_CARD = TaskCard(
    hotel=Hotel("Jade Lake Hotel", "Hangzhou", "business", 4, "low", 0.45),
    tickets=(Ticket("Deluxe King", date(2027, 3, 1), 5, 400, 0.15, 352),),
    facts=Facts(20, 12, "Plum Blossom Inn", 385, "the spring trade fair", -10),
    promises=("banner", "weekly-report"),
)
EXAMPLE_CARD_OF_TWO = replace(
    EXAMPLE_CARD, tickets=(*EXAMPLE_CARD.tickets, Ticket("Family Suite", date(2027, 3, 1), 5, 600, 0.15, 520))
)


def view_reply(
    text: str,
    card: TaskCard,
    game: GameState,
    said: Sequence[Utterance] = (),
    manager: Sequence[Utterance] = (),
) -> ReplyView:
    """Return what a reward sees of a reply, understood in its situation as the environment does."""
    meant = understand(text, context_of(card, game, "agent"))
    move = move_of(meant.acts, card, game)
    features = reply_features(FLOATS, game, move, settle(FLOATS, game, move))
    return ReplyView(card, game, stage_of(game), said, manager, text, meant.words, meant.acts, features)


def example_view(example: Example) -> ReplyView:
    """Return the view of one example of a rules file, on the example card.

    What the manager said is understood and changes the public state, as in a negotiation: a quote is a quote.
    """
    table = {"text": example} if isinstance(example, str) else example
    card = EXAMPLE_CARD if table.get("rooms", 1) == 1 else EXAMPLE_CARD_OF_TWO
    game = new_game(FLOATS, card_numbers(card))
    said = [Utterance(text, ()) for text in table.get("said", ())]
    manager = []
    for text in table.get("manager", ()):
        meant = understand(text, context_of(card, game, "manager"))
        apply_decision(FLOATS, game, decision_of(meant.acts, game))
        manager.append(Utterance(text, meant.acts))
    text = str(table["text"]) * int(table.get("repeat", 1))
    return view_reply(text, card, game, said, manager)


def check_examples(rules: Sequence[Rule]) -> list[str]:
    """Try every rule's examples, alone and so without its group; return one line for each that goes wrong."""
    wrong = []
    for rule in rules:
        alone = RuleReward([rule])
        for wanted, examples in ((True, rule.yes), (False, rule.no)):
            for example in examples:
                fired = bool(alone.score(example_view(example)).terms)
                if fired is not wanted:
                    wrong.append(f"rule {rule.id!r} {'misses' if wanted else 'fires on'} {example!r}")
    return wrong
