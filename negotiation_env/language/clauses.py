"""A message cut into sentences and clauses, each with its words, senses, prices, its subject, and whether it asks.

Clauses end at punctuation, at "but" and at "and"; a part that has no verb of its own belongs to the clause before it
("309 for the King and 577 for the suite" is one). Nothing here depends on the state of the talks: what a sentence says
is kept for the next time it is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple

from negotiation_env.language.grammar import Person, a_not_a, asks_without_mark, is_verbal, opens_question, person_of
from negotiation_env.language.lexicon import STOPS, TOKEN, find_phrases, lexicon
from negotiation_env.language.numerals import lower
from negotiation_env.language.prices import Price, cut_sentences, read_prices

Join = Literal["", ",", "and", "but"]
"""What joins a clause to the one before it in its sentence."""
BREAKS: Final = frozenset(("stop", "question", "pause", "turn", "and", "break"))
FIGURED: Final = frozenset(("exposure", "conversion", "calendar"))
"""Tactics that may cite a percentage."""
STATUS: Final = frozenset(("accept", "confirm", "hold", "hold_bound", "final", "reject", "retract"))
"""Senses that settle something about a ticket."""
_AGREES: Final = frozenset(("accept", "confirm"))
_SETTLED: Final = STATUS | {"accept_weak", "approve"}
_OWN_STATEMENT: Final = STATUS | {"accept_weak", "reject_weak", "cond", "offer", "competitor"}
_REMEMBERED: Final = 256
_LONGEST_REMEMBERED: Final = 300
"""Characters; a longer sentence will hardly come again."""
_MAX_FIGURES: Final = 12
"""Percentages of a sentence that are matched to tactics: keeps the matching linear."""


class Mark(NamedTuple):
    """A phrase with a meaning, at its place among the sentence's tokens."""

    start: int
    senses: frozenset[str]
    end: int


class Clause(NamedTuple):
    """One clause; positions count in its sentence's tokens."""

    start: int
    end: int
    senses: frozenset[str]
    marks: tuple[Mark, ...]
    prices: tuple[int, ...]
    """Which of the sentence's prices it holds."""
    person: Person
    verbal: bool
    """Whether it has a subject or verb."""
    question: bool
    join: Join
    part: int
    """Which of the full stops' parts of the sentence it stands in."""


class Sentence(NamedTuple):
    """What a sentence says."""

    tokens: tuple[str, ...]
    words: tuple[str, ...]
    """Tokens without punctuation."""
    senses: frozenset[str]
    clauses: tuple[Clause, ...]
    prices: tuple[Price, ...]
    """Their positions count in the sentence."""
    positions: tuple[int, ...]
    """Token positions of the prices."""
    percentages: tuple[tuple[float, str], ...]
    """Percentages with the tactic that each belongs to, "" for none."""


def read_sentences(text: str, speaker: str) -> list[Sentence]:
    """Return what each sentence of a text says in a speaker's mouth; the prices' positions count in the text."""
    sentences: list[Sentence] = []
    at = 0
    for part in cut_sentences(text):
        read = (_remember if len(part) <= _LONGEST_REMEMBERED else read_sentence)(part, speaker)
        if at and read.prices:
            read = read._replace(prices=tuple([p._replace(start=at + p.start, end=at + p.end) for p in read.prices]))
        sentences.append(read)
        at += len(part) + 1
    return sentences


def read_sentence(text: str, speaker: str) -> Sentence:
    """Return what a sentence says."""
    prices = read_prices(text)[0]
    tokens, positions = _tokens_and_positions(lower(text), prices)
    marks = [Mark(*found) for found in find_phrases(tokens, lexicon()[speaker])]
    senses: set[str] = set()
    for mark in marks:
        senses |= mark.senses
    percentages = _percentages(tokens)[:_MAX_FIGURES]
    return Sentence(
        tuple(tokens),
        tuple([token for token in tokens if token not in STOPS]),
        frozenset(senses - BREAKS),
        _clauses(tokens, marks, positions),
        prices,
        tuple(positions),
        tuple([(value, _nearest_tactic(i, tokens, marks)) for i, value in percentages]),
    )


