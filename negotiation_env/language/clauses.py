"""A message cut into sentences and clauses, each with what it says: words, senses, prices and the tickets it names.

Clauses end at punctuation, at "but", and at a comma or "and" once the clause has said a price. Which ticket a clause
speaks of is resolved here; what the clauses mean together is the business of ``reading``.

Sentences recur, in scripted and in trained policies above all, and often only their figures differ. So what a sentence
says is remembered with its plain figures masked, and the figures are put back. That is exact: a figure is masked only
where its value cannot change how anything else is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Final, NamedTuple

from negotiation_env.language.lexicon import SENSE, STOPS, TOKEN, find_phrases, lexicon
from negotiation_env.language.numerals import lower
from negotiation_env.language.prices import Price, PriceKind, cut_sentences, read_prices

BREAKS: Final = SENSE["stop"] | SENSE["question"] | SENSE["pause"] | SENSE["and"] | SENSE["turn"]
"""Senses at which a clause may end."""
FIGURED: Final = SENSE["exposure"] | SENSE["conversion"] | SENSE["calendar"]
"""Tactics that may cite a percentage."""
_REMEMBERED: Final = 2048
_LONGEST_REMEMBERED: Final = 300
"""Characters; a longer sentence will hardly come again."""
# A whole number of three to six digits that stands alone and is no year, no percentage, and has no scale ("380 k").
# Left out is 100, since "100 percent" is one; the rules of ``prices`` treat all other figures of a length alike.
_FIGURE: Final = re.compile(
    r"(?<![^ ¥$(])(?!100(?![0-9])|19[0-9]{2}(?![0-9])|20[0-3][0-9](?![0-9]))([1-9][0-9]{2,5})"
    r"(?=[ ?!;)]|[.,](?![0-9])|$)(?! ?(?:(?:k|grand|thousand|hundred|million)(?![a-z])|percent|per cent|pct))",
    re.IGNORECASE,
)
_MASK: Final = "555555"
_MASKED_TOKENS: Final = frozenset(_MASK[:n] for n in (3, 4, 5, 6))
_MASKED_VALUES: Final = frozenset(map(float, _MASKED_TOKENS))
_MAX_FIGURES: Final = 12
"""Percentages of a sentence that are matched to tactics: keeps the matching linear."""


class Piece(NamedTuple):
    """What is said up to a break: punctuation, "and", "but"."""

    senses: int
    ends: int
    """Senses of the break, 0 at the end of the text."""
    until: int
    """Token position of the break."""
    prices: tuple[int, ...]
    """Which of the sentence's prices it holds."""


class Sentence(NamedTuple):
    """What a sentence says."""

    tokens: tuple[str, ...]
    words: tuple[str, ...]
    """Tokens without punctuation."""
    senses: int
    pieces: tuple[Piece, ...]
    prices: tuple[Price, ...]
    """Their positions count in the sentence."""
    positions: tuple[int, ...]
    """Token positions of the prices."""
    percentages: tuple[tuple[float, int], ...]
    """Percentages with the tactic (one bit) that each belongs to, 0 for none."""


class _Remembered(NamedTuple):
    """A sentence whose figures are masked, and where they go."""

    sentence: Sentence
    tokens: tuple[int, ...]
    """Token position per figure."""
    words: tuple[int, ...]
    prices: tuple[int, ...]
    """Per price the figure that it is, -1 for none."""


def read_sentences(text: str, speaker: str) -> list[Sentence]:
    """Return what each sentence of a text says in a speaker's mouth; the prices' positions count in the text."""
    sentences: list[Sentence] = []
    at = 0
    for sentence in cut_sentences(text):
        sentences.append(_recall(sentence, speaker, at))
        at += len(sentence) + 1
    return sentences


def _recall(text: str, speaker: str, at: int) -> Sentence:
    """Return the reading of a sentence at a place, from memory if it was read before with these or other figures."""
    if len(text) > _LONGEST_REMEMBERED:
        read = read_sentence(text, speaker)
    else:
        parts = _FIGURE.split(text)
        if len(parts) > 1:
            figures = parts[1::2]
            parts[1::2] = [_MASK[: len(figure)] for figure in figures]
            known = _remember_masked("".join(parts), speaker)
            if known is not None:
                return _with_figures(known, figures, at)
        read = _remember(text, speaker)
    if at and read.prices:
        return read._replace(prices=tuple([p._replace(start=at + p.start, end=at + p.end) for p in read.prices]))
    return read


