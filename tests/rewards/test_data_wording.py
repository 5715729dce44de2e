"""Wording of generated data: phrases read back, fillers mean nothing, damage of both families does what it says."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from negotiation_env.game.acts import Act, DialogueAct, PriceType, Tactic
from negotiation_env.game.lanes import FLOATS
from negotiation_env.game.scenario import TaskCard, card_numbers, fact_figure, sample_scenario
from negotiation_env.game.state import new_game
from negotiation_env.language.reading import context_of
from negotiation_env.language.rule_reader import understand
from negotiation_env.language.wording import PhraseBook, Phrases, agent_phrase_book, word
from simulators.people.annotators import DAMAGE
from simulators.people.candidates import fillers, wide_book
from simulators.people.damage import damage, kinds
from simulators.people.situations import sample_situation

CARDS = [next(c for s in range(100) if len((c := sample_scenario(s).card).tickets) == n) for n in (1, 2)]
PLAIN = {
    "greet": DialogueAct(Act.GREET),
    "soothe": DialogueAct(Act.SOOTHE),
    "insult": DialogueAct(Act.INFORM, Tactic.PRESSURE, detail="insult"),
    "ask.price": DialogueAct(Act.ASK, detail="price"),
    "off_topic": DialogueAct(Act.OFF_TOPIC),
    "close": DialogueAct(Act.CLOSE, detail="bye"),
    "promise": DialogueAct(Act.PROMISE, detail="banner"),
}
KINDS = {"propose": Act.PROPOSE, "counter": Act.COUNTER, "accept": Act.ACCEPT, "confirm": Act.CONFIRM}


def act_of(key: str, card: TaskCard) -> DialogueAct | None:
    """An act that is worded with a key; None for keys that this file does not try."""
    head, _, tail = key.partition(".")
    if key in PLAIN:
        return PLAIN[key]
    ticket = len(card.tickets) - 1
    if head in KINDS and tail in ("selling", "net"):
        price = float(round(card.tickets[ticket].selling_price * (0.9 if tail == "selling" else 0.7)))
        return DialogueAct(KINDS[head], price=price, price_type=PriceType(tail), ticket=ticket)
    if head == "inform" and not tail.endswith("plain"):
        name, _, way = tail.partition(".")
        figure = fact_figure(card.facts, Tactic[name.upper()])
        if way and (way == "up") is not (card.facts.demand > 0):
            return None
        return DialogueAct(Act.INFORM, Tactic[name.upper()], figure=None if figure is None else abs(float(figure)))
    return None


def added() -> Iterator[tuple[str, PhraseBook]]:
    book = agent_phrase_book()
    for key, phrases in wide_book().phrases.items():
        old = {p.template for p in book.phrases[key].all}
        for phrase in phrases.all:
            if phrase.template not in old:
                yield key, PhraseBook("one phrase", {key: Phrases((phrase,), (phrase,))}, {})


def test_every_added_phrase_reads_back() -> None:
    misread, tried = [], 0
    for key, book in added():
        for card in CARDS:
            game = new_game(FLOATS, card_numbers(card))
            if key.startswith("counter"):
                game.quoted = (True, True, True)
            act = act_of(key, card)
            if act is None:
                continue
            where = context_of(card, game, "agent")
            if act.kind is Act.ACCEPT and act.price is not None and act.price_type is PriceType.SELLING:
                # "agreed, let us go with 302" takes a figure that stands, and bids one that does not
                where = where._replace(
                    quotes=tuple(act.price if k == act.ticket else None for k, _ in enumerate(where.rooms))
                )
            text = word([act], card, where, book, 0, 0)
            tried += 1
            if understand(text, where).acts != (act,):
                misread.append(text)
    assert misread == []
    assert tried > 300


def test_fillers_mean_nothing() -> None:
    card = CARDS[0]
    where = context_of(card, new_game(FLOATS, card_numbers(card)), "agent")
    replies = [
        "What is your best rate?",
        "How about 300 yuan?",
        "Partners gain 20% more exposure on our site.",
        "Hello.",
    ]
    for filler in (*fillers(False), *fillers(True)):
        said = filler.replace("{city}", card.hotel.city)
        assert [a.kind for a in understand(said, where).acts] == [Act.OFF_TOPIC]
        for reply in replies:
            assert understand(f"{reply} {said}", where).acts == understand(reply, where).acts
    assert not set(fillers(False)) & set(fillers(True))


def test_damage_has_a_value_and_families_that_share_no_phrase() -> None:
    assert kinds().keys() == DAMAGE.keys()
    for name, kind in kinds().items():
        assert not set(kind.train) & set(kind.test), name
        assert bool(kind.train) is bool(kind.test), name


@pytest.mark.parametrize("held_out", [False, True])
@pytest.mark.parametrize("kind", sorted(DAMAGE))
def test_damage_changes_the_text(kind: str, held_out: bool) -> None:
    situation = next(s for n in range(50) if (s := sample_situation(n)).manager and s.manager[-1].text)
    text = "Could you come to 350 yuan for the room? Partners convert better."
    rng = np.random.default_rng(0)
    assert damage(text, kind, situation, rng, held_out) != text
