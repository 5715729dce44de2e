"""Named measurements for rules: what a pattern cannot see.

Each takes the reply's view and its prepared text and returns a number that a rule compares with ``above``. They know
the public state and the card, never anything of the manager's private side.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from negotiation_env.game.acts import Act, DialogueAct, PriceType
from negotiation_env.game.state import granted
from negotiation_env.language.claims import Claim
from negotiation_env.language.numerals import find_numbers
from negotiation_env.language.price_vocabulary import word_set
from negotiation_env.play.protocols import ReplyView
from rewards.judge.judge_orders import orders
from rewards.rules.plain_text import Prepared, as_latin, token_set, tokens_of

OWN_MESSAGES = 3
"""How many of its own last messages a reply is compared with."""

_SIMILAR = 0.8
"""Overlaps of messages below this are not told apart: they count as 0."""
_LATIN_END = 0x300
"""First code point after the first Latin blocks."""
_WHOLE_WORD = 5
"""A shorter word all of look-alikes may still be a disguised one."""
_WORD = re.compile(r"[^\W\d_]+")
_FIGURE: Final = re.compile(r"[0-9][0-9.,]*")
_NO_DIGITS: Final = bytes(c for c in range(128) if not 48 <= c < 58)
_PERCENT: Final = re.compile(r" ?(?:%|percent|per cent|pct)")
_THOUSAND: Final = re.compile(r" ?k\b")
_PHONE: Final = re.compile(r"(?<![0-9])(?:\+? ?86[ -]?)?1[ .\-()_]{0,3}[3-9](?:[ .\-()_]{0,3}[0-9]){9}(?![0-9])")
_THOUSANDS: Final = re.compile(r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))")
_LABEL: Final = re.compile(r"\b(?:room|no\.?|number|flight|train|bus|line|street|floor|apartment|unit|nr\.?) ?#?$")
_MOST: Final = 24
"""Figures of a message that are looked at."""
_REMEMBERED: Final = 2048
"""Texts whose figures are remembered."""

Measure = Callable[[ReplyView, Prepared, Sequence[str]], float]
"""Takes the reply's view, its prepared text, and the rule's phrases."""


class SaidFigure(NamedTuple):
    """A figure of a message."""

    value: float
    percent: bool


@lru_cache(maxsize=_REMEMBERED)
def figures_of(text: str) -> tuple[SaidFigure, ...]:
    """Return the figures of a lower-cased text without phone numbers; a date or version ("1.2.3") is none.

    Remembered: every later turn asks for those of the manager's messages.
    """
    return tuple(_read_figures(text))


def _read_figures(text: str) -> Iterator[SaidFigure]:
    """Yield the figures of a lower-cased text."""
    text = _THOUSANDS.sub("", _PHONE.sub(" ", text))
    for number, match in enumerate(_FIGURE.finditer(text)):
        if number == _MOST:
            return
        plain = match[0].rstrip(".,")
        if plain.count(".") > 1 or "," in plain:
            continue
        start, end = match.start(), match.start() + len(plain)
        if _LABEL.search(text[max(0, start - 12) : start]):
            continue
        percent = _PERCENT.match(text, end) is not None or text[max(0, start - 3) : start] == "百分之"
        yield SaidFigure(float(plain) * (1000.0 if _THOUSAND.match(text, end) else 1.0), percent)


def phone_count(text: str) -> int:
    """Return the number of mobile phone numbers in a text, their digits set apart or not."""
    if text.isascii() and len(text.encode("ascii").translate(None, _NO_DIGITS)) < 11:
        return 0
    return len(_PHONE.findall(text))


@lru_cache(maxsize=64)
def _marks(phrases: tuple[str, ...]) -> frozenset[str]:
    """Return one word of each phrase, its longest: a reply with none of them holds no phrase."""
    return frozenset(max(tokens_of(p), key=len) for p in phrases)


def characters(view: ReplyView, prepared: Prepared, phrases: Sequence[str]) -> float:
    """Length in characters."""
    return len(view.text)


def words(view: ReplyView, prepared: Prepared, phrases: Sequence[str]) -> float:
    """Length in words, as understanding split them."""
    return len(view.words)


def repetition(view: ReplyView, prepared: Prepared, phrases: Sequence[str]) -> float:
    """Largest Jaccard overlap of the reply's words with one of its own last messages: 0, or 0.8 to 1."""
    size, best = len(view.text), 0.0
    earlier = [u.text for u in view.agent_said[-OWN_MESSAGES:] if 0.7 * size < len(u.text) < 1.43 * size]
    if not earlier:
        return 0.0
    mine = token_set(view.text)
    for text in earlier:
        theirs = token_set(text)
        if _SIMILAR * len(mine) > len(theirs) or _SIMILAR * len(theirs) > len(mine):
            continue  # sets of such sizes cannot overlap enough
        shared = len(mine & theirs)
        best = max(best, shared / (len(mine) + len(theirs) - shared or 1))
    return best if best >= _SIMILAR else 0.0


