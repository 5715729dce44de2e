"""Preference data: situations, candidate replies with or without damage to their text, and simulated comparisons.

Everything is generated and follows from its seed: no person wrote a reply or compared two. Pairs come from four sources
in the shares of the source paper (arXiv 2510.04214), each with pairs of its own kind and its own annotator
(``annotators.SOURCES``). Scenarios, the hotel's personas, phrases and damage of the test split are never trained on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np

from negotiation_env.game.state import unsettled
from negotiation_env.play.exchange import reply_view
from negotiation_env.play.prompts import prompt
from negotiation_env.play.protocols import ReplyView
from negotiation_env.seeds import Stream
from simulators.people.annotators import SOURCES, TIE, AnnotatedReply, Annotator
from simulators.people.candidates import CANDIDATES, HONEST, draw_acts, worded
from simulators.people.damage import damage, kinds
from simulators.people.demonstrations import TEST_SHARE, full_paths
from simulators.people.situations import Situation, explorer, play, sample_situation
from simulators.people.training_files import TEST, TRAIN, PreferencePair

DAMAGED = 0.3
"""Share of freely drawn replies whose text is damaged."""
SKETCHED = 0.25
"""Share of situations, SOP paths apart, that a sketched manager leads to: states that the hotel rarely shows."""
DIALOGUE_PAIRS = 3
"""Most pairs from one dialogue."""
LENGTH_TRIES = 4
"""Tries to find a pair that keeps the chosen reply as long as the rejected one on average."""
LENGTH_LIMIT = 0.04
"""Correlation of length difference and choice that is let pass."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A candidate reply: its view, its habit, and the damage done to its text ("" for none)."""

    view: ReplyView
    habit: str
    damage: str

    @property
    def judged(self) -> AnnotatedReply:
        """The reply as annotators see it."""
        return AnnotatedReply(self.view.features, self.view.words, self.damage)


@dataclass(frozen=True, slots=True)
class Pair:
    """A simulated comparison.

    Attributes:
        situation: where both replies were due.
        source: whose annotator compared; one of ``annotators.SOURCES``.
        chosen, rejected: the replies.
        margin: by how much the annotator says the chosen one is better, 0 to 4; see ``annotators.GRADES``.
        sure: probability with which this annotator makes this choice.
        held_out: whether it belongs to the test split.
    """

    situation: Situation
    source: str
    chosen: Candidate
    rejected: Candidate
    margin: float
    sure: float
    held_out: bool

    def line(self) -> PreferencePair:
        """Return the pair as a line of a preference file."""
        return PreferencePair(
            prompt=prompt(self.chosen.view),
            chosen=self.chosen.view.text,
            rejected=self.rejected.view.text,
            source=self.source,
            scenario=self.situation.name,
            margin=self.margin,
            split=TEST if self.held_out else TRAIN,
            sure=self.sure,
        )


def draw_candidate(
    situation: Situation, rng: np.random.Generator, held_out: bool, habit: str = "", damaged: float = DAMAGED
) -> Candidate:
    """Draw a candidate reply to a situation; ``habit`` "" draws one, ``damaged`` is the chance of damage."""
    card, game = situation.card, situation.game
    habit = habit or str(rng.choice(CANDIDATES))
    text = worded(draw_acts(habit, card, game, rng), card, game, int(rng.integers(1 << 40)), held_out)
    harm = str(rng.choice(_kinds())) if text and rng.random() < damaged else ""
    return made(situation, habit, text, harm, rng, held_out)


def made(situation: Situation, habit: str, text: str, harm: str, rng: np.random.Generator, held_out: bool) -> Candidate:
    """Return a text as a candidate, damaged in the given way ("" for none) where that is possible."""
    harmed = damage(text, harm, situation, rng, held_out) if harm else text
    view = reply_view(harmed, situation.card, situation.game, situation.said, situation.manager)
    return Candidate(view, habit, harm if harmed != text else "")


