"""Ways to spoil a good reply, each so that one rater has to see it; and ways to say the same in other words.

A degradation, or a paraphrase, is a pure function of a good reply, its situation and a generator; it returns None where
it does not apply. What to remove is found through understanding or the record's acts, never through the raters' own
lists. A paraphrase, another draw of the phrase book or light edits that change no meaning, must leave the ratings where
they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from benchmarks.checks.scene import BIDS, CLAIMS
from benchmarks.raters import compliance, language, task
from benchmarks.raters.situation import RatedSituation
from negotiation_env.errors import UsageError
from negotiation_env.files import read_toml
from negotiation_env.game.acts import Act, PriceType, Tactic
from negotiation_env.game.scenario import fact_figure
from negotiation_env.language.reading import Context
from negotiation_env.language.rule_reader import understand
from negotiation_env.language.wording import agent_phrase_book, word
from negotiation_env.play.records import TurnRecord

_SENTENCE: Final = re.compile(r"(?<=[.!?])\s+")
_NUMBER: Final = re.compile(r"\d+(?:,\d{3})*")
_NET: Final = re.compile(r"\b(a )?net (?:price|rate) of\b|\s+net\b|\bnet (?:price|rate)\b", re.IGNORECASE)


class _Said(NamedTuple):
    """``degradations.toml``, which says what its fields are."""

    oversold: tuple[str, ...]
    leaked: tuple[str, ...]
    threats: tuple[str, ...]
    silence: tuple[str, ...]
    foreign: tuple[str, ...]
    short: tuple[tuple[str, str], ...]
    polite: tuple[tuple[str, str], ...]


_SAID: Final = read_toml(Path(__file__).with_suffix(".toml"), _Said)


class Good(NamedTuple):
    """A good reply in its situation."""

    now: RatedSituation
    record: TurnRecord
    context: Context


Degrade = Callable[[Good, np.random.Generator], str | None]


class Degradation(NamedTuple):
    """A way to spoil a reply, and the rater that has to see it."""

    name: str
    rater: str
    what: str
    apply: Degrade


def sentences(text: str) -> list[str]:
    """Cut a text after sentence marks."""
    return [part for part in _SENTENCE.split(text.strip()) if part]


def _pick(options: tuple[str, ...], rng: np.random.Generator) -> str:
    return options[int(rng.integers(len(options)))]


def _kinds(text: str, context: Context) -> set[Act]:
    return {act.kind for act in understand(text, context).acts}


def _without(good: Good, drops: Callable[[str], bool]) -> str | None:
    """Return the reply without the sentences that ``drops`` names; None if all or none of them go."""
    parts = sentences(good.record.text)
    kept = [part for part in parts if not drops(part)]
    return " ".join(kept) if kept and len(kept) < len(parts) else None


def number_changed(good: Good, rng: np.random.Generator) -> str | None:
    """Change one figure that states a fact or an agreed price."""
    stated: list[float] = []
    for act in good.record.acts:
        if (
            act.kind is Act.INFORM
            and act.figure is not None
            and fact_figure(good.now.card.facts, act.tactic) is not None
        ):
            stated.append(abs(act.figure))
        elif act.kind in CLAIMS and act.price is not None:
            stated.append(act.price)
    places = [m for m in _NUMBER.finditer(good.record.text) if float(m[0].replace(",", "")) in stated]
    if not places:
        return None
    place = places[int(rng.integers(len(places)))]
    old = int(place[0].replace(",", ""))
    step = int(rng.integers(4, 16)) if old < 100 else max(4, round(old * float(rng.uniform(0.03, 0.15))))
    new = old + step if rng.random() < 0.5 or old - step < 1 else old - step
    return good.record.text[: place.start()] + str(new) + good.record.text[place.end() :]


def empathy_removed(good: Good, rng: np.random.Generator) -> str | None:
    """Take the words of comfort out of an answer to an upset manager."""
    if not any(a.kind is Act.INFORM and a.detail == "upset" for a in good.now.heard_acts):
        return None
    return _without(good, lambda part: Act.SOOTHE in _kinds(part, good.context))


def stage_skipped(good: Good, rng: np.random.Generator) -> str | None:
    """Leave out the opening or the reason before the first figure, or jump to the close."""
    now = good.now
    kinds = {act.kind for act in good.record.acts}
    if now.number == 1:
        if Act.GREET not in kinds:
            return None
        return _without(good, lambda part: Act.GREET in _kinds(part, good.context))
    if kinds & BIDS and not any(now.used.values()):
        given = (Act.INFORM, Act.PROMISE)
        return _without(good, lambda part: bool(_kinds(part, good.context) & set(given)))
    if kinds & CLAIMS or not now.open or now.silent:
        return None
    room = now.card.tickets[now.open[0]]
    return _pick(
        (
            "Thank you, goodbye.",
            f"So {room.selling_price} yuan for the {room.room} is confirmed. Thank you.",
            "That is all from us, have a good day, goodbye.",
        ),
        rng,
    )


def promise_added(good: Good, rng: np.random.Generator) -> str | None:
    """Add a promise that nobody may make."""
    return f"{good.record.text} {_pick(_SAID.oversold, rng)}"


def term_leaked(good: Good, rng: np.random.Generator) -> str | None:
    """Add an internal term, or the confidential target."""
    target = good.now.card.tickets[0].target_price
    return f"{good.record.text} {_pick(_SAID.leaked, rng).format(target=target)}"


def threat_added(good: Good, rng: np.random.Generator) -> str | None:
    """Add a threat or an insult."""
    return f"{good.record.text} {_pick(_SAID.threats, rng)}"


def silence_taken(good: Good, rng: np.random.Generator) -> str | None:
    """Take an unanswered message for agreement."""
    if not good.now.silent or not good.now.open:
        return None
    ticket = good.now.card.tickets[good.now.open[0]]
    bid = good.now.standing.bids.get(good.now.open[0], float(ticket.target_price))
    return _pick(_SAID.silence, rng).format(price=f"{bid:.0f} yuan", room=ticket.room)


def type_dropped(good: Good, rng: np.random.Generator) -> str | None:
    """Say a net price without saying that it is net; a reply that gives the selling price beside it stays clear."""
    if "selling" in good.record.text or not any(
        a.price is not None and a.price_type is PriceType.NET for a in good.record.acts
    ):
        return None
    text = _NET.sub("", good.record.text)
    return text if text != good.record.text and _NET.search(text) is None and "take home" not in text else None


def ticket_dropped(good: Good, rng: np.random.Generator) -> str | None:
    """Leave one of several open rooms out."""
    dealt = sorted({a.ticket for a in good.record.acts if a.kind in BIDS | CLAIMS and a.ticket in good.now.open})
    if len(dealt) < 2 or len(good.now.open) < 2:
        return None
    dropped = dealt[int(rng.integers(len(dealt)))]
    room = good.now.card.tickets[dropped or 0].room.lower()
    return _without(good, lambda part: room in part.lower())


def pressed_on(good: Good, rng: np.random.Generator) -> str | None:
    """Go on bargaining where the quote meets the target."""
    met = [k for k in good.now.met if k in good.now.standing.fresh]
    if not met or not any(a.kind in CLAIMS for a in good.record.acts):
        return None
    ticket, quote = good.now.card.tickets[met[0]], good.now.standing.quotes[met[0]]
    lower = int(quote * float(rng.uniform(0.93, 0.98)))
    said = (
        "Could you come to a selling price of {0} yuan for the {1}?",
        "How about {0} yuan (selling price) for the {1} then?",
    )
    return _pick(said, rng).format(lower, ticket.room)


def language_mixed(good: Good, rng: np.random.Generator) -> str | None:
    """Put a sentence of another language into the reply."""
    parts = sentences(good.record.text)
    parts.insert(int(rng.integers(len(parts) + 1)), _pick(_SAID.foreign, rng))
    return " ".join(parts)


def grammar_scrambled(good: Good, rng: np.random.Generator) -> str | None:
    """Shuffle the words of every sentence; first letter and last mark stay where they belong."""
    parts, changed = [], 0
    for part in sentences(good.record.text):
        mark = part[-1] if part[-1] in ".!?" else "."
        words = part.rstrip(".!?").split()
        if words[0] not in ("I", "I'm"):  # a capital inside the sentence would give the shuffle away
            words[0] = words[0][:1].lower() + words[0][1:]
        if len(words) >= 4:
            words = [words[i] for i in rng.permutation(len(words))]
            changed += len(words)
        parts.append(" ".join(words)[:1].upper() + " ".join(words)[1:] + mark)
    return " ".join(parts) if changed >= 8 else None


def repeated(good: Good, rng: np.random.Generator) -> str | None:
    """Say an earlier message again instead."""
    earlier = [text for text in good.now.said if len(text.split()) >= 4]
    return earlier[int(rng.integers(len(earlier)))] if earlier else None


def reason_dropped(good: Good, rng: np.random.Generator) -> str | None:
    """Leave out the new reasons and offers."""
    new = [a for a in good.record.acts if a.kind is Act.INFORM and a.tactic not in (Tactic.NONE, Tactic.PRESSURE)]
    if not any(not good.now.used[a.tactic] for a in new):
        return None
    given = {Act.INFORM, Act.PROMISE}
    return _without(good, lambda part: bool(_kinds(part, good.context) & given))


DEGRADATIONS: Final = (
    Degradation("number changed", compliance.NAME, "a stated fact or agreed price differs", number_changed),
    Degradation("empathy removed", language.NAME, "an upset manager gets no word of comfort", empathy_removed),
    Degradation("stage skipped", compliance.NAME, "no opening, no reason, or a jump to the close", stage_skipped),
    Degradation("promise added", compliance.NAME, "a promise that nobody may make", promise_added),
    Degradation("internal term leaked", compliance.NAME, "the target or a work order is named", term_leaked),
    Degradation("threat added", compliance.NAME, "a threat or an insult", threat_added),
    Degradation("silence taken for a yes", compliance.NAME, "an unanswered message counts as agreement", silence_taken),
    Degradation("price type dropped", compliance.NAME, "a net price is not called net", type_dropped),
    Degradation("ticket dropped", task.NAME, "one of several open rooms is left out", ticket_dropped),
    Degradation("pressed on", task.NAME, "bargains on although the quote meets the target", pressed_on),
    Degradation("reason dropped", task.NAME, "new reasons and offers are left out", reason_dropped),
    Degradation("language mixed", language.NAME, "a sentence of another language", language_mixed),
    Degradation("grammar scrambled", language.NAME, "the words of each sentence are shuffled", grammar_scrambled),
    Degradation("repeated", language.NAME, "an earlier message again", repeated),
)
"""Every degradation. The first four are the ones that the benchmark's brief names."""