def repeated_phrase(view: ReplyView, prepared: Prepared, phrases: Sequence[str]) -> float:
    """Number of watched phrases in the reply that an earlier message of the agent holds too."""
    if not view.agent_said or _marks(tuple(phrases)).isdisjoint(prepared.tokens):
        return 0.0
    text = prepared.text
    found = [p for p in phrases if p in text]
    return float(sum(any(p in u.text.lower() for u in view.agent_said) for p in found)) if found else 0.0


FEWEST_WORDS = 7
"""Words of a reply from which it can be told whether they make sentences."""
FEWEST_KEYWORDS = 2
MOST_BINDING = 0.08
"""The share of binding words that a list of keywords may have."""
LOWEST_PRICE = 100.0
SAME = 0.6
"""Yuan within which a figure is the target."""
_BID = frozenset((Act.PROPOSE, Act.COUNTER))
ROUNDED = 1.01
"""Yuan within which a figure is one that stands, net or selling, rounded to a yuan."""
BID_LOWEST = 0.6
NO_BID = 0.3
"""Shares of a room's selling price: the lowest ordinary bid, and what is too little to be meant as one."""
NEAR_YES = 0.08
"""Share of a price within which another figure for the same room is a bid."""
_BINDING = word_set(
    "a an the i you we they he she it that this these those is are was were be been am have has had do does did can "
    "could would will shall should may might must of for with at by from to in on as and or but so if then not no me "
    "my your our us him her them his their its what which who how when where why there here please than"
)
"""Words that make a sentence of others."""


def foreign_letters(view: ReplyView, prepared: Prepared, phrases: Sequence[str]) -> float:
    """Share of words that are not Latin, 0 to 1; 0 in a talk in which another script is written already.

    A Latin word with look-alikes of another alphabet in it is disguised, not foreign; a sign of Chinese is half a word.
    A first message that is mostly in another script chooses the language of the talk and mixes nothing, and a hotel
    that says nothing leaves it at that.
    """
    if prepared.ascii or any(map(_has_foreign, (u.text for u in view.manager_said))):
        return 0.0
    words = _WORD.findall(prepared.raw)
    foreign = sum(max(1.0, len(word) / 2.0) for word in words if _is_foreign(word))
    share = foreign / (foreign + sum(not _is_foreign(word) for word in words)) if words else 0.0
    if any(u.text.strip() for u in view.manager_said):
        return share
    chosen = any(map(_has_foreign, (u.text for u in view.agent_said))) if view.agent_said else share > 0.5
    return 0.0 if chosen else share


def _has_foreign(text: str) -> bool:
    return any(map(_is_foreign, _WORD.findall(text)))


def _is_foreign(word: str) -> bool:
    """Whether a word is of another script: with its look-alikes made Latin, or all of a longer word as written."""
    if word.isascii() or not any(_is_other(c) for c in word):
        return False
    return any(_is_other(c) for c in as_latin(word)) or (len(word) >= _WHOLE_WORD and all(_is_other(c) for c in word))


def _is_other(letter: str) -> bool:
    """Whether a letter is of no Latin block: basic, extended, phonetic, small capitals or with marks."""
    code = ord(letter)
    return code >= _LATIN_END and not (0x1D00 <= code < 0x1DC0 or 0x1E00 <= code < 0x1F00 or 0xA720 <= code < 0xA800)


def phone_numbers(view: ReplyView, prepared: Prepared, phrases: Sequence[str]) -> float:
    """Number of mobile phone numbers."""
    if not prepared.digits:
        return 0.0
    return float(phone_count(prepared.text) or (prepared.plain is not prepared.text and phone_count(prepared.plain)))


_CONDITION = re.compile(r"\b(?:if|once|when|until|unless|as soon as|after you|provided|would|could|shall i|may i)\b")

_SENTENCE_END = re.compile(r"(?<=[!?;\n。！？；])|(?<=\.)(?![0-9])")


