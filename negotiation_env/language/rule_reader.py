"""The reader ``rules``: from text to dialogue acts by phrases, figures and the grammar of clauses, without a model.

``understand`` is total and linear in the message: any string gives acts in a canonical order (greeting, mood, tactics,
soothing, promises, tickets, questions, off-topic, close), so that a worded decision reads back as itself. Text goes
from tokens to clauses (``clauses``), from clauses to stances (``stances``) and figures on tickets (``offers``), and
from those to acts (``agent_reading``, ``manager_reading``). It reads phrases (``lexicon.toml``), English and basic
Chinese; it does not parse sentences, and irony without a cue or a figure spread over sentences is beyond it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from negotiation_env.errors import UsageError
from negotiation_env.game.acts import Act, DialogueAct, Tactic
from negotiation_env.language import agent_reading, manager_reading
from negotiation_env.language.clauses import FIGURED, Mark, Part, Sentence, parts_of, read_sentences
from negotiation_env.language.grammar import AUXILIARIES, DETERMINERS
from negotiation_env.language.lexicon import TACTIC_SENSES, room_tree
from negotiation_env.language.numerals import lower
from negotiation_env.language.offers import Offer, offers_of
from negotiation_env.language.price_vocabulary import word_set
from negotiation_env.language.prices import Price, PriceKind
from negotiation_env.language.promises import promises_of
from negotiation_env.language.reading import MAX_CHARS, Context, Reading, spoken
from negotiation_env.language.stances import negated
from negotiation_env.language.steps import steps_of

_ODD: Final = re.compile("[^\x00-\x7f¥\u4e00-\u9fff，。！？；：、]")
"""What has to be cleaned before it is read."""
_FORBIDDEN_CHARS: Final = dict.fromkeys(
    [0xAD, 0x61C, 0x180E, 0xFEFF, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070)]
)
_CLEAN: Final = (
    _FORBIDDEN_CHARS
    | {code: code - 0xFEE0 for code in (*range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B))}
    | {0x2018: "'", 0x2019: "'"}
)
_TACTICS: Final = frozenset(sense for _, sense in TACTIC_SENSES)
_GREET, _SOOTHE = DialogueAct(Act.GREET), DialogueAct(Act.SOOTHE)
_SILENCE, _OFF_TOPIC = DialogueAct(Act.SILENCE), DialogueAct(Act.OFF_TOPIC)
_ASK_PRICE, _ASK_REASON = DialogueAct(Act.ASK, detail="price"), DialogueAct(Act.ASK, detail="reason")
_ASK_FIGURE = DialogueAct(Act.ASK, detail="figure")
_UPSET = DialogueAct(Act.INFORM, detail="upset")
_INSULT = DialogueAct(Act.INFORM, Tactic.PRESSURE, detail="insult")
_BYE, _WALK = DialogueAct(Act.CLOSE, detail="bye"), DialogueAct(Act.CLOSE, detail="walk")
_OBJECTIONS: Final = [(sense, DialogueAct(Act.INFORM, tactic, detail="objection")) for tactic, sense in TACTIC_SENSES]


def understand(text: str, context: Context) -> Reading:
    """Return what ``text`` says in ``context``. Never raises on any string; reads ``MAX_CHARS`` characters."""
    text = spoken(text[:MAX_CHARS])
    low = text.lower()
    if len(low) != len(text) or (not text.isascii() and _ODD.search(text)):
        text = text.translate(_CLEAN)
        low = lower(text)
    sentences = read_sentences(text, context.speaker)
    words = sentences[0].words
    said = sentences[0].senses
    for sentence in sentences[1:]:
        words += sentence.words
        said |= sentence.senses
    if not words:
        return Reading((_OFF_TOPIC if low.strip() else _SILENCE,), ())
    parts = parts_of(sentences, room_tree(context.rooms) if len(context.rooms) > 1 else None)
    if context.speaker == "agent":
        acts = _agent_acts(said, sentences, parts, low, context)
    else:
        acts = _manager_acts(said, parts, low, context)
    return Reading(tuple(acts) if acts else (_OFF_TOPIC,), words)


def _agent_acts(
    said: frozenset[str], sentences: Sequence[Sentence], parts: Sequence[Part], low: str, context: Context
) -> list[DialogueAct]:
    acts: list[DialogueAct] = []
    if "greet" in said:
        acts.append(_GREET)
    if "insult" in said:
        acts.append(_INSULT)
    offers = offers_of(parts, context) or steps_of(parts, context)
    rival = _cited_by_rival(parts) if "competitor" in said else None
    if not said.isdisjoint(_TACTICS):
        acts += _reasons(said, sentences, rival)
    if "soothe" in said:
        acts.append(_SOOTHE)
    acts += promises_of(parts, low)
    acts += agent_reading.ticket_acts(parts, offers, low, context)
    if _asks(said, parts, offers):
        acts.append(_ASK_PRICE)
    if "ask_reason" in said:
        acts.append(_ASK_REASON)
    if "off_topic" in said:
        acts.append(_OFF_TOPIC)
    if "close" in said and any(_closes(part, mark) for part in parts for mark in part.clause.marks):
        acts.append(_BYE)
    return acts


def _closes(part: Part, mark: Mark) -> bool:
    """Whether a phrase takes leave: not "shall I stop here?", "before the bye", "it's two nights, that's all"."""
    if "close" not in mark.senses:
        return False
    start, tokens = part.clause.start, part.tokens
    if part.question and tokens[start : start + 1] == ("shall",):
        return False
    if any("cond" in other.senses and other.start < mark.start for other in part.clause.marks):
        return False
    if mark.end - mark.start == 1 and mark.start > start and tokens[mark.start - 1] in DETERMINERS:
        return False
    if tokens[mark.start : mark.end] == ("that's", "all"):
        rest = tokens[mark.end : part.clause.end]
        needed = not rest or rest[0] == "then" or not _NEEDED.isdisjoint(rest[:3])  # "that's all I needed"
        return mark.start == start and needed and part.clause.join == ""
    return True


_NEEDED: Final = word_set("needed need had have wanted want")


def _manager_acts(said: frozenset[str], parts: Sequence[Part], low: str, context: Context) -> list[DialogueAct]:
    acts: list[DialogueAct] = []
    offers = offers_of(parts, context) or steps_of(parts, context)
    if "greet" in said:
        acts.append(_GREET)
    if "upset" in said:
        acts.append(_UPSET)
    if not said.isdisjoint(_TACTICS):
        acts += [act for sense, act in _OBJECTIONS if sense in said]
    acts += manager_reading.ticket_acts(parts, offers, low, context)
    if "ask_figure" in said:
        acts.append(_ASK_FIGURE)
    elif "ask_price" in said:
        acts.append(_ASK_PRICE)
    if "ask_reason" in said:
        acts.append(_ASK_REASON)
    if "off_topic" in said:
        acts.append(_OFF_TOPIC)
    if "walk" in said and _breaks_off(parts):
        acts.append(_WALK)
    elif "bye" in said:
        acts.append(_BYE)
    return acts


def _breaks_off(parts: Sequence[Part]) -> bool:
    """Whether the hotel ends the talks: not where it denies or supposes it, or names a figure after it."""
    found = False
    depends = -2  # the number of a sentence like "depends."
    for part in parts:
        if found and not all(price.negated for _, price in part.prices):
            return False  # "you can look elsewhere, but 320 is the best here"
        supposed = "cond" in part.around or depends == part.number - 1
        for mark in part.clause.marks:
            if "walk" in mark.senses and not negated(part, mark.start) and not supposed:
                found = not part.prices or part.prices[-1][0] < mark.start
        if "cond" in part.senses and part.clause.end - part.clause.start <= 2:
            depends = part.number
    return found


def _cited_by_rival(parts: Sequence[Part]) -> Price | None:
    """Return the first amount that is said of a competitor."""
    sentences = {part.number for part in parts if "competitor" in part.senses}
    for part in parts:
        if part.number in sentences:
            rival = "competitor" in part.senses and "offer" not in part.senses
            for _, price in part.prices:
                if price.kind is PriceKind.AMOUNT and (rival or price.reported):
                    return price
    return None


def _reasons(said: frozenset[str], sentences: Sequence[Sentence], rival: Price | None) -> list[DialogueAct]:
    """Return the agent's tactics, each with the figure it cites: a percentage, or a competitor's rate in yuan."""
    figures: dict[str, float] = {}
    if not said.isdisjoint(FIGURED):
        off = [p.value for s in sentences for p in s.prices if p.kind is PriceKind.PERCENT_OFF]
        for value, sense in [figure for sentence in sentences for figure in sentence.percentages]:
            if value in off:
                off.remove(value)
            elif sense:
                figures.setdefault(sense, value)
    if rival is not None:
        figures["competitor"] = rival.value
    return [
        DialogueAct(Act.INFORM, tactic, None, None, None, figures.get(sense))
        for tactic, sense in TACTIC_SENSES
        if sense in said
    ]


def _asks(said: frozenset[str], parts: Sequence[Part], offers: Sequence[Offer]) -> bool:
    """Whether the agent asks for a price: outright, or for a better one in a sentence that offers none."""
    if "ask_price" in said or any(_asks_what(part) or _asks_for_word(part) for part in parts):
        return True
    for i, part in enumerate(parts):
        if "ask_weak" in part.senses:
            sentence = [p for p in parts if p.number == part.number]
            asking = any(p.question or "offer" in p.senses for p in sentence)
            if asking and not any(o.part.number == part.number and not o.cited for o in offers):
                return True
        if part.question and _is_bare_what(part) and any(p.prices for p in parts[:i]):
            return True  # "295 is too thin for you. What isn't?"
    return False


def _asks_what(part: Part) -> bool:
    """Whether a clause asks what the price is: "what is your rate?", "best rates?"."""
    if not part.question or part.prices or part.clause.person == "they" or "competitor" in part.senses:
        return False
    words = part.tokens[part.clause.start : part.clause.end]
    if _PRICE_NOUNS.isdisjoint(words):
        costs = any(pair in _COSTS_US for pair in pairwise(words)) and not _INTERROGATIVES.isdisjoint(words[:3])
        return costs or words[-2:] == ("how", "much")
    return not _INTERROGATIVES.isdisjoint(words[:3]) or (len(words) <= 4 and not _SUPERLATIVES.isdisjoint(words))


def _asks_for_word(part: Part) -> bool:
    """Whether a clause asks to be told what the hotel charges: "you haven't said what you'd ask for it"."""
    clause = part.clause
    words = part.tokens[clause.start : clause.end]
    if part.prices or ("neg" not in part.senses and _WANTING.isdisjoint(words)):
        return False
    what = next((i for i, word in enumerate(words) if i and word in ("what", "how")), 0)
    told = what and not _TELLING.isdisjoint(words[:what])
    asked = words[what + 1 + (words[what] == "how") :][:4]
    return bool(told) and asked[:1] in _YOU and not _CHARGING.isdisjoint(asked[1:])


def _is_bare_what(part: Part) -> bool:
    """Whether a clause asks for what fits in place of what was refused: "then what is?", "so what would work?"."""
    words = part.tokens[part.clause.start : part.clause.end]
    while words[:1] and words[0] in _THEN:
        words = words[1:]
    return len(words) in (2, 3) and words[0] == "what" and words[1] in AUXILIARIES and words[2:] in _WORKS


_THEN: Final = word_set("then so and but well")
_WORKS: Final = ((), ("work",), ("do",), ("be",), ("then",))
_WANTING: Final = word_set("tell like love want need wonder curious let hear")
_TELLING: Final = word_set("tell say said told know hear heard named mention mentioned see wonder curious")
_YOU: Final = (("you",), ("you'd",), ("you'll",))
_CHARGING: Final = word_set("charge ask want take need accept quote")
_COSTS_US: Final = frozenset((verb, whom) for verb in ("cost", "costs") for whom in ("us", "me", "now", "then"))
_PRICE_NOUNS: Final = word_set("price prices rate rates figure number quote amount charge charges")
_INTERROGATIVES: Final = word_set("what what's whats which where where's how")
_SUPERLATIVES: Final = word_set("best lowest keenest final cheapest bottom")


class RuleReader:
    """Reads by phrases, figures and the grammar of clauses; implements ``reading.Reader``.

    Args:
        also: "claims" checks statements against the card too, which takes as long again as reading; scripted policies,
            which cite the card, need it not.

    Raises:
        UsageError: ``also`` is something else.
    """

    name = "rules"

    def __init__(self, also: str = "") -> None:
        if also not in ("", "claims"):
            raise UsageError(f'expected the reader "rules" or "rules:claims", got "rules:{also}"')
        self.checks_claims = also == "claims"

    def read(self, texts: Sequence[str], contexts: Sequence[Context]) -> list[Reading]:
        """Return one reading a message, in order."""
        return [understand(text, context) for text, context in zip(texts, contexts, strict=True)]


RULES: Final = RuleReader()