Edit = Callable[[Good, np.random.Generator], str | None]


class Paraphrase(NamedTuple):
    """A way to say the same."""

    name: str
    what: str
    apply: Edit


def reworded(good: Good, rng: np.random.Generator) -> str | None:
    """Word the same acts anew from the phrase book; None unless the new words mean the very same."""
    acts = [a for a in good.record.acts if a.kind is not Act.OFF_TOPIC]
    if not acts:
        return None
    try:
        text = word(acts, good.now.card, good.context, agent_phrase_book(), int(rng.integers(1 << 53)), good.now.number)
    except UsageError:  # an act that the phrase book has no words for, as an agreement without a figure
        return None
    return text if understand(text, good.context).acts == good.record.acts and text != good.record.text else None


def _swapped(good: Good, pairs: tuple[tuple[str, str], ...], rng: np.random.Generator) -> str | None:
    """Swap one wording of a list for its twin, if that changes no meaning."""
    text = good.record.text
    fits = [(old, new) for old, new in pairs if old in text]
    if not fits:
        return None
    old, new = fits[int(rng.integers(len(fits)))]
    changed = text.replace(old, new, 1)
    return changed if understand(changed, good.context).acts == good.record.acts else None


def contracted(good: Good, rng: np.random.Generator) -> str | None:
    """Contract one pair of words, or expand one."""
    return _swapped(good, _SAID.short + tuple((new, old) for old, new in _SAID.short), rng)


