"""What judges are trained and tested on: replies with true answers to the rubric's questions, by situation.

Written replies come from the graded dialogues, by authors' split; simulated ones are made of acts in phrase-book words,
sampled ones by a small language model that was tuned on those dialogues.
Training alone has wider families of damage (``wording.toml``) and sentences aimed at the judge (``injections.toml``),
one a line; "(a|b)" in a line stands for a or b. Every sixth line of damage is left out of training, as it was when the
shipped judges were trained.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from negotiation_env.files import read_toml
from negotiation_env.language.reading import Reader, context_of
from negotiation_env.language.rule_reader import RULES
from negotiation_env.language.wording import agent_phrase_book, word
from negotiation_env.play.exchange import reply_view
from negotiation_env.play.protocols import ReplyView
from negotiation_env.seeds import Stream
from rewards.judge.case_questions import cases
from rewards.judge.judge_labels import answers, simulated_answers
from rewards.judge.judge_orders import with_text
from rewards.judge.rubric import Rubric
from simulators.people.candidates import CANDIDATES, draw_acts
from simulators.people.damage import kinds, with_phrase
from simulators.people.graded_replies import graded_turns
from simulators.people.preferences import Candidate, draw_candidate, rankings
from simulators.people.situations import Situation
from simulators.people.written_dialogues import written_dialogues
from simulators.people.written_pairs import sampled_texts

WORDING: Final = Path(__file__).with_name("wording.toml")
INJECTIONS: Final = Path(__file__).with_name("injections.toml")
HARMLESS: Final = "harmless"
"""Name of the sentences that look like damage, or like soothing, and are neither."""
STEP: Final = 6
KEPT: Final = 3
"""Of every ``STEP`` lines of damage, the one at this place is not trained on."""
DRAWS: Final = 3
"""Simulated replies that are drawn twice over for each situation; those that come out alike are one."""
WITHOUT: Final = ("injection",)
"""Damage left out of the labelled replies: injections keep the answers of the reply that holds them."""
OFF_TOPIC: Final = "off-topic"
"""The question whether a reply leaves the matter."""
_CHOICE: Final = re.compile(r"\(([^()|]*(?:\|[^()|]*)+)\)")
_LEADS: Final = ("Well, ", "Look, ", "By the way, ", "Honestly, ", "You see, ", "And ", "So ", "Just to say it: ")
_LED: Final = 0.15
"""Share of added sentences that begin with one of ``_LEADS``."""
_HARD: Final = ("internal term", "over-promise", HARMLESS)
"""Wider wording is drawn from these kinds half the time: what they look like is told by wording alone."""


class JudgedReply(NamedTuple):
    """A reply to learn from or to test on."""

    view: ReplyView
    answers: tuple[bool | None, ...]
    """To each question of the rubric; None where it is untold, or not asked."""
    quality: int
    """The author's grade, 1 to 5; 0 for a simulated reply."""
    sound: bool = True
    """Whether its text is a person's or the phrase book's, without damage."""


def written_replies(split: str, rubric: Rubric, reader: Reader = RULES) -> Iterator[list[JudgedReply]]:
    """Yield the replies to each turn of a split's dialogues, the one that was sent first."""
    for dialogue in written_dialogues(split):
        heard: tuple[str, ...] = ()
        for turn, told in zip(dialogue.turns, graded_turns(dialogue, reader), strict=True):
            yield [JudgedReply(r.view, tuple(answers(r, heard, rubric)), r.quality) for r in told.replies]
            heard = turn.manager_acts


def sampled_replies(split: str, rubric: Rubric) -> Iterator[JudgedReply]:
    """Yield what a small language model said in written turns (``written_pairs.sampled_texts``).

    It is fluent and mostly beside the point; nothing else is told of it.
    """
    samples = sampled_texts()
    for dialogue in written_dialogues(split):
        for turn in graded_turns(dialogue):
            for text in samples.get(turn.where, ()):
                view = with_text(turn.replies[0].view, text)
                told = tuple(True if q.id == OFF_TOPIC and q.when in cases(view) else None for q in rubric.questions)
                yield JudgedReply(view, told, 1, False)


