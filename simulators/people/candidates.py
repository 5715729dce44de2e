"""Candidate replies of good, middling and bad agents: their acts, by habit, and the words for them.

Words come from the agent's phrase book, widened and cut into a training and a held-out part that share no phrase.
Sentences that mean nothing to the game are put around a reply now and then, so that length tells nothing about worth.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from negotiation_env.files import Many, Table, Text, read_toml
from negotiation_env.game.acts import Act, DialogueAct, PriceType, Tactic
from negotiation_env.game.scenario import TaskCard, fact_figure
from negotiation_env.game.state import GameState, said_price, unsettled
from negotiation_env.game.world import FORBIDDEN_PROMISES
from negotiation_env.language.reading import context_of
from negotiation_env.language.wording import Phrase, PhraseBook, Phrases, agent_phrase_book, word
from negotiation_env.seeds import Stream

PATH = Path(__file__).with_name("phrases") / "spoken.toml"
HELD_OUT_STEP = 4
"""Every so manieth phrase of each key is kept for held-out data."""
FILLED = 0.2
"""Share of replies with a sentence that means nothing."""


class _Spoken(Table):
    filler: Many[Text]
    book: dict[str, Many[Text]]


@cache
def _spoken() -> _Spoken:
    return read_toml(PATH, _Spoken)


@cache
def wide_book() -> PhraseBook:
    """Return the agent's phrase book with the phrases of ``phrases/spoken.toml`` added."""
    book = agent_phrase_book()
    return book.with_phrases(
        {key: [*(p.template for p in book.phrases[key].all), *phrases] for key, phrases in _spoken().book.items()}
    )


@cache
def split_book(held_out: bool) -> PhraseBook:
    """Return the training part, or the held-out part, of the wide phrase book: they share no phrase."""
    parts = {}
    for key, phrases in wide_book().phrases.items():
        some = _part(phrases.all, held_out)
        parts[key] = Phrases(some, tuple(p for p in some if p.typed) or some)
    return replace(wide_book(), phrases=parts)


@cache
def fillers(held_out: bool) -> tuple[str, ...]:
    """Return one part's sentences that mean nothing to the game."""
    return tuple(f for i, f in enumerate(_spoken().filler) if (i % HELD_OUT_STEP == 1) is held_out)


def _part(phrases: tuple[Phrase, ...], held_out: bool) -> tuple[Phrase, ...]:
    kept = tuple(p for i, p in enumerate(phrases) if (i % HELD_OUT_STEP == 1) is held_out)
    return kept or phrases


def worded(
    acts: tuple[DialogueAct, ...],
    card: TaskCard,
    game: GameState,
    seed: int,
    held_out: bool = False,
    filled: float = FILLED,
) -> str:
    """Return the agent's acts as text; silence is "". ``filled``: chance of a sentence that means nothing."""
    text = word(acts, card, context_of(card, game, "agent"), split_book(held_out), seed, int(game.turn))
    rng = np.random.default_rng((Stream.FILLER, seed))
    if not text or rng.random() >= filled:
        return text
    filler = str(rng.choice(fillers(held_out))).replace("{city}", card.hotel.city)
    return f"{text} {filler}" if rng.random() < 0.7 else f"{filler} {text}"


Acts = tuple[DialogueAct, ...]

HABITS = (
    "reason", "reason", "reason", "ask", "step", "step", "step", "bare bid", "take", "soothe", "promise", "stale",
    "chatter", "nudge", "reason and ask", "take one", "large step", "unmoved", "pressure",
)  # fmt: skip
"""What the agent does on the way to a situation; repeated entries are likelier."""

CANDIDATES = (
    "opening", "opening", "reason", "reason", "ask", "step", "step", "take", "take", "soothe and reason", "promise",
    "reason and ask", "nudge", "take good", "settle", "settle",
    "bare bid", "large step", "unmoved", "retreat", "above quote", "absurd", "take one", "press", "mistaken", "soothe",
    "stale", "chatter", "ask again", "close", "silence", "off topic", "pressure", "insult", "over-promise",
    "false fact", "greet",
)  # fmt: skip
"""What candidate replies are drawn from: good replies first, then each failing."""

ROUTINE = frozenset({"opening", "reason", "ask", "step", "soothe and reason", "promise", "reason and ask", "nudge"})
"""An honest agent's habits on the way to a deal."""
HONEST = ROUTINE | {"take good", "settle"}
"""With the deal."""

_TACTICS = tuple(range(int(Tactic.EXPOSURE), int(Tactic.PRESSURE)))


def draw_acts(habit: str, card: TaskCard, game: GameState, rng: np.random.Generator) -> Acts:
    """Return the acts of a habit in a situation. Where it has no room to act (nothing to take), the agent reasons."""
    acts = _talk(habit, card, game, rng) or _deal(habit, card, game, rng)
    if not acts:
        acts = _reasons(card, game, rng, fresh=True)
    return tuple(acts)