@cache
def _kinds() -> tuple[str, ...]:
    return tuple(sorted(kinds()))


def composition(n: int) -> dict[str, int]:
    """Return how many of ``n`` pairs come from each source: the paper's shares, by largest remainder."""
    total = sum(source.share for source in SOURCES.values())
    exact = {name: n * source.share / total for name, source in SOURCES.items()}
    counts = {name: math.floor(x) for name, x in exact.items()}
    for name in sorted(exact, key=lambda s: counts[s] - exact[s])[: n - sum(counts.values())]:
        counts[name] += 1
    return counts


def preference_pairs(
    n: int, seed: int = 0, held_out: bool | None = None, progress: Callable[[int], object] | None = None
) -> list[Pair]:
    """Return ``n`` compared pairs in the paper's composition, in an order that the seed decides.

    Args:
        n: number of pairs, all sources together.
        seed: names the data: other seeds give other dialogues of the same kind.
        held_out: True for test pairs only, False for training pairs only; None for both, 15 percent of each source
            being test pairs.
        progress: called with the number of pairs made so far.
    """
    pairs: list[Pair] = []
    for source, count in composition(n).items():
        held = count if held_out else 0 if held_out is False else round(TEST_SHARE * count)
        for part, size in ((False, count - held), (True, held)):
            stream = _pairs_of(source, seed, part) if size else iter(())
            for _ in range(size):
                pairs.append(next(stream))
                if progress is not None:
                    progress(len(pairs))
    order = np.random.default_rng((Stream.PAIR_ORDER, seed)).permutation(len(pairs))
    return [pairs[i] for i in order]


def rankings(
    situations: int, draws: int, seed: int = 0, held_out: bool = False, without: tuple[str, ...] = ()
) -> Iterator[tuple[str, Situation, list[Candidate]]]:
    """Yield (source, situation, different replies) for so many situations in the paper's composition.

    Many replies to one prompt cost a language model little more than two, and every two of them can be compared
    (Ouyang et al. 2022). Each situation has up to ``2 * draws`` replies; those with damage named in ``without`` are
    left out. The seed should be another than the preference file's, whose situations would come again.
    """
    for source, count in composition(situations).items():
        place = list(SOURCES).index(source)
        rng = np.random.default_rng((Stream.RANKING, seed, place, int(held_out)))
        draw = _sop_pair if source == "sop-path" else _DRAWS[source]
        stream = _situations(source, (seed << 24) + (place << 44), held_out, rng)
        for _ in range(count):
            replies: dict[str, Candidate] = {}
            while len(replies) < 2:
                situation, text = next(stream)
                drawn = [c for _ in range(draws) for c in draw(situation, text, rng, held_out) or ()]
                replies = {c.view.text: c for c in drawn if c.damage not in without}
            yield source, situation, list(replies.values())


def _pairs_of(source: str, seed: int, held_out: bool) -> Iterator[Pair]:
    """Yield pairs of one source without end, chosen and rejected replies of about the same length on average."""
    place = list(SOURCES).index(source)
    rng = np.random.default_rng((Stream.PAIR, seed, place, int(held_out)))
    annotator = Annotator(source)
    draw = _sop_pair if source == "sop-path" else _DRAWS[source]
    total = squares = count = 0.0
    for situation, text in _situations(source, (seed << 24) + (place << 44), held_out, rng):
        for attempt in range(LENGTH_TRIES):
            drawn = draw(situation, text, rng, held_out)
            pair = None if drawn is None else _compare(situation, annotator, drawn, rng, held_out)
            if pair is None:
                continue
            longer = len(pair.chosen.view.text) - len(pair.rejected.view.text)
            r = abs(total + longer) / math.sqrt(max((count + 1) * (squares + longer * longer), 1.0))
            if r <= LENGTH_LIMIT or abs(total + longer) < abs(total) or attempt == LENGTH_TRIES - 1:
                total, squares, count = total + longer, squares + longer * longer, count + 1
                yield pair
                break


