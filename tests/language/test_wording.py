"""What is worded reads back as the same acts, for every phrase of both books and for random messages."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from negotiation_env.errors import DataFileError, UsageError
from negotiation_env.game import world
from negotiation_env.game.acts import Act, DialogueAct, PriceType, Tactic
from negotiation_env.game.scenario import TaskCard, fact_figure, sample_scenario
from negotiation_env.language.reading import Context
from negotiation_env.language.rule_reader import understand
from negotiation_env.language.wording import KEYS, PhraseBook, Phrases, agent_phrase_book, load_phrase_book, word

MANAGER_PATH = Path(__file__).parents[2] / "simulators" / "managers" / "phrases" / "manager.toml"
MANAGER = load_phrase_book(MANAGER_PATH)
AGENT = agent_phrase_book()
PROMISES = (*world.PROMISES, *world.FORBIDDEN_PROMISES)
CARDS = [
    next(card for seed in range(start, start + 100) if len((card := sample_scenario(seed).card).tickets) == count)
    for start, count in ((0, 1), (0, 2), (0, 3), (100, 2))
]
FIGURES = tuple[float | None, ...]


def context(card: TaskCard, speaker: str, net: bool, quotes: FIGURES, bids: FIGURES, pending: bool = False) -> Context:
    return Context(
        "manager" if speaker == "manager" else "agent",
        tuple(t.room for t in card.tickets),
        tuple(float(t.selling_price) for t in card.tickets),
        tuple(t.commission for t in card.tickets),
        quotes,
        bids,
        (True,) * len(card.tickets),
        net,
        tuple(t.nights for t in card.tickets),
        (pending,) * len(card.tickets),
        (pending,) * len(card.tickets),
    )


def as_heard(acts: Iterable[DialogueAct]) -> list[DialogueAct]:
    """A manager's acts as a reader hears them: a last price, a warning and a condition change no figure."""
    plain = [act._replace(detail="") if act.detail == "last" else act for act in acts]
    return [act for act in plain if act.detail != "warning" and not act.detail.startswith("condition:")]


def said(card: TaskCard, kind: Act, k: int, selling: float, price_type: PriceType, detail: str = "") -> DialogueAct:
    cut = 1.0 - card.tickets[k].commission if price_type is PriceType.NET else 1.0
    return DialogueAct(kind, price=float(round(selling * cut)), price_type=price_type, ticket=k, detail=detail)


OTHER = DialogueAct(Act.OFF_TOPIC)
PLAIN_ACTS = {
    "greet": DialogueAct(Act.GREET),
    "soothe": DialogueAct(Act.SOOTHE),
    "insult": DialogueAct(Act.INFORM, Tactic.PRESSURE, detail="insult"),
    "upset": DialogueAct(Act.INFORM, detail="upset"),
    "warning": DialogueAct(Act.INFORM, detail="warning"),
    "promise.other": DialogueAct(Act.PROMISE, detail="other"),
    "ask.price": DialogueAct(Act.ASK, detail="price"),
    "ask.reason": DialogueAct(Act.ASK, detail="reason"),
    "ask.figure": DialogueAct(Act.ASK, detail="figure"),
    "off_topic": DialogueAct(Act.OFF_TOPIC),
    "close": DialogueAct(Act.CLOSE, detail="bye"),
    "close.bye": DialogueAct(Act.CLOSE, detail="bye"),
    "close.walk": DialogueAct(Act.CLOSE, detail="walk"),
    "accept.bare": DialogueAct(Act.ACCEPT),
    "confirm.bare": DialogueAct(Act.CONFIRM),
    "reject": DialogueAct(Act.REJECT),
}
KINDS = {
    "propose": Act.PROPOSE,
    "counter": Act.COUNTER,
    "counter.last": Act.COUNTER,
    "accept": Act.ACCEPT,
    "confirm": Act.CONFIRM,
    "hold": Act.REJECT,
    "ask.confirm": Act.ASK,
    "yes": Act.CONFIRM,
}