def _talk(habit: str, card: TaskCard, game: GameState, rng: np.random.Generator) -> list[DialogueAct]:
    """Return the acts of the habits that name no price."""
    reason = _reasons(card, game, rng, fresh=True)
    if habit in ("opening", "nudge"):
        more = [DialogueAct(Act.ASK, detail="price")] if rng.random() < 0.3 else []
        return [DialogueAct(Act.GREET), *reason, *more]
    if habit == "reason and ask":
        return [*reason, DialogueAct(Act.ASK, detail="price")]
    if habit == "soothe and reason":
        return [DialogueAct(Act.SOOTHE), *reason]
    if habit == "stale":
        return _reasons(card, game, rng, fresh=False)
    if habit == "false fact":
        tactic = Tactic(int(rng.choice([Tactic.EXPOSURE, Tactic.CONVERSION, Tactic.COMPETITOR])))
        true = float(fact_figure(card.facts, tactic) or 0)
        figure = float(round(true * (0.7 if tactic is Tactic.COMPETITOR else 1.5 + rng.random()))) + 3.0
        return [DialogueAct(Act.INFORM, tactic, figure=figure)]
    if habit == "over-promise":
        return [DialogueAct(Act.PROMISE, detail=str(rng.choice(sorted(FORBIDDEN_PROMISES))))]
    if habit == "promise":
        return [*reason, DialogueAct(Act.PROMISE, detail=str(rng.choice(card.promises)))]
    single = {
        "ask": DialogueAct(Act.ASK, detail="price"),
        "ask again": DialogueAct(Act.ASK, detail="price"),
        "soothe": DialogueAct(Act.SOOTHE),
        "chatter": DialogueAct(Act.SOOTHE if rng.random() < 0.5 else Act.GREET),
        "greet": DialogueAct(Act.GREET),
        "close": DialogueAct(Act.CLOSE, detail="bye"),
        "silence": DialogueAct(Act.SILENCE),
        "off topic": DialogueAct(Act.OFF_TOPIC),
        "pressure": DialogueAct(Act.INFORM, Tactic.PRESSURE),
        "insult": DialogueAct(Act.INFORM, Tactic.PRESSURE, detail="insult"),
    }
    return [single[habit]] if habit in single else []


def _reasons(card: TaskCard, game: GameState, rng: np.random.Generator, fresh: bool) -> list[DialogueAct]:
    """Return one or two reasons with the card's figures: fresh ones if there are any left, or used ones."""
    wanted = [t for t in _TACTICS if (game.used[t] == 0) is fresh] or list(_TACTICS)
    count = min(len(wanted), 1 + int(rng.random() < 0.3))
    acts = []
    for t in rng.choice(wanted, size=count, replace=False):
        tactic = Tactic(int(t))
        figure = fact_figure(card.facts, tactic)
        acts.append(DialogueAct(Act.INFORM, tactic, figure=None if figure is None else abs(float(figure))))
    return acts


def _deal(habit: str, card: TaskCard, game: GameState, rng: np.random.Generator) -> list[DialogueAct]:
    """Return the acts of the habits that name prices, for every open ticket unless the habit is to drop some."""
    free = unsettled(game)
    if habit in ("take", "take one", "take good", "take cuts"):
        ready = [k for k in free if game.quoted[k]]
        if habit == "take cuts":
            ready = [k for k in ready if game.quote[k] < game.card.selling[k]]
        if habit == "take good":
            ready = [k for k in ready if game.quote[k] <= game.card.target[k]]
        ready = ready[:1] if habit == "take one" else ready
        return [_price(Act.CONFIRM, game, k, game.quote[k]) for k in ready]
    if habit == "settle":
        good = [k for k in free if game.quoted[k] and game.quote[k] <= game.card.target[k]]
        rest = [k for k in free if k not in good and _bid("step", card, game, k, rng) > 0.0] if good else []
        steps = [_offer(game, k, _bid("step", card, game, k, rng)) for k in rest]
        return [_price(Act.CONFIRM, game, k, game.quote[k]) for k in good] + steps
    if habit == "press":
        ready = [k for k in free if game.quoted[k] and game.quote[k] <= game.card.target[k]]
        return [_price(Act.COUNTER, game, k, game.quote[k] * (0.93 + 0.05 * rng.random())) for k in ready]
    if habit == "mistaken":
        wrong = [k for k in free if not game.quoted[k]] or free
        return [_price(Act.CONFIRM, game, k, game.quote[k] * (0.9 + 0.06 * rng.random())) for k in wrong[:1]]
    acts = []
    for k in free:
        bid = _bid(habit, card, game, k, rng)
        if bid > 0.0:
            acts.append(_offer(game, k, bid))
    if habit == "step" and acts and rng.random() < 0.7:
        acts = _reasons(card, game, rng, fresh=rng.random() < 0.8)[:1] + acts
    return acts


def _bid(habit: str, card: TaskCard, game: GameState, k: int, rng: np.random.Generator) -> float:
    """Return the selling price that a habit bids on ticket ``k``; 0 if it bids none."""
    selling, target = float(card.tickets[k].selling_price), float(card.tickets[k].target_price)
    last, quote = float(game.bid[k]), float(game.quote[k])
    if habit in ("step", "bare bid"):
        first = target - (0.2 + 0.6 * rng.random()) * (selling - target)
        return min(last + (0.01 + 0.04 * rng.random()) * selling, quote - 1.0) if last > 0.0 else min(first, quote - 1)
    if habit == "large step":
        return min(max(last, 0.8 * target) + 0.09 * selling, quote)
    if habit == "unmoved":
        return last
    if habit == "retreat":
        return last * 0.95 if last > 0.0 else 0.0
    if habit == "above quote":
        return quote * 1.06
    return 0.52 * selling if habit == "absurd" else 0.0


def _offer(game: GameState, k: int, bid: float) -> DialogueAct:
    """Return a bid: a counter where the hotel has named a figure."""
    return _price(Act.COUNTER if game.quoted[k] else Act.PROPOSE, game, k, bid)


def _price(kind: Act, game: GameState, k: int, selling: float) -> DialogueAct:
    """Return a priced act in the price type that was last named."""
    price_type = PriceType.NET if game.net else PriceType.SELLING
    price = said_price(selling, game.card.commission[k], price_type)
    return DialogueAct(kind, price=price, price_type=price_type, ticket=k)