def _situations(source: str, first: int, held_out: bool, rng: np.random.Generator) -> Iterator[tuple[Situation, str]]:
    """Yield (situation, what was said there in its dialogue) without end."""
    number = first
    paths = full_paths(held_out, first)
    while True:
        if source == "sop-path":
            _, dialogue = next(paths)
        elif rng.random() < SKETCHED:
            yield sample_situation(number, held_out), ""
            number += 1
            continue
        else:
            dialogue = play(number, held_out, explorer)
            number += 1
        turns = dialogue.turns
        for i in sorted(rng.choice(len(turns), min(DIALOGUE_PAIRS, len(turns)), replace=False)):
            yield turns[i].situation, turns[i].text


def _compare(
    situation: Situation,
    annotator: Annotator,
    drawn: tuple[Candidate, Candidate],
    rng: np.random.Generator,
    held_out: bool,
) -> Pair | None:
    """Let the annotator choose; None where it can hardly tell the two apart."""
    a, b = drawn
    if a.view.text == b.view.text or abs(annotator.gap(a.judged, b.judged)) < TIE:
        return None
    likes_a = annotator.preference(a.judged, b.judged)
    chosen, rejected, sure = (a, b, likes_a) if rng.random() < likes_a else (b, a, 1.0 - likes_a)
    margin = annotator.margin(a.judged, b.judged)
    return Pair(situation, annotator.source, chosen, rejected, margin, sure, held_out)


_Drawn = tuple[Candidate, Candidate] | None


def _free_pair(situation: Situation, text: str, rng: np.random.Generator, held_out: bool) -> _Drawn:
    """Two replies of any kind, mostly clean; a good quote is taken in one of them more often than not."""
    first = "settle" if _good_quote(situation) and rng.random() < 0.6 else ""
    return (
        draw_candidate(situation, rng, held_out, first, damaged=0.1),
        draw_candidate(situation, rng, held_out, damaged=0.1),
    )


def _wording_pair(situation: Situation, text: str, rng: np.random.Generator, held_out: bool) -> _Drawn:
    """One meaning in two wordings, one of them damaged; now and then two meanings, or damage in both."""
    luck = rng.random()
    habit = str(rng.choice(sorted(HONEST))) if luck < 0.8 else ""
    acts = draw_acts(habit or str(rng.choice(CANDIDATES)), situation.card, situation.game, rng)
    texts = []
    for _ in range(2):
        if luck > 0.55:
            acts = draw_acts(habit or str(rng.choice(CANDIDATES)), situation.card, situation.game, rng)
        texts.append(worded(acts, situation.card, situation.game, int(rng.integers(1 << 40)), held_out))
    if not all(texts):
        return None
    harms = [str(rng.choice(_kinds())), str(rng.choice(_kinds())) if luck < 0.15 else ""]
    a, b = (made(situation, habit, t, h, rng, held_out) for t, h in zip(texts, harms, strict=True))
    return a, b


def _sop_pair(situation: Situation, text: str, rng: np.random.Generator, held_out: bool) -> _Drawn:
    """What was said along a full path, against a reply that leaves the procedure or spoils the text."""
    if not text:
        return None
    own = made(situation, "demonstrated", text, "", rng, held_out)
    if rng.random() < 0.35:
        return own, made(situation, "demonstrated", text, str(rng.choice(_kinds())), rng, held_out)
    return own, draw_candidate(situation, rng, held_out, damaged=0.1)


_DRAWS = {"production": _free_pair, "specialist": _wording_pair, "bd-agent": _free_pair}


def _good_quote(situation: Situation) -> bool:
    """Whether a quote at or below its target waits to be taken."""
    game = situation.game
    return any(game.quoted[k] and game.quote[k] <= game.card.target[k] for k in unsettled(game))