def acts_of_key(key: str, card: TaskCard, speaker: str, k: int) -> list[DialogueAct]:
    """Acts that are worded with a key, about ticket ``k``."""
    head, _, tail = key.rpartition(".") if key.startswith(("ask.confirm", "counter.last")) else key.partition(".")
    if key in PLAIN_ACTS:
        return [PLAIN_ACTS[key]]
    if head == "condition":
        return [DialogueAct(Act.INFORM, detail=f"condition:{tail}")]
    if tail in ("selling", "net"):
        # The manager's standing figure, its new one, and the agent's bid.
        selling = card.tickets[k].selling_price
        counter = [selling - 22] if speaker == "manager" else [selling - 33]
        prices = {"counter": counter, "counter.last": counter, "propose": [selling - 40]}
        other = (
            [selling - 15.0] if speaker == "manager" or head in ("confirm", "yes") else [selling - 15.0, selling - 40.0]
        )
        chosen = [selling - 40.0] if (speaker, head) == ("manager", "accept") else prices.get(head, other)
        detail = {"hold": "hold", "ask.confirm": "confirm", "counter.last": "last"}.get(head, "")
        return [said(card, KINDS[head], k, price, PriceType(tail), detail) for price in chosen]
    if head == "inform":
        tactic = Tactic[tail.partition(".")[0].upper()]
        figure = None if tail.endswith("plain") else fact_figure(card.facts, tactic)
        return [DialogueAct(Act.INFORM, tactic, figure=None if figure is None else float(abs(figure)))]
    if head == "objection":
        return [DialogueAct(Act.INFORM, Tactic[tail.upper()], detail="objection")]
    if key == "promise":
        return [DialogueAct(Act.PROMISE, detail=name) for name in PROMISES]
    if key in ("accept.room", "confirm.room"):
        return [DialogueAct(KINDS[head], ticket=k)] if len(card.tickets) > 1 else []
    return [
        DialogueAct(Act.REJECT, ticket=k, detail={"refuse": "final", "hold.bare": "hold", "retract": "retract"}[key])
    ]


def cases() -> Iterator[tuple[str, PhraseBook, str]]:
    for speaker, book in (("agent", AGENT), ("manager", MANAGER)):
        for tone, table in ((None, book.phrases), *book.tones.items()):
            for key, phrases in table.items():
                for phrase in phrases.all:
                    only = PhraseBook(f"{speaker}, {tone}", {key: Phrases((phrase,), (phrase,))}, {})
                    yield speaker, only, key


def test_what_was_said_is_said_otherwise() -> None:
    card = CARDS[0]
    where = context(card, "manager", False, (None,) * len(card.tickets), (None,) * len(card.tickets))
    said: list[str] = []
    for turn in range(len(MANAGER.lookup("hold.bare", None).all)):
        said.append(word([DialogueAct(Act.REJECT, ticket=0, detail="hold")], card, where, MANAGER, 7, turn, None, said))
    bare = [text.replace(f" for the {card.tickets[0].room}", "") for text in said]
    assert len(set(bare)) == len(bare)
    # All are used up: any but the last one.
    assert word([DialogueAct(Act.REJECT, ticket=0, detail="hold")], card, where, MANAGER, 7, 99, None, said) != said[-1]


@pytest.mark.parametrize("speaker", ["agent", "manager"])
def test_every_phrase_reads_back(speaker: str) -> None:
    misread: list[str] = []
    for who, book, key in cases():
        if who != speaker:
            continue
        for card in CARDS:
            if key.startswith("inform.calendar"):
                demand = -12 if key.endswith("down") else 12
                card = dataclasses.replace(card, facts=dataclasses.replace(card.facts, demand=demand))
            k = len(card.tickets) - 1
            for act in acts_of_key(key, card, speaker, k):
                selling = card.tickets[k].selling_price
                quotes: FIGURES = tuple(None if key.startswith("propose") else selling - 15.0 for _ in card.tickets)
                bids: FIGURES = tuple(selling - 40.0 for _ in card.tickets)
                for net in (False, True):
                    where = context(card, speaker, net, quotes, bids, pending=key.startswith("yes"))
                    for seed in range(3):
                        text = word([act], card, where, book, seed, 0)
                        if list(understand(text, where).acts) != (as_heard([act]) or [OTHER]):
                            misread.append(f"{book.source}, {key}: {text!r} as {understand(text, where).acts}")
    assert not misread, "\n".join(misread[:10])


def random_figures(rng: random.Random, card: TaskCard, low: float, high: float) -> FIGURES:
    return tuple(
        float(round(t.selling_price * rng.uniform(low, high))) if rng.random() < 0.6 else None for t in card.tickets
    )