def _with_figures(known: _Remembered, figures: list[str], at: int) -> Sentence:
    """Put figures in the place of masks, and the prices in their place in the message."""
    tokens, words, senses, pieces, prices, positions, percentages = known.sentence
    said, heard = list(tokens), list(words)
    for figure, token, word in zip(figures, known.tokens, known.words, strict=True):
        said[token] = heard[word] = figure
    put = [
        Price(kind, value if k < 0 else float(figures[k]), net, negated, reported, at + start, at + end)
        for (kind, value, net, negated, reported, start, end), k in zip(prices, known.prices, strict=True)
    ]
    return Sentence(tuple(said), tuple(heard), senses, pieces, tuple(put), positions, percentages)


@lru_cache(maxsize=_REMEMBERED)
def _remember_masked(masked: str, speaker: str) -> _Remembered | None:
    """Read a sentence of masks; None where the values of its figures may decide how it is read."""
    sentence, plain = _read(masked, speaker)
    starts = [match.start() for match in _FIGURE.finditer(masked)]
    prices: list[int] = []
    for price in sentence.prices:
        inside = [k for k, start in enumerate(starts) if price.start <= start < price.end]
        plain = plain and (not inside or (len(inside) == 1 and price.value in _MASKED_VALUES))
        prices.append(inside[0] if inside else -1)
    tokens = [i for i, token in enumerate(sentence.tokens) if token in _MASKED_TOKENS]
    words = [i for i, token in enumerate(sentence.words) if token in _MASKED_TOKENS]
    plain = plain and not any(value in _MASKED_VALUES for value, _ in sentence.percentages)
    if not plain or len(tokens) != len(starts):
        return None
    return _Remembered(sentence, tuple(tokens), tuple(words), tuple(prices))


def read_sentence(text: str, speaker: str) -> Sentence:
    """Return what a sentence says."""
    return _read(text, speaker)[0]


_remember: Final = lru_cache(maxsize=_REMEMBERED)(read_sentence)


def _read(text: str, speaker: str) -> tuple[Sentence, bool]:
    """Return what a sentence says, and whether other figures would change nothing but themselves."""
    prices, compared = read_prices(text)
    tokens, positions = _tokens_and_positions(lower(text), prices)
    phrases = find_phrases(tokens, lexicon()[speaker])
    senses = 0
    for _, bits, _ in phrases:
        if not bits & BREAKS:
            senses |= bits
    percentages = _percentages(tokens)[:_MAX_FIGURES]
    read = Sentence(
        tuple(tokens),
        tuple([token for token in tokens if token not in STOPS]),
        senses,
        _pieces(phrases, positions, len(tokens)),
        prices,
        tuple(positions),
        tuple([(value, _nearest_tactic(i, tokens, phrases)) for i, value in percentages]),
    )
    return read, not compared


def _tokens_and_positions(low: str, prices: tuple[Price, ...]) -> tuple[list[str], list[int]]:
    """Return the tokens of a lower-cased text, and the index of each price's first token."""
    tokens: list[str] = []
    positions: list[int] = []
    at = 0
    for price in prices:
        start = price.start
        tokens += TOKEN.findall(low, at, start)
        positions.append(len(tokens))
        at = start
    return tokens + TOKEN.findall(low, at), positions


def _pieces(phrases: list[tuple[int, int, int]], positions: list[int], end: int) -> tuple[Piece, ...]:
    """Cut the phrases (first token, senses, token after) and prices of a sentence at its breaks."""
    pieces: list[Piece] = []
    said, first = 0, 0
    for i, bits, _ in (*phrases, (end, 0, end)):
        if bits & BREAKS or i == end:
            after = first
            while after < len(positions) and positions[after] < i:
                after += 1
            pieces.append(Piece(said, bits, i, tuple(range(first, after))))
            said, first = 0, after
        else:
            said |= bits
    return tuple(pieces)


