"""Preference pairs out of written replies, as far as an annotator who reads the chat could see the difference.

Of two replies to one state the better graded one is chosen, in the composition of the source paper (arXiv 2510.04214):
252 pairs from production, 3,178 by language specialists, 1,211 by business-development agents, 1,991 over the whole
procedure. Annotators see the chat and no card, so a wrong date, room or figure, a forbidden promise or the confidential
target tell them nothing: such pairs are left out, and minimal edits (``edits``) stand as ties. What anybody sees and
no author wrote (silence, a copied line, a doubled or shuffled text) is made by code, and what a small language model
says that was tuned on these dialogues (``samples``: fluent, and mostly beside the point) loses to a good written reply
and to a plain one.
Grades are AI authors'; a slip rate is each source's share of wrong ticks. No human compared anything.
"""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from pydantic import BaseModel

from negotiation_env.engines.chat_model import ChatMessage
from negotiation_env.files import read_lines
from negotiation_env.seeds import Stream
from simulators.people.annotators import SOURCES
from simulators.people.graded_replies import EDITS, edit_texts, grade_of
from simulators.people.training_files import TEST, TRAIN, PreferencePair
from simulators.people.written_dialogues import WrittenDialogue, WrittenReply, written_dialogues
from simulators.people.written_messages import WrittenMessage, template_text, written_messages

UNSEEN: Final = frozenset(
    (
        "wrong-date", "wrong-room", "wrong-hotel", "wrong-direction", "invented-figure", "price-type-mixup",
        "overpromise", "target-leak", "presses-below-target", "accepts-too-early",
    )
)  # fmt: skip
"""Flaws that the chat alone does not show: they need the card."""
SPECIALISTS: Final = frozenset(
    (
        "rude", "pressure", "flattery", "empty-phrases", "keyword-soup", "over-long", "repeats", "off-topic",
        "out-of-role", "ignores-feeling", "internal-term",
    )
)  # fmt: skip
"""Flaws of language and tone."""
AGENTS: Final = frozenset(("ignores-question", "asks-again", "private-data"))
"""Flaws that somebody notices who does this work; the other seen ones are against the procedure."""
PAIRS: Final = 6632
"""Of the source paper."""
MADE_SHARE: Final = 0.2
"""Of the specialists' pairs: those whose rejected reply was made by code."""
SAMPLED_SHARE: Final = 0.5
"""Of the pairs over the whole procedure: those whose rejected reply a language model sampled, where samples are."""
_PARTS: Final = {
    "specialist": ("made", MADE_SHARE),
    "sop-path": ("sampled", SAMPLED_SHARE),
}
"""What a source's pairs hold beside written alternatives."""
PLAIN_EVERY: Final = 3
"""Of so many sampled replies one loses to a plain reply, too: the good reply's acts in the phrase book's words.

Without these a reward learns that what is plain is nonsense, and lively stalling pays.
"""
SAMPLES: Final = Path(__file__).with_name("samples")
"""Files of ``negotiate data samples``; which split a line belongs to follows from its dialogue."""
OPENING: Final[ChatMessage] = {"role": "user", "content": "(The hotel has picked up.)"}
NO_ANSWER: Final = "(No answer.)"
_WORD: Final = re.compile(r"\S+")


class _Choice(NamedTuple):
    """Two replies of one turn."""

    talk: tuple[ChatMessage, ...]
    dialogue: str
    better: WrittenReply
    worse: WrittenReply
    sent: bool
    """Whether one of both was sent."""


def talk_messages(agent: Sequence[str], manager: Sequence[str]) -> tuple[ChatMessage, ...]:
    """Return a talk as chat messages without any card: the hotel speaks as the user, the last message is its."""
    said: list[ChatMessage] = [OPENING]
    for mine, theirs in zip(agent, manager, strict=True):
        said.append({"role": "assistant", "content": mine})
        said.append({"role": "user", "content": theirs.strip() or NO_ANSWER})
    return tuple(said)