def agent_message(rng: random.Random, card: TaskCard) -> tuple[tuple[DialogueAct, ...], Context]:
    """A random legal message of the agent, in the canonical order."""
    quotes, bids = random_figures(rng, card, 0.85, 1.0), random_figures(rng, card, 0.7, 0.95)
    acts = [DialogueAct(Act.GREET)] if rng.random() < 0.4 else []
    for tactic in list(Tactic)[1:]:
        if rng.random() < 0.2:
            figure = fact_figure(card.facts, tactic)
            known = figure is not None and rng.random() < 0.8
            acts.append(
                DialogueAct(Act.INFORM, tactic, figure=float(abs(figure)) if figure is not None and known else None)
            )
    if rng.random() < 0.3:
        acts.append(DialogueAct(Act.SOOTHE))
    if rng.random() < 0.3:
        acts.append(DialogueAct(Act.PROMISE, detail=rng.choice([*PROMISES, "other"])))
    for k, ticket in enumerate(card.tickets):
        if rng.random() < 0.6:
            quote = quotes[k]
            kind = rng.choice([Act.ACCEPT, Act.CONFIRM, Act.PROPOSE, Act.PROPOSE])
            if kind is Act.PROPOSE and quote is not None:
                kind = Act.COUNTER
            selling = (
                quote if quote is not None and rng.random() < 0.4 else ticket.selling_price * rng.uniform(0.6, 0.98)
            )  # a bid of what the page shows is none
            if kind in (Act.PROPOSE, Act.COUNTER) and quote is not None and abs(selling - quote) < 3.0:
                selling -= 12.0  # a bid of the standing figure would be an acceptance
            acts.append(said(card, kind, k, selling, rng.choice(list(PriceType))))
    if rng.random() < 0.3:
        acts.append(DialogueAct(Act.ASK, detail="price"))
    if rng.random() < 0.1:
        acts.append(DialogueAct(Act.OFF_TOPIC))
    if rng.random() < 0.2:
        acts.append(DialogueAct(Act.CLOSE, detail="bye"))
    acts = acts or [DialogueAct(rng.choice([Act.SILENCE, Act.OFF_TOPIC]))]
    return tuple(acts), context(card, "agent", rng.random() < 0.4, quotes, bids)


def manager_message(rng: random.Random, card: TaskCard) -> tuple[tuple[DialogueAct, ...], Context]:
    """A random message such as ``decision_acts`` gives: one price type, holds with a figure only where one stands."""
    quotes, bids = random_figures(rng, card, 0.85, 1.0), random_figures(rng, card, 0.7, 0.84)
    price_type = rng.choice(list(PriceType))
    acts = [DialogueAct(Act.GREET)] if rng.random() < 0.4 else []
    if rng.random() < 0.3:
        acts.append(DialogueAct(Act.INFORM, detail="upset"))
    if rng.random() < 0.4:
        acts.append(DialogueAct(Act.INFORM, Tactic(rng.randint(1, 7)), detail="objection"))
    for k, ticket in enumerate(card.tickets):
        quote, bid = quotes[k], bids[k]
        what = rng.choice(["confirm", "accept", "counter", "refuse", "hold", ""])
        if what == "confirm":
            acts.append(said(card, Act.CONFIRM, k, quote or ticket.selling_price - 10.0, price_type))
        elif what == "accept" and bid is not None:
            acts.append(said(card, Act.ACCEPT, k, bid, price_type))
        elif what == "counter":
            selling = ticket.selling_price * rng.uniform(0.85, 1.0)
            if bid is not None and abs(selling - bid) < 4.0:
                selling += 9.0  # naming the agent's figure would be an acceptance
            acts.append(said(card, Act.COUNTER, k, selling, price_type, rng.choice(["", "", "last"])))
        elif what == "refuse":
            acts.append(DialogueAct(Act.REJECT, ticket=k, detail="final"))
        elif what == "hold" and quote is not None:
            acts.append(said(card, Act.REJECT, k, quote, price_type, "hold"))
        elif what == "hold":
            acts.append(DialogueAct(Act.REJECT, ticket=k, detail="hold"))
    if any(a.kind in (Act.ACCEPT, Act.COUNTER) for a in acts) and rng.random() < 0.3:
        acts.append(DialogueAct(Act.INFORM, detail=f"condition:{rng.choice(list(world.CONDITIONS))}"))
    if acts and rng.random() < 0.1:
        acts.append(DialogueAct(Act.INFORM, detail="warning"))
    if rng.random() < 0.3:
        acts.append(DialogueAct(Act.ASK, detail=rng.choice(["reason", "price"])))
    if rng.random() < 0.3:
        acts.append(DialogueAct(Act.CLOSE, detail=rng.choice(["walk", "bye"])))
    return tuple(acts) or (DialogueAct(Act.SILENCE),), context(card, "manager", rng.random() < 0.4, quotes, bids)