_remember: Final = lru_cache(maxsize=_REMEMBERED)(read_sentence)


def _tokens_and_positions(low: str, prices: Sequence[Price]) -> tuple[list[str], list[int]]:
    """Return the tokens of a lower-cased text, and the index of each price's first token."""
    tokens: list[str] = []
    positions: list[int] = []
    at = 0
    for price in prices:
        tokens += TOKEN.findall(low, at, price.start)
        positions.append(len(tokens))
        at = price.start
    return tokens + TOKEN.findall(low, at), positions


class _Piece:
    """What is said up to a break."""

    __slots__ = (
        "agreed", "end", "join", "marks", "part", "person", "prices", "question", "senses", "start", "turns", "verbal",
    )  # fmt: skip

    def __init__(self, start: int, join: Join, part: int) -> None:
        self.start, self.end, self.join, self.part = start, start, join, part
        self.marks: list[Mark] = []
        self.prices: list[int] = []
        self.senses: set[str] = set()
        self.person: Person = ""
        self.verbal = self.question = self.agreed = self.turns = False

    def close(self, tokens: Sequence[str], end: int) -> None:
        """Note what the whole piece is like, once its end is known."""
        self.end = end
        own = tokens[self.start : end]
        self.person = person_of(own)
        self.verbal = is_verbal(own, self.person)
        self.turns = tuple(own[:2]) in TURNS
        self.question = asks_without_mark(tokens, self.start, end)

    def absorb(self, other: _Piece) -> None:
        """Take in the piece that follows."""
        self.end = other.end
        self.marks += other.marks
        self.prices += other.prices
        self.senses |= other.senses
        self.verbal = self.verbal or other.verbal
        self.question = self.question or other.question


_STOP: Final = frozenset(("stop",))


def _clauses(tokens: Sequence[str], marks: Sequence[Mark], positions: Sequence[int]) -> tuple[Clause, ...]:
    """Cut a sentence at its breaks, put verbless parts back to the clause before, and say which clauses ask."""
    pieces: list[_Piece] = []
    piece = _Piece(0, "", 0)
    part, price, first_of_part = 0, 0, 0
    for mark in (*marks, Mark(len(tokens), _STOP, len(tokens))):
        breaks = mark.senses
        if breaks.isdisjoint(BREAKS):
            piece.marks.append(mark)
            piece.senses |= breaks
            continue
        while price < len(positions) and positions[price] < mark.start:
            piece.prices.append(price)
            price += 1
        if mark.start > piece.start:
            piece.close(tokens, mark.start)
            if len(pieces) > first_of_part and _belongs(pieces[-1], piece):
                pieces[-1].absorb(piece)
            else:
                pieces.append(piece)
        join: Join = "but" if "turn" in breaks else "and" if "and" in breaks else ","
        if "stop" in breaks or "question" in breaks:
            if "question" in breaks:
                _mark_questions(pieces[first_of_part:], tokens)
            part, first_of_part, join = part + 1, len(pieces), ""
        piece = _Piece(mark.end, join, part)
    chinese = a_not_a(tokens)
    if chinese >= 0:
        for piece in pieces:
            piece.question = piece.question or piece.start <= chinese < piece.end
    return tuple(
        [
            Clause(p.start, p.end, frozenset(p.senses), tuple(p.marks), tuple(p.prices), p.person, p.verbal,
                   p.question, p.join, p.part)
            for p in pieces
        ]
    )  # fmt: skip


def _belongs(before: _Piece, piece: _Piece) -> bool:
    """Whether a part after a comma or "and" says nothing of its own: a figure, a room, a date, a manner."""
    if piece.join == "but" or piece.verbal or piece.turns or not piece.senses.isdisjoint(_OWN_STATEMENT):
        return False
    if not piece.prices:
        remark = piece.end - piece.start >= _REMARK and before.end - before.start == 1 and before.senses <= STATUS
        return not (before.senses and (before.senses <= _YES or (remark and "all" not in piece.senses)))
    agrees = [mark.start for mark in before.marks if not mark.senses.isdisjoint(_AGREES)]
    if not before.prices:
        return bool(agrees)
    return not agrees or (
        agrees[0] < piece.start and not before.senses.isdisjoint(_AGREES) and _leads(before, agrees[0])
    )