def source_of(better: WrittenReply, worse: WrittenReply, sent: bool, luck: float) -> str:
    """Return whose comparison a pair is; ``luck`` in [0, 1) shares out what several could compare."""
    if sent and luck < 0.1:
        return "production"
    flaws = set(worse.flaws) - UNSEEN
    if flaws & SPECIALISTS:
        return "specialist"
    if flaws & AGENTS:
        return "bd-agent"
    if flaws:
        return "sop-path"
    # one of both is merely duller: language for the specialists, reasons for agents
    return "specialist" if luck < 0.55 else "bd-agent" if luck < 0.75 else "sop-path"


def written_pairs(split: str, count: int | None = PAIRS, seed: int = 0) -> list[PreferencePair]:
    """Return preference pairs of a split's authors; "validation" and "test" pairs are marked as test pairs.

    Args:
        split: "train", "validation" or "test".
        count: pairs, in the paper's composition, fewer where a source has not so many; None for all there are.
        seed: which pairs, what is made by code, and which ticks are slips.
    """
    rng = np.random.default_rng((Stream.WRITTEN_PAIR, seed))
    by_source: dict[str, list[PreferencePair]] = defaultdict(list)
    for dialogue in written_dialogues(split):
        for choice in _choices(dialogue):
            source = source_of(choice.better, choice.worse, choice.sent, float(rng.random()))
            by_source[source].append(_pair(choice, source, split))
        for choice in _made(dialogue, rng):
            by_source["made"].append(_pair(choice, "specialist", split))
    by_source["sampled"] += [_pair(choice, "sop-path", split) for choice in sampled_choices(split)]
    for pairs in by_source.values():
        rng.shuffle(pairs)
    if count is not None:
        whole = sum(source.share for source in SOURCES.values())
        for name, kind in SOURCES.items():
            wanted = round(count * kind.share / whole)
            if name in _PARTS:
                part, share = _PARTS[name]
                by_source[part] = by_source[part][: round(share * wanted)]
                wanted -= len(by_source[part])
            by_source[name] = by_source[name][:wanted]
    found = [pair for name in sorted(by_source) for pair in by_source[name]]
    return [_ticked(pair, rng) for pair in found]


class SampledReply(BaseModel):
    """What a language model said in a written dialogue's turn; ``where`` is dialogue and turn, "d0123:4"."""

    where: str
    text: str


def sampled_texts(folder: Path = SAMPLES) -> dict[str, list[str]]:
    """Return what was sampled by dialogue and turn, in the files' order; no first messages.

    A small model learns to greet before it learns anything else, and most of what it says first would do.
    """
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(folder.glob("*.jsonl")):
        for line in read_lines(path, SampledReply):
            if not line.where.endswith(":0"):
                found[line.where].append(line.text)
    return found


def sampled_choices(split: str, folder: Path = SAMPLES) -> list[_Choice]:
    """Return a good written reply and a sampled one for every turn of a split that has both, and some plain ones."""
    samples = sampled_texts(folder)
    found, place = [], itertools.count(1)
    sampled = {where.split(":")[0] for where in samples}
    for dialogue in written_dialogues(split):
        if dialogue.id not in sampled:
            continue
        messages = {message.where: message for message in written_messages(dialogue)}
        for number, talk in _talks(dialogue):
            good = [reply for reply in dialogue.turns[number].replies if grade_of(reply.quality) == "excellent"]
            for text in samples.get(f"{dialogue.id}:{number}", ()):
                if good and text not in [reply.text for reply in good]:
                    better = good[0]
                    worse = better.model_copy(update={"text": text, "quality": 1, "flaws": ("off-topic",)})
                    found.append(_Choice(talk, dialogue.id, better, worse, False))
                    if next(place) % PLAIN_EVERY:
                        continue
                    plain = _plain(better, messages[f"{dialogue.id}:{number}:a0"], number)
                    if plain is not None:
                        found.append(_Choice(talk, dialogue.id, plain, worse, False))
    return found


