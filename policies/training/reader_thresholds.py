"""Chooses from which probability on the encoder reader believes its heads: on written messages it was not trained on.

One threshold after the other is set to the value of its grid with the least cost, until nothing changes: the share of
messages misread so that the game changes, plus penalties where commitments or endings are heard that are none, where
too many acceptances are asked back, or where allowed promises are taken for forbidden ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from negotiation_env.language.encoder_heads import Found
from negotiation_env.language.encoder_input import EncoderInput, encoder_input
from negotiation_env.language.encoder_reader import BATCH, EncoderReader, Thresholds, acts_of, reads
from negotiation_env.language.reading import Reading, spoken
from negotiation_env.language.rule_reader import understand
from simulators.people.reading_effects import ReadMessage, commits_falsely, compare, same_figure
from simulators.people.written_messages import WrittenMessage

GRID: Final[dict[str, tuple[float, ...]]] = {
    "firm": (0.7, 0.8, 0.85, 0.9, 0.93, 0.96, 0.98, 0.985, 0.99, 0.995),
    "seconded": (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.93),
    "contradicted": (0.9, 0.93, 0.96, 0.97, 0.98, 0.99, 0.995),
    "unsure": (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
    "offer": (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7),
    "seconded_offer": (0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4),
    "bid": (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95),
    "unheard_bid": (0.8, 0.85, 0.9, 0.95, 0.98, 0.99),
    "stand": (0.3, 0.4, 0.5, 0.6, 0.7, 0.8),
    "selling_below": (0.003, 0.01, 0.03, 0.1, 0.2),
    "net_above": (0.6, 0.8, 0.9, 0.97),
    "seconded_refusal": (0.0, 0.01, 0.03, 0.05, 0.1, 0.2, 0.4),
    "close": (0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
    "seconded_promise": (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3),
    "overpromise": (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8),
}
FALSE_SHARE: Final = 0.003
"""Commitments and endings heard falsely, of all messages, from which on they cost dearly. Less than is allowed: authors
differ."""
ASKED_SHARE: Final = 0.09
"""Acceptances that are asked back, of those heard, from which on they cost."""


class _Heard(NamedTuple):
    """A message with what the heads and the rules say of it."""

    message: WrittenMessage
    seen: EncoderInput
    found: Found
    rules: Reading


def choose_thresholds(reader: EncoderReader, messages: Sequence[WrittenMessage]) -> tuple[Thresholds, float]:
    """Return the best thresholds, and their cost."""
    heard = _hear(reader, messages)
    best = reader.at
    cost = _cost(heard, best)
    changed = True
    while changed:
        changed = False
        for name, values in GRID.items():
            for value in values:
                tried = best._replace(**{name: value})
                if tried.unsure > tried.firm:
                    continue
                here = _cost(heard, tried)
                if here < cost - 1e-9:
                    best, cost, changed = tried, here, True
    return best, cost


def _hear(reader: EncoderReader, messages: Sequence[WrittenMessage]) -> list[_Heard]:
    """Return what the encoder reads of the messages, with the heads' and the rules' word on it."""
    read = [(m, understand(m.text, m.context)) for m in messages]
    mine = sorted(
        (x for x in read if reads(x[0].text, x[1], x[0].side)), key=lambda x: len(x[0].text) + len(x[0].context.heard)
    )
    heard: list[_Heard] = []
    for start in range(0, len(mine), BATCH):
        part = mine[start : start + BATCH]
        seen = [encoder_input(spoken(m.text), m.context, r) for m, r in part]
        heard += [_Heard(m, s, f, r) for (m, r), s, f in zip(part, seen, reader.find(seen), strict=True)]
    return heard


def _cost(heard: Sequence[_Heard], at: Thresholds) -> float:
    wrong = commits = ends = taken = asked = forbidden = missed = accused = 0
    for message, seen, found, rules in heard:
        item: ReadMessage = compare(message, acts_of(found, seen, message.context, at, rules))
        wrong += bool(item.wrong)
        commits += commits_falsely(item)
        ends += item.read.ended and not item.meant.ended
        for k in range(len(message.card.tickets)):
            if item.meant.agreed[k] > message.game.agreed[k]:
                right = same_figure(item.read.agreed[k], item.meant.agreed[k])
                taken += right or item.read.unsure[k]
                asked += item.read.unsure[k] and not right
        if item.read.move is not None:
            over = bool(item.read.move.overpromise)
            if "overpromise" in message.flaws:
                forbidden, missed = forbidden + 1, missed + (not over)
            else:
                accused += over
    count = max(1, len(heard))
    cost = wrong / count + 0.1 * missed / max(1, forbidden)
    cost += 60.0 * max(0.0, commits / count - FALSE_SHARE) + 10.0 * max(0.0, ends / count - FALSE_SHARE)
    cost += 2.0 * max(0.0, asked / max(1, taken) - ASKED_SHARE) + 4.0 * max(0.0, accused / count - 0.015)
    return cost