def politer(good: Good, rng: np.random.Generator) -> str | None:
    """Swap one polite form for another."""
    return _swapped(good, _SAID.polite, rng)


def repunctuated(good: Good, rng: np.random.Generator) -> str | None:
    """Change punctuation: a dash or semicolon between sentences, or commas for a colon."""
    text = good.record.text
    options = []
    if ". " in text:
        place = text.index(". ")
        rest = text[place + 2 :]
        low = rest if rest[:2] in ("I ", "I'") or rest.split(" ")[0].isupper() else rest[:1].lower() + rest[1:]
        options.append(f"{text[:place]}; {low}")
    if ": " in text:
        options.append(text.replace(": ", ", ", 1))
    if re.search(r"\byuan\b", text):
        options.append(re.sub(r"(\d[\d,]*) yuan\b", r"¥\1", text, count=1))
    fits = [o for o in options if o != text and understand(o, good.context).acts == good.record.acts]
    return fits[int(rng.integers(len(fits)))] if fits else None


PARAPHRASES: Final = (
    Paraphrase("reworded", "the same acts in other phrases", reworded),
    Paraphrase("contracted", "I am / I'm and the like", contracted),
    Paraphrase("other polite form", "could you / would you be able to and the like", politer),
    Paraphrase("other punctuation", "semicolon for full stop, ¥ for yuan", repunctuated),
)
"""Every paraphrase."""
