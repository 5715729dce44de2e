"""Named measurements for rules: what a pattern cannot see.

Each takes the reply's view and its prepared text and returns a number that a rule compares with ``above``. They know
the public state and the card, never anything of the manager's private side.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from negotiation_env.game.acts import PriceType
from negotiation_env.language.claims import Claim
from negotiation_env.play.protocols import ReplyView
from rewards.judge.judge_orders import orders
from rewards.rules.plain_text import Prepared, as_latin, token_set, tokens_of
from rewards.rules.reply_figures import figures_of, mixed_types, phone_count, strange_figures

OWN_MESSAGES = 3
"""How many of its own last messages a reply is compared with."""

_SIMILAR = 0.8
"""Overlaps of messages below this are not told apart: they count as 0."""
_LATIN_END = 0x300
"""First code point after the first Latin blocks."""
_WHOLE_WORD = 5
"""A shorter word all of look-alikes may still be a disguised one."""
_WORD = re.compile(r"[^\W\d_]+")

Measure = Callable[[ReplyView, Prepared, Sequence[str]], float]
"""Takes the reply's view, its prepared text, and the rule's phrases."""


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


def foreign_letters(view: ReplyView, prepared: Prepared, phrases: Sequence[str]) -> float:
    """Share of letters in words that are not Latin, 0 to 1; 0 where the manager itself writes another script.

    A Latin word with look-alikes of another alphabet in it is disguised, not foreign.
    """
    if prepared.ascii or any(_is_foreign(word) for u in view.manager_said for word in _WORD.findall(u.text)):
        return 0.0
    words = _WORD.findall(prepared.raw)
    foreign = sum(len(word) for word in words if _is_foreign(word))
    return foreign / sum(map(len, words)) if words else 0.0


def _is_foreign(word: str) -> bool:
    """Whether a word is of another script: with its look-alikes made Latin, or all of a longer word as written."""
    if word.isascii() or not any(_is_other(c) for c in word):
        return False
    return any(_is_other(c) for c in as_latin(word)) or (len(word) >= _WHOLE_WORD and all(_is_other(c) for c in word))


def _is_other(letter: str) -> bool:
    """Whether a letter is of no Latin block: basic, extended, phonetic, small capitals or with marks."""
    code = ord(letter)
    return code >= _LATIN_END and not (0x1D00 <= code < 0x1DC0 or 0x1E00 <= code < 0x1F00 or 0xA720 <= code < 0xA800)


def figures_not_allowed(view: ReplyView, prepared: Prepared, phrases: Sequence[str]) -> float:
    """Number of figures that neither the card, nor the dialogue, nor a plausible bid, nor arithmetic allows."""
    return float(strange_figures(view, prepared))


def phone_numbers(view: ReplyView, prepared: Prepared, phrases: Sequence[str]) -> float:
    """Number of mobile phone numbers."""
    if not prepared.digits:
        return 0.0
    return float(phone_count(prepared.text) or (prepared.plain is not prepared.text and phone_count(prepared.plain)))


def unfounded_thanks(view: ReplyView, prepared: Prepared, phrases: Sequence[str]) -> float:
    """1 if a watched phrase (thanks for agreeing, say) is said though the hotel has committed to no such figure."""
    if not any(p in prepared.text or p in prepared.plain for p in phrases):
        return 0.0
    game, count = view.game, len(view.card.tickets)
    stand = [game.quote[k] for k in range(count) if game.quoted[k] or game.agreed[k] > 0.0]
    if not stand:
        return 1.0
    known = [*stand, *(quote * (1.0 - c) for quote in stand for c in game.card.commission)]
    said = [f.value for f in figures_of(prepared.text) if not f.percent and f.value >= 100.0]
    return float(bool(said) and not any(abs(value - k) <= 1.5 for value in said for k in known))


def price_type_mixups(view: ReplyView, prepared: Prepared, phrases: Sequence[str]) -> float:
    """Number of prices said as the wrong type (net or selling), in figures or in words."""
    mixed = mixed_types(view, prepared) if prepared.digits else None
    if mixed is not None:
        return float(mixed)
    card = view.game.card
    limit = max(card.selling) * (1.0 - card.commission[0]) + 2.0
    return float(sum(a.price_type is PriceType.NET and a.price is not None and a.price > limit for a in view.acts))


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
    "figures-not-allowed": figures_not_allowed,
    "phone-numbers": phone_numbers,
    "unfounded-thanks": unfounded_thanks,
    "price-type-mixups": price_type_mixups,
    "judge-orders": judge_orders,
    "false-claims": false_claims,
}
"""Measurements by the name that ``rules.toml`` uses."""
LENGTHS = frozenset({"characters", "words"})
"""Measurements that are at most the number of characters."""
