"""Pairs about an answer to a figure, from played dialogues: a yes is taken, and none is taken that nobody gave.

A policy that learns from a reward meets what no written dialogue shows: it bids on behind every yes, for a bid with a
reason is a good reply elsewhere. So where the rule-based hotel has just given in to the agent's figure, taking it is
preferred to another bid, and where it has not, another bid to a yes that it did not say. The chat shows both. Words are
the phrase book's on both sides. They come on top of the source paper's composition.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

import numpy as np

from negotiation_env.game.acts import Act, DialogueAct, PriceType
from negotiation_env.game.scenario import TaskCard
from negotiation_env.game.state import GameState, granted, unsettled
from negotiation_env.play.protocols import Utterance
from negotiation_env.seeds import Stream
from simulators.people.candidates import Acts, draw_acts, worded
from simulators.people.situations import Situation, explorer, play
from simulators.people.training_files import TEST, TRAIN, PreferencePair
from simulators.people.written_pairs import talk_messages

PAIRS: Final = 600
SOURCE: Final = "haggling"
_SURE: Final = 0.97
BIDS: Final = ("step", "bare bid", "large step", "above quote", "retreat", "unmoved")
"""Habits that haggle on."""
CUTS: Final = 0.7
"""Of the situations with a cut on the table that is not the agent's own figure: those where taking it is compared."""
EARLY: Final = 5
"""Turns before which a cut above the target is haggled on."""
MOST: Final = 2
"""Pairs of either kind from one dialogue."""


def haggling_pairs(split: str, count: int = PAIRS, seed: int = 0) -> list[PreferencePair]:
    """Return pairs, half of them behind a yes.

    Args:
        split: "train", or another, whose scenarios, personas and phrases are held out.
        count: pairs.
        seed: other seeds give other dialogues.
    """
    return list(islice(_pairs(split != TRAIN, seed), count))


def _pairs(held_out: bool, seed: int) -> Iterator[PreferencePair]:
    waiting: dict[bool, list[PreferencePair]] = {True: [], False: []}
    number = seed << 20
    while True:
        rng = np.random.default_rng((Stream.WRITTEN_PAIR, 1, number))
        found: dict[bool, list[PreferencePair]] = {True: [], False: []}
        for turn in play(number, held_out, explorer).turns:
            pair = _pair(turn.situation, rng, held_out)
            if pair is not None:
                found[bool(granted(turn.situation.game))].append(pair)
        for kind, pairs in found.items():
            waiting[kind] += [pairs[i] for i in rng.permutation(len(pairs))[:MOST]]
        number += 1
        while all(waiting.values()):
            yield from (waiting[kind].pop(0) for kind in (True, False))


def _pair(situation: Situation, rng: np.random.Generator, held_out: bool) -> PreferencePair | None:
    card, game = situation.card, situation.game
    given = granted(game)
    bids = draw_acts(BIDS[int(rng.integers(len(BIDS)))] if given else "step", card, game, rng)
    if not any(act.kind in (Act.PROPOSE, Act.COUNTER) for act in bids):
        return None
    unsaid = tuple(act._replace(kind=Act.CONFIRM) for act in bids if act.kind in (Act.PROPOSE, Act.COUNTER))
    cuts = draw_acts("take cuts", card, game, rng) if any(map(int, game.quoted)) else ()
    if given:
        better, worse = _taken(game, given, bids), bids
    elif cuts and all(act.kind is Act.CONFIRM for act in cuts) and rng.random() < CUTS:
        better, worse = (bids, cuts) if _early(card, game, situation.manager) else (cuts, unsaid)
    else:
        better, worse = bids, unsaid
    texts = [worded(acts, card, game, int(rng.integers(1 << 40)), held_out, 0.0) for acts in (better, worse)]
    talk = talk_messages([u.text for u in situation.said], [u.text for u in situation.manager])
    part = TEST if held_out else TRAIN
    if not all(texts):
        return None
    return PreferencePair(talk, texts[0], texts[1], SOURCE, situation.name, 4.0, part, _SURE)


def _early(card: TaskCard, game: GameState, heard: Sequence[Utterance]) -> bool:
    """Whether there is something left to haggle for: early, above the target, and no last price."""
    last = any(act.detail == "last" for act in heard[-1].acts) if heard else False
    return game.turn < EARLY and not last and all(game.quote[k] > card.tickets[k].target_price for k in unsettled(game))


def _taken(game: GameState, given: list[int], bids: Acts) -> Acts:
    """Return acts that take what was given, and bid on for the rest."""
    rest = tuple(act for act in bids if act.kind in (Act.PROPOSE, Act.COUNTER) and act.ticket not in given)
    price_type = PriceType.SELLING
    taken = [DialogueAct(Act.CONFIRM, price=round(game.quote[k]), price_type=price_type, ticket=k) for k in given]
    return (*taken, *rest)