@pytest.mark.parametrize("speaker", ["agent", "manager"])
def test_random_messages_read_back(speaker: str) -> None:
    rng = random.Random(11)
    book, message = (AGENT, agent_message) if speaker == "agent" else (MANAGER, manager_message)
    tones = [None, None, *book.tones]
    for _ in range(3_000):
        card = sample_scenario(rng.randrange(10**6)).card
        acts, where = message(rng, card)
        text = word(acts, card, where, book, rng.randrange(2**63), rng.randrange(30), rng.choice(tones))
        assert list(understand(text, where).acts) == as_heard(acts), text


def test_wording_is_a_function_of_seed_and_turn() -> None:
    card = CARDS[0]
    where = context(card, "agent", False, (None,) * len(card.tickets), (None,) * len(card.tickets))
    acts = [DialogueAct(Act.GREET), said(card, Act.PROPOSE, 0, 200.0, PriceType.SELLING)]
    assert word(acts, card, where, AGENT, 5, 1) == word(acts, card, where, AGENT, 5, 1)
    texts = {word(acts, card, where, AGENT, seed, turn) for seed in range(30) for turn in range(3)}
    assert len(texts) > 40


def test_silence_has_no_text() -> None:
    where = context(CARDS[0], "agent", False, (None,), (None,))
    assert word([DialogueAct(Act.SILENCE)], CARDS[0], where, AGENT, 1, 1) == ""


def test_the_books_are_rich() -> None:
    assert all(len(AGENT.phrases[key].all) >= 8 for key in AGENT.phrases)
    assert all(len(phrases.all) >= 12 for phrases in MANAGER.phrases.values())
    assert set(AGENT.phrases) | set(MANAGER.phrases) == set(KEYS)


def test_own_phrases_replace_the_books_and_its_tones() -> None:
    book = MANAGER.with_phrases({"counter.selling": ["Make it {price}!"], "greet": ["Hello, {hotel} here."]})
    card = next(c for c in CARDS if len(c.tickets) > 1)
    where = context(card, "manager", True, (None,) * len(card.tickets), (None,) * len(card.tickets))
    acts = (DialogueAct(Act.GREET), said(card, Act.COUNTER, 1, 300.0, PriceType.SELLING))
    text = word(acts, card, where, book, 3, 0, "curt")
    assert text.startswith(f"Hello, {card.hotel.name} here.")
    # The room and the price type are added where they have to be said.
    assert card.tickets[1].room in text
    assert "selling price" in text
    assert understand(text, where).acts == acts
    assert "Make it" not in word(acts, card, where, MANAGER, 3, 0)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"gret": ["Hello."]}, "Did you mean 'greet'"),
        ({"greet": "Hello."}, "greet: expected a list"),
        ({"greet": []}, "greet: expected at least 1 items"),
        ({"greet": [3]}, "greet.1: expected a text, got 3"),
        ({"greet": ["Hello {name}."]}, "{name}"),
        ({"greet": ["Hello {hotel.name.__class__}."]}, "in braces"),
        ({"greet": ["Hello {"]}, "in braces"),
        ({"greet": ["Hello [there."]}, "brackets"),
        ({"counter.selling": ["No figure here."]}, "{price}"),
        ({"greet": ["Hello, {price}."]}, "{price}"),
    ],
)
def test_wrong_phrases_say_where(table: dict[str, list[str]], says: str) -> None:
    with pytest.raises(DataFileError) as error:
        MANAGER.with_phrases(table)
    assert says in str(error.value)
    assert "manager.toml" in str(error.value)


def test_a_wrong_file_says_where(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    with pytest.raises(DataFileError, match=r"mine\.toml"):
        load_phrase_book(path)
    path.write_text("greet = [", encoding="utf-8")
    with pytest.raises(DataFileError, match=r"mine\.toml"):
        load_phrase_book(path)
    path.write_text('[tone.loud]\ncounter.selling = ["Now!"]\n', encoding="utf-8")
    with pytest.raises(DataFileError, match=r"mine\.toml, tone\.loud, counter\.selling"):
        load_phrase_book(path)


def test_an_unknown_tone_or_a_missing_key_is_the_callers_mistake() -> None:
    where = context(CARDS[0], "manager", False, (None,), (None,))
    with pytest.raises(UsageError, match="curt"):
        word([DialogueAct(Act.GREET)], CARDS[0], where, MANAGER, 1, 1, "curst")
    with pytest.raises(UsageError, match="soothe"):
        word([DialogueAct(Act.SOOTHE)], CARDS[0], where, MANAGER, 1, 1)
