"""A message cut into clauses, each with what it says: senses, prices and the tickets it names.

Clauses end at punctuation, at "but", and at a comma or "and" once the clause has said a price. This module resolves
which ticket a clause speaks of; what the clauses mean together is ``understanding``'s business.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final

from negotiation_env.prices import Price, PriceKind
from negotiation_env.reading.lexicon import SENSE
from negotiation_env.reading.sentences import Sentence

STATUS: Final = (
    SENSE["accept"] | SENSE["confirm"] | SENSE["hold"] | SENSE["hold_bound"] | SENSE["final"] | SENSE["reject"]
)
"""Senses that settle something about a ticket."""
_TURNS_DOWN: Final = SENSE["hold"] | SENSE["hold_bound"] | SENSE["final"] | SENSE["reject"]
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