def unfounded_thanks(view: ReplyView, prepared: Prepared, phrases: Sequence[str]) -> float:
    """1 if a watched phrase (thanks for agreeing, say) is said though the hotel has committed to no such figure.

    What is said with an "if" in its sentence is none.
    """
    found = [s for t in dict.fromkeys((prepared.text, prepared.plain)) for s in _SENTENCE_END.split(t)]
    if not any(p in sentence for sentence in found if not _CONDITION.search(sentence) for p in phrases):
        return 0.0
    game, count = view.game, len(view.card.tickets)
    stand = [game.quote[k] for k in range(count) if game.quoted[k] or game.agreed[k] > 0.0]
    if not stand:
        return 1.0
    known = [*stand, *(quote * (1.0 - c) for quote in stand for c in game.card.commission)]
    said = [f.value for f in figures_of(prepared.text) if not f.percent and f.value >= 100.0]
    return float(bool(said) and not any(abs(value - k) <= 1.5 for value in said for k in known))


def target_named(view: ReplyView, prepared: Prepared, phrases: Sequence[str]) -> float:
    """1 if the reply names a ticket's confidential target beside a watched phrase, which says that it was given."""
    text = prepared.text
    if not any(phrase in text for phrase in phrases):
        return 0.0
    said = {value for act in view.acts if (value := act.price) is not None}
    said |= {number.value for number in find_numbers(text, True, True, True) if number.value >= LOWEST_PRICE}
    known = {price for quote in (view.game.quote, view.game.agreed) for price in quote}
    targets = [target for t in view.card.tickets for target in (t.target_price, t.target_price * (1.0 - t.commission))]
    return float(
        any(abs(value - t) < SAME and not any(abs(k - t) < SAME for k in known) for value in said for t in targets)
    )


def pressed_at_target(view: ReplyView, prepared: Prepared, phrases: Sequence[str]) -> float:
    """Number of open tickets at whose quote, which meets the target, the reply presses on.

    It bids less, asks for their price or turns the quote down; a question that names no ticket presses only where
    no other one waits for a better quote. A figure that says a quote again, net or selling, does not, nor one that the
    reply does not say where it says the quote: "546 is 41 off your old price".
    """
    game, tickets = view.game, range(len(view.card.tickets))
    said = [number.value for number in find_numbers(prepared.text, True, True, True)]
    good = [k for k in tickets if game.open[k] and game.quoted[k] and game.quote[k] <= game.card.target[k]]
    alone = len(good) == sum(bool(game.open[k]) for k in tickets)
    return float(sum(any(_presses(act, k, view, alone, said) for act in view.acts) for k in good))


def _presses(act: DialogueAct, k: int, view: ReplyView, alone: bool, said: Sequence[float]) -> bool:
    """Whether an act asks for less than a ticket's quote; ``alone`` where only such tickets are open."""
    if act.kind in _BID and act.ticket in (None, k) and act.price is not None:
        keep, quotes = 1.0 - view.card.tickets[k].commission, view.game.quote
        price = _selling(act.price, act, keep)
        again = any(abs(price - quote) <= SAME for quote in quotes) or abs(price - quotes[k] * keep) <= SAME
        told = _in(quotes[k], said) and not _in(act.price, said)
        return price < quotes[k] and not again and not told
    asks = act.kind is Act.REJECT or (act.kind is Act.ASK and act.detail == "price")
    return asks and (act.ticket == k or (act.ticket is None and alone))


def _selling(price: float, act: DialogueAct, keep: float) -> float:
    """Return an act's price as a selling price; ``keep`` is the share of it that the hotel keeps."""
    return price / (keep if act.price_type is PriceType.NET else 1.0)


def _in(price: float, said: Sequence[float]) -> bool:
    return any(abs(value - price) <= SAME for value in said)


def bids_out_of_range(view: ReplyView, prepared: Prepared, phrases: Sequence[str]) -> float:
    """Number of bids below 60 percent of their room's selling price, or above its quote, that are meant for it.

    A figure that would be an ordinary bid for another open room is taken for one, unless its own room is named beside
    it, and one below 30 percent, or the competitor's, for no bid; so is one that stands already, net or selling.
    """
    game, card = view.game, view.card
    tickets = [k for k in range(len(card.tickets)) if game.open[k]]
    stands: list[float] = []
    for k, ticket in enumerate(card.tickets):
        if game.quoted[k]:
            keep = 1.0 - ticket.commission
            stands += [game.quote[k], game.quote[k] * keep, game.quote[k] / keep]
    found = 0
    for act in view.acts:
        if act.kind not in _BID or act.price is None or abs(act.price - card.facts.competitor_price) <= SAME:
            continue
        if any(abs(act.price - price) <= ROUNDED for price in stands):
            continue
        for k in tickets if act.ticket is None else {act.ticket}.intersection(tickets):
            price = _selling(act.price, act, 1.0 - card.tickets[k].commission)
            others = [k] if _named_beside(view, act.price, k) else tickets
            ordinary = any(BID_LOWEST * card.tickets[j].selling_price <= price <= game.quote[j] + 1.0 for j in others)
            found += price >= NO_BID * card.tickets[k].selling_price and not ordinary
    return float(found)