def _plain(reply: WrittenReply, message: WrittenMessage, turn: int) -> WrittenReply | None:
    text = template_text(reply.acts, message.card, message.context, turn, seed=0)
    return None if text is None else reply.model_copy(update={"text": text, "quality": 3})


def tied_pairs(split: str, files: Iterable[str] = ("train_a.jsonl", "train_b.jsonl")) -> list[PreferencePair]:
    """Return minimal edits of a split's authors as ties: who sees no card has no choice between them."""
    talks = {
        f"{dialogue.id}:{number}": talk for dialogue in written_dialogues(split) for number, talk in _talks(dialogue)
    }
    return [
        PreferencePair(
            talks[where], true, false, "tie", where.split(":")[0], 0.0, TRAIN if split == TRAIN else TEST, 0.5
        )
        for name in files
        for where, true, false in edit_texts(EDITS / name)
        if where in talks
    ]


def _talks(dialogue: WrittenDialogue) -> Iterator[tuple[int, tuple[ChatMessage, ...]]]:
    agent = [turn.agent for turn in dialogue.turns]
    manager = [turn.manager for turn in dialogue.turns]
    for number in range(len(dialogue.turns)):
        yield number, talk_messages(agent[:number], manager[:number])


def _choices(dialogue: WrittenDialogue) -> Iterator[_Choice]:
    """Yield every two replies of a turn whose difference the chat shows."""
    for number, talk in _talks(dialogue):
        # A reply whose flaws nobody can see looks as good as any: comparing it tells nothing.
        seen = [(i, r) for i, r in enumerate(dialogue.turns[number].replies) if not r.flaws or set(r.flaws) - UNSEEN]
        for i, better in seen:
            for j, worse in seen:
                if better.quality > worse.quality and grade_of(better.quality) != grade_of(worse.quality):
                    yield _Choice(talk, dialogue.id, better, worse, i == 0 or j == 0)


def _made(dialogue: WrittenDialogue, rng: np.random.Generator) -> Iterator[_Choice]:
    """Yield for one turn of a dialogue an excellent reply and what nobody would send in its place."""
    turns = [n for n, turn in enumerate(dialogue.turns) if turn.quality >= 4]
    if not turns:
        return
    number = turns[int(rng.integers(len(turns)))]
    turn, talk = dialogue.turns[number], dict(_talks(dialogue))[number]
    words = _WORD.findall(turn.agent)
    mixed = list(words)
    rng.shuffle(mixed)
    spoilt = {
        "empty": "",
        "copied": talk[-1]["content"] if number else "",
        "said before": dialogue.turns[number - 1].agent if number else " ".join(words[:2]),
        "doubled": f"{turn.agent} {turn.agent}",
        "shuffled": " ".join(mixed),
        "cut off": " ".join(words[: max(1, len(words) // 4)]),
        "shouted": turn.agent.upper() + "!!!",
        "nothing": ("Noted.", "Ok.", "Good. I will write it down.", "Thank you for your message.", "I see.")[
            int(rng.integers(5))
        ],
    }
    kind = sorted(spoilt)[int(rng.integers(len(spoilt)))]
    better = turn.replies[0]
    worse = better.model_copy(update={"text": spoilt[kind], "quality": 1, "flaws": ("empty-phrases",)})
    if worse.text != better.text:
        yield _Choice(talk, dialogue.id, better, worse, True)


def _pair(choice: _Choice, source: str, split: str) -> PreferencePair:
    return PreferencePair(
        choice.talk,
        choice.better.text,
        choice.worse.text,
        source,
        choice.dialogue,
        float(choice.better.quality - choice.worse.quality),
        TRAIN if split == TRAIN else TEST,
        1.0 - SOURCES[source].slip,
    )


def _ticked(pair: PreferencePair, rng: np.random.Generator) -> PreferencePair:
    """Return a pair as its annotator ticked it: now and then the wrong box."""
    if rng.random() >= SOURCES[pair.source].slip:
        return pair
    return PreferencePair(
        pair.prompt, pair.rejected, pair.chosen, pair.source, pair.scenario, pair.margin, pair.split, pair.sure
    )