def _percentages(tokens: list[str]) -> list[tuple[int, float]]:
    """Return the (token, value) of figures said in percent."""
    found: list[tuple[int, float]] = []
    for i, token in enumerate(tokens):
        if not "0" <= token[0] <= "9":
            continue
        number = token.rstrip("%").replace(",", ".")
        after = tokens[i + 1 : i + 3]
        percent = token[-1] == "%" or after[:1] in (["percent"], ["pct"]) or after == ["per", "cent"]
        percent = percent or tokens[max(0, i - 3) : i] == ["百", "分", "之"]
        if percent and number.count(".") < 2 and len(number) < 8:
            found.append((i, float(number)))
    return found


def _nearest_tactic(i: int, tokens: list[str], phrases: list[tuple[int, int, int]]) -> int:
    """Return the tactic bit of the phrase nearest to token ``i`` in its sentence that can bear a figure, 0 if none."""
    best, distance = 0, 40
    for at, senses, end in phrases:
        gap = at - i if at > i else i - end + 1
        if gap < distance and senses & FIGURED:
            between = tokens[i:at] if at > i else tokens[end:i]
            gap += 8 * sum(t in _LINKS for t in between)
            if gap < distance and not any(t in _SENTENCE_STOPS for t in between):
                best, distance = senses & FIGURED, gap
    return best & -best


_LINKS: Final = frozenset([",", "，", "、", "and", "but", "while"])
_SENTENCE_STOPS: Final = frozenset(".!?;\n。！？；")


STATUS: Final = (
    SENSE["accept"] | SENSE["confirm"] | SENSE["hold"] | SENSE["hold_bound"] | SENSE["final"] | SENSE["reject"]
    | SENSE["retract"]
)
"""Senses that settle something about a ticket."""
_TURNS_DOWN: Final = SENSE["hold"] | SENSE["hold_bound"] | SENSE["final"] | SENSE["reject"] | SENSE["retract"]
_END, _QUESTION, _TURN = SENSE["stop"] | SENSE["question"], SENSE["question"], SENSE["turn"]
_AGREES: Final = SENSE["accept"] | SENSE["confirm"]
_COMPETITOR, _OFFER, _ALL = SENSE["competitor"], SENSE["offer"], SENSE["all"]


class Clause:
    """One clause of a message."""

    __slots__ = ("cited", "linked", "prices", "question", "rooms", "senses", "sentence")

    def __init__(self, sentence: int, linked: bool = False) -> None:
        self.sentence = sentence
        self.linked = linked
        """Whether a comma or "and" joins it to the clause before."""
        self.senses = 0
        self.question = False
        self.prices: list[tuple[int, Price]] = []
        """Its offers, with their token positions."""
        self.rooms: list[tuple[int, int]] = []
        """The rooms it names, as (token position, room bits)."""
        self.cited: Price | None = None
        """A competitor's figure."""


def cut_clauses(sentences: Sequence[Sentence], rooms: Sequence[Sequence[tuple[int, int, int]]]) -> list[Clause]:
    """Return the clauses of a message, in order.

    Args:
        sentences: what each sentence says.
        rooms: per sentence the rooms it names, as (first token, room bits, token after); empty if there is one room.
    """
    clauses: list[Clause] = []
    clause: Clause | None = None
    number, linked = 0, False
    for n, sentence in enumerate(sentences):
        named = rooms[n] if rooms else ()
        place = 0
        for senses, ends, until, prices in sentence.pieces:
            speaks_of = place
            while place < len(named) and named[place][0] < until:
                place += 1
            if clause is None and (senses or prices or place > speaks_of or ends & _QUESTION):
                clause = Clause(number, linked)
                clauses.append(clause)
            if clause is not None:
                clause.senses |= senses
                if prices:
                    clause.prices += [(sentence.positions[k], sentence.prices[k]) for k in prices]
                if place > speaks_of:
                    clause.rooms += [room[:2] for room in named[speaks_of:place]]
            if ends & _END:
                if clause is not None and ends & _QUESTION:
                    clause.question = True
                clause, linked = None, False
                number += 1
            elif ends & _TURN:
                clause, linked = None, False
            elif ends and clause is not None and (clause.prices or (clause.rooms and clause.senses & STATUS)):
                clause, linked = None, True
    if rooms:
        _carry_agreement(clauses)
    return clauses