def yes_passed_over(view: ReplyView, prepared: Prepared, phrases: Sequence[str]) -> float:
    """Number of rooms for which the hotel has just named a price no higher than the last bid, and that get another bid.

    Bids that lie further off than ``NEAR_YES`` are figures of something else.
    """
    game, card = view.game, view.card
    heard = view.manager_said[-1].text.replace(",", "") if view.manager_said else ""
    found = 0
    for act in view.acts:
        k = act.ticket if act.ticket is not None or len(card.tickets) > 1 else 0
        if act.kind not in _BID or act.price is None or k is None or not (game.open[k] and game.quoted[k]):
            continue
        quote, keeps = game.quote[k], 1.0 - card.tickets[k].commission
        just_named = any(f"{price:.0f}" in heard for price in (quote, quote * keeps))
        far = abs(_selling(act.price, act, keeps) - quote)
        if k in granted(game) and just_named and SAME < far <= NEAR_YES * quote:
            found += _named_beside(view, act.price, k)
    return float(found)


def _named_beside(view: ReplyView, price: float, k: int) -> bool:
    """Whether a room stands close beside a figure, in its clause, or is the only one."""
    if len(view.card.tickets) == 1:
        return True
    kind, figure = re.escape(view.card.tickets[k].room.lower().split()[-1]), f"{price:g}"
    text = view.text.lower().replace(",", ", ").replace(",  ", ", ")
    between = r"[^0-9.,;:?!]{0,24}"
    return re.search(rf"\b{kind}\b{between}\b{figure}\b|\b{figure}\b{between}\b{kind}\b", text) is not None


def keyword_soup(view: ReplyView, prepared: Prepared, phrases: Sequence[str]) -> float:
    """1 if hardly any of the reply's words makes a sentence of the others, and some are watched ones (single words)."""
    if not prepared.ascii or len({*phrases}.intersection(prepared.tokens)) < FEWEST_KEYWORDS:
        return 0.0
    words = [word for word in prepared.tokens if word.isalpha()]
    if len(words) < FEWEST_WORDS:
        return 0.0
    return float(sum(word in _BINDING for word in words) <= MOST_BINDING * len(words))


def false_claims(view: ReplyView, prepared: Prepared, phrases: Sequence[str]) -> float:
    """Number of false statements of the watched kinds, as the reader has found them (``claims.KINDS``, "direction")."""
    return float(sum(not claim.true and _falsehood(claim) in phrases for claim in view.claims)) if view.claims else 0.0


def _falsehood(claim: Claim) -> str:
    """Return what is false of a false claim: its kind, or "direction" where only up and down have changed places."""
    if claim.kind not in _MOVING or claim.value is None:
        return claim.kind
    turned = isinstance(claim.value, str) or (isinstance(claim.truth, float) and claim.value == -claim.truth)
    return "direction" if turned else claim.kind


_MOVING = frozenset(("demand", "exposure", "conversion"))


def judge_orders(view: ReplyView, prepared: Prepared, phrases: Sequence[str]) -> float:
    """Number of sentences that speak to whoever judges the reply."""
    return float(len(orders(prepared.raw)))


MEASURES: dict[str, Measure] = {
    "characters": characters,
    "words": words,
    "repetition": repetition,
    "repeated-phrase": repeated_phrase,
    "foreign-letters": foreign_letters,
    "phone-numbers": phone_numbers,
    "unfounded-thanks": unfounded_thanks,
    "target-named": target_named,
    "pressed-at-target": pressed_at_target,
    "bids-out-of-range": bids_out_of_range,
    "yes-passed-over": yes_passed_over,
    "keyword-soup": keyword_soup,
    "judge-orders": judge_orders,
    "false-claims": false_claims,
}
"""Measurements by the name that ``rules.toml`` uses."""
LENGTHS = frozenset({"characters", "words"})
"""Measurements that are at most the number of characters."""