TURNS: Final = frozenset((first, second) for first in ("now", "as") for second in ("for", "to", "about", "abt", "the"))
"""Words with which a clause turns to something else: "288 is locked, now about the suite"."""
_REMARK: Final = 6
"""Words of a clause that says something of its own after a mere "agreed"."""
_YES: Final = frozenset(("accept_weak", "neutral"))


def _leads(before: _Piece, agreement: int) -> bool:
    """Whether a clause agrees before it names what to: "I confirm 400 for the King"."""
    return agreement - before.start <= 3


def _mark_questions(pieces: Sequence[_Piece], tokens: Sequence[str]) -> None:
    """Say which pieces before a question mark it belongs to.

    It reaches back to where the question opens ("309 is fine, could you do 540?"), over figures that have nothing said
    of them yet ("310 for the King, would you?"); without an opening it takes all but what was settled before a new
    figure ("309 is fine, 540 for the suite?").
    """
    opening = next((i for i, p in enumerate(pieces) if opens_question(tokens, p.start, p.end)), None)
    figures_later = False
    for i in range(len(pieces) - 1, -1, -1):
        piece = pieces[i]
        settled = not piece.senses.isdisjoint(_SETTLED)
        if opening is not None and i < opening:
            piece.question = bool(piece.prices) and not settled and not figures_later and not piece.verbal
        elif figures_later and settled and piece.prices and opening is None:
            piece.question = False
        else:
            piece.question = True
        figures_later = figures_later or bool(piece.prices)


def _percentages(tokens: Sequence[str]) -> list[tuple[int, float]]:
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


def _nearest_tactic(i: int, tokens: Sequence[str], marks: Sequence[Mark]) -> str:
    """Return the tactic of the phrase nearest to token ``i`` in its sentence that can bear a figure, "" if none."""
    best, distance = "", 40
    for at, senses, end in marks:
        gap = at - i if at > i else i - end + 1
        if gap < distance and not senses.isdisjoint(FIGURED):
            between = tokens[i:at] if at > i else tokens[end:i]
            gap += 8 * sum(t in _LINKS for t in between)
            if gap < distance and not any(t in _SENTENCE_STOPS for t in between):
                best, distance = min(senses & FIGURED), gap
    return best


_LINKS: Final = frozenset([",", "，", "、", "and", "but", "while"])
_SENTENCE_STOPS: Final = frozenset(".!?;\n。！？；")


class Part:
    """A clause in its message: with the rooms it names and its prices, and the senses of its whole sentence."""

    __slots__ = ("around", "clause", "number", "prices", "question", "rooms", "senses", "sentence", "tokens")

    def __init__(
        self, clause: Clause, sentence: Sentence, number: int, rooms: Sequence[tuple[int, frozenset[Any], int]]
    ):
        self.clause = clause
        self.tokens = sentence.tokens
        self.number = number
        """Of its sentence in the message; a sentence ends at a full stop."""
        self.senses = clause.senses
        self.question = clause.question
        self.around: frozenset[str] = clause.senses
        """Senses of its whole sentence."""
        self.prices = [(sentence.positions[k], sentence.prices[k]) for k in clause.prices]
        self.rooms = [(at, room) for at, room, _ in rooms if clause.start <= at < clause.end and room] if rooms else []


def parts_of(sentences: Sequence[Sentence], tree: dict[str, Any] | None) -> list[Part]:
    """Return the clauses of a message in order; ``tree`` finds the rooms, None where there is only one."""
    parts: list[Part] = []
    number = 0
    for sentence in sentences:
        rooms = find_phrases([token.removesuffix("'s") for token in sentence.tokens], tree) if tree else ()
        last = 0
        for clause in sentence.clauses:
            if clause.part != last:
                number += 1
                last = clause.part
            parts.append(Part(clause, sentence, number, rooms))
        number += 1
    around: dict[int, frozenset[str]] = {}
    for part in parts:
        around[part.number] = around.get(part.number, frozenset()) | part.senses
    for part in parts:
        part.around = around[part.number]
    return parts