def _carry_agreement(clauses: list[Clause]) -> None:
    """Let an agreement reach over a comma or "and": "I confirm the King at 400 and the Twin at 480"."""
    for before, clause in pairwise(clauses):
        if clause.linked and clause.prices and clause.rooms and not clause.senses & (STATUS | _OFFER):
            clause.senses |= before.senses & _AGREES


def set_cited_apart(clauses: list[Clause]) -> None:
    """Move cited figures out of the clauses' offers; a competitor's figure is kept in ``cited``."""
    competitor_sentences = {c.sentence for c in clauses if c.senses & _COMPETITOR}
    for clause in clauses:
        if not clause.prices:
            continue
        offers: list[tuple[int, Price]] = []
        for item in clause.prices:
            price = item[1]
            rival = clause.senses & _COMPETITOR and not clause.senses & _OFFER
            cited = price.reported and not clause.senses & _AGREES
            if price.kind is PriceKind.AMOUNT and (cited or rival):
                if clause.cited is None and (rival or clause.sentence in competitor_sentences):
                    clause.cited = price
            else:
                offers.append(item)
        clause.prices = offers


def spread_tickets(
    clauses: list[Clause], free: Sequence[int], default: Callable[[Price], int]
) -> list[tuple[Clause, int, list[Price]]]:
    """Say which tickets each clause speaks of, where there are several.

    A figure belongs to the room named nearest before it in its clause, else after it; one figure with several rooms
    belongs to them all; "both" and "each" mean every ticket in ``free``. A clause that names no room means the room
    named last, if it has a figure or turns something down or if that room was named in its sentence; else the room
    that the next clause of its sentence names; else (if it has a figure) ``default``.

    Returns:
        (clause, ticket, prices); the ticket is -1 where a clause without a figure names none.
    """
    spread: list[tuple[Clause, int, list[Price]]] = []
    last, named_in = 0, -1
    for n, clause in enumerate(clauses):
        bits = 0
        for _, room in clause.rooms:
            bits |= room
        if clause.prices or clause.senses & STATUS:
            prices = [price for _, price in clause.prices]
            if clause.senses & _ALL and not bits:
                spread += [(clause, k, prices) for k in free]
            elif bits and bits & (bits - 1) and len(prices) > 1:
                spread += _by_nearest(clause)
            else:
                carries = prices or clause.senses & _TURNS_DOWN or named_in == clause.sentence
                means = bits or (last if carries else 0) or _next_rooms(clauses, n)
                if means:
                    spread += [(clause, k, prices) for k in tickets_of(means)]
                elif prices:
                    spread += [(clause, default(price), [price]) for price in prices]
                else:
                    spread.append((clause, -1, prices))
        if bits:
            last, named_in = bits, clause.sentence
    return spread


def tickets_of(bits: int) -> list[int]:
    """Return the positions of the set bits."""
    return [k for k in range(bits.bit_length()) if bits >> k & 1]


def _by_nearest(clause: Clause) -> list[tuple[Clause, int, list[Price]]]:
    """Give each of several figures to the room named nearest before it, else to the first after it."""
    out: list[tuple[Clause, int, list[Price]]] = []
    rooms = clause.rooms
    nearest = 0
    for i, price in clause.prices:
        while nearest + 1 < len(rooms) and rooms[nearest + 1][0] < i:
            nearest += 1
        out += [(clause, k, [price]) for k in tickets_of(rooms[nearest][1])]
    return out


def _next_rooms(clauses: list[Clause], n: int) -> int:
    """Return the rooms of the following clause if it is of the same sentence and says nothing but them."""
    if n + 1 < len(clauses):
        after = clauses[n + 1]
        if after.sentence == clauses[n].sentence and not after.prices and not after.senses & STATUS:
            bits = 0
            for _, room in after.rooms:
                bits |= room
            return bits
    return 0