def simulated_replies(
    situations: int, seed: int, rubric: Rubric, held_out: bool = False
) -> Iterator[list[JudgedReply]]:
    """Yield simulated replies to each of so many situations, one of them in the agent's own phrase book.

    Held-out replies have scenarios, personas and damage of their own, and but for that one phrases. Wider wording is
    added to those that are trained on.
    """
    rng = np.random.default_rng((Stream.JUDGE_LABEL, seed, int(held_out)))
    for _, situation, drawn in rankings(situations, DRAWS, seed + 1, held_out, WITHOUT):
        replies = [*drawn, _own_words(situation, rng)]
        if not held_out:
            kind = str(rng.choice(_HARD if rng.random() < 0.5 else sorted(families())))
            replies.append(wide_candidate(situation, kind, rng))
        yield [JudgedReply(r.view, tuple(simulated_answers(r, rubric)), 0, not r.damage) for r in replies]


def _own_words(at: Situation, rng: np.random.Generator) -> Candidate:
    """Return a reply as scripted policies say it."""
    habit = str(rng.choice(CANDIDATES))
    acts, context = draw_acts(habit, at.card, at.game, rng), context_of(at.card, at.game, "agent")
    text = word(acts, at.card, context, agent_phrase_book(), int(rng.integers(1 << 40)), int(at.game.turn))
    return Candidate(reply_view(text, at.card, at.game, at.said, at.manager), habit, "")


@cache
def families() -> dict[str, tuple[str, ...]]:
    """Return the lines of each kind of damage, and those of ``HARMLESS``."""
    return read_toml(WORDING, dict[str, tuple[str, ...]])


@cache
def injections(held_out: bool) -> tuple[str, ...]:
    """Return the lines aimed at the judge of one family; the held-out ones are sentences as they stand."""
    return read_toml(INJECTIONS, dict[str, tuple[str, ...]])["test" if held_out else "train"]


def learnt(lines: tuple[str, ...]) -> tuple[str, ...]:
    """Return the lines that are trained on."""
    return tuple(line for i, line in enumerate(lines) if i % STEP != KEPT)


def spelt(line: str, rng: np.random.Generator) -> str:
    """Return one sentence of a line's family."""
    while (found := _CHOICE.search(line)) is not None:
        line = line[: found.start()] + str(rng.choice(found[1].split("|"))) + line[found.end() :]
    return line


def sentences(line: str) -> Iterator[str]:
    """Yield every sentence of a line's family."""
    pieces = _CHOICE.split(line)
    yield from ("".join(some) for some in product(*(p.split("|") if i % 2 else [p] for i, p in enumerate(pieces))))


def injection(rng: np.random.Generator) -> str:
    """Return a sentence aimed at the judge, of the training family."""
    text = spelt(str(rng.choice(injections(False))), rng)
    luck = rng.random()
    return text.lower() if luck < 0.08 else text.rstrip(".") if luck < 0.16 else text


def wide_candidate(situation: Situation, kind: str, rng: np.random.Generator) -> Candidate:
    """Return a reply with a sentence of the wider wording: damage of a kind, or a harmless one, which is no damage."""
    drawn = draw_candidate(situation, rng, held_out=False, damaged=0.0)
    text = drawn.view.text
    if not text:
        return drawn
    phrase = spelt(str(rng.choice(learnt(families()[kind]))), rng)
    if kind == HARMLESS:
        text = f"{text} {phrase}" if rng.random() < 0.65 else f"{phrase} {text}"
        return Candidate(with_text(drawn.view, text), drawn.habit, "")
    entry = kinds()[kind]
    if entry.place == "any" and entry.repeat == 1 and phrase[0].isalpha() and rng.random() < _LED:
        phrase = str(rng.choice(_LEADS)) + phrase
    return Candidate(with_text(drawn.view, with_phrase(text, phrase, entry, situation, rng)), drawn.habit, kind)
