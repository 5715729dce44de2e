"""What a judge is trained and tested on: replies as trees to be read at every slot, and the annotator's choices.

Training alone has wider families of damage (``wording.toml``) and sentences aimed at the judge (``injections.toml``),
one a line; "(a|b)" in a line stands for a or b. Every sixth line of damage is kept for validation, so that the weights
are chosen by wording that they were not trained on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from negotiation_env.engines.exact.trees import TextTree
from negotiation_env.files import read_toml
from negotiation_env.play.prompts import prompt
from negotiation_env.play.protocols import ReplyView
from negotiation_env.seeds import Stream
from rewards.judge.judge_form import JudgeForm
from rewards.judge.judge_orders import with_text
from rewards.judge.rubric import Rubric
from rewards.judge.rubric_annotator import rubric_choices
from rewards.reply_reader import notes
from rewards.training.adapter_loop import Example
from rewards.training.reward_presets import JudgePreset
from simulators.people.damage import kinds, with_phrase
from simulators.people.preferences import Candidate, draw_candidate, rankings
from simulators.people.situations import Situation

WORDING: Final = Path(__file__).with_name("wording.toml")
INJECTIONS: Final = Path(__file__).with_name("injections.toml")
HARMLESS: Final = "harmless"
"""Name of the sentences that look like damage, or like soothing, and are neither."""
STEP: Final = 6
KEPT: Final = 3
"""Of every ``STEP`` lines, the one at this place is for validation."""
_CHOICE: Final = re.compile(r"\(([^()|]*(?:\|[^()|]*)+)\)")
_LEADS: Final = ("Well, ", "Look, ", "By the way, ", "Honestly, ", "You see, ", "And ", "So ", "Just to say it: ")
_LED: Final = 0.15
"""Share of added sentences that begin with one of ``_LEADS``."""


@cache
def families() -> dict[str, tuple[str, ...]]:
    """Return the lines of each kind of damage, and those of ``HARMLESS``."""
    return read_toml(WORDING, dict[str, tuple[str, ...]])


@cache
def injections(held_out: bool) -> tuple[str, ...]:
    """Return the lines aimed at the judge of one family; the held-out ones are sentences as they stand."""
    return read_toml(INJECTIONS, dict[str, tuple[str, ...]])["test" if held_out else "train"]


def part(lines: tuple[str, ...], validation: bool) -> tuple[str, ...]:
    """Return the lines that are kept for validation, or those that are not."""
    return tuple(line for i, line in enumerate(lines) if (i % STEP == KEPT) is validation)


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


def wide_candidate(situation: Situation, kind: str, rng: np.random.Generator, validation: bool) -> Candidate:
    """Return a reply with a sentence of the wider wording: damage of a kind, or a harmless one, which is no damage."""
    drawn = draw_candidate(situation, rng, held_out=False, damaged=0.0)
    text = drawn.view.text
    if not text:
        return drawn
    phrase = spelt(str(rng.choice(part(families()[kind], validation))), rng)
    if kind == HARMLESS:
        text = f"{text} {phrase}" if rng.random() < 0.65 else f"{phrase} {text}"
        return Candidate(with_text(drawn.view, text), drawn.habit, "")
    entry = kinds()[kind]
    if entry.place == "any" and entry.repeat == 1 and phrase[0].isalpha() and rng.random() < _LED:
        phrase = str(rng.choice(_LEADS)) + phrase
    return Candidate(with_text(drawn.view, with_phrase(text, phrase, entry, situation, rng)), drawn.habit, kind)


Array = NDArray[np.int64]
Ranked = tuple[str, Any, list[Candidate]]
"""A source, a situation, and replies to it (``simulators.people.preferences.rankings``)."""
DRAWS = 3
"""Replies that are drawn twice over for each situation; those that come out alike are one."""
PASSES = 20
"""Times that the simulated annotator labels the held-out replies: with slips, one pass tells a kappa to 0.03 only."""
WITHOUT = ("injection",)
"""Damage left out of the labelled replies: injections keep the labels of the reply that holds them."""
_HARD = ("internal term", "over-promise", HARMLESS)
"""Wider wording is drawn from these kinds half the time: what they look like is told by wording alone."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Held-out replies and what the annotator says of them; arrays go over all replies, situation by situation.

    Attributes:
        views: the replies of each situation.
        undamaged: those of each situation that are neither damaged nor silent.
        clean: the annotator's choices without slips, (replies, dimensions).
        given: its choices with slips, ``PASSES`` times: (passes, replies, dimensions).
        situation: the number of each reply's situation.
    """

    views: tuple[tuple[ReplyView, ...], ...]
    undamaged: tuple[tuple[ReplyView, ...], ...]
    clean: Array
    given: Array
    situation: Array


def held_out(situations: int, seed: int, rubric: Rubric) -> HeldOut:
    """Return the replies that no judge is trained on; the same for every stage of training, and for the benchmark."""
    ranked = [replies for _, _, replies in rankings(situations, DRAWS, seed + 1, held_out=True, without=WITHOUT)]
    slips = np.random.default_rng((seed, Stream.JUDGE_TEST))
    flat = [reply for replies in ranked for reply in replies]
    return HeldOut(
        tuple(tuple(r.view for r in replies) for replies in ranked),
        tuple(tuple(r.view for r in replies if not r.damage and r.view.text) for replies in ranked),
        np.array([rubric_choices(r.judged, rubric) for r in flat]),
        np.array([[rubric_choices(r.judged, rubric, slips) for r in flat] for _ in range(PASSES)]),
        np.repeat(np.arange(len(ranked)), [len(replies) for replies in ranked]),
    )


def judge_tree(views: Sequence[ReplyView], form: JudgeForm, labels: Array | None = None) -> Example:
    """Return replies to one situation as a tree to be read at every slot, without what they say to a judge, as in use.

    Args:
        views: the replies.
        form: of the judge.
        labels: the choices to learn, (replies, dimensions); None where there is nothing to learn.
    """
    head = form.chat.prompt_ids(prompt(views[0]))
    branches = []
    places: list[int] = []
    stop = len(head)
    for view in views:
        branches.append(form.reply(view.text, notes(view)))
        stop += len(branches[-1])
        places += form.places(stop)
    return Example(TextTree(head, tuple(branches)), tuple(places), labels)


def labelled(
    ranked: Iterable[Ranked],
    form: JudgeForm,
    rubric: Rubric,
    rng: np.random.Generator,
    added: JudgePreset,
    validation: bool = False,
) -> list[Example]:
    """Return situations whose replies carry the annotator's choices, slips included.

    ``added`` tells how many damaged replies of the training family are added to each, how many with wider wording, and
    behind how many there stands a sentence aimed at the judge. For ``validation`` the wider wording is the part that is
    never trained on, and nothing is aimed at the judge.
    """
    examples = []
    for _, situation, drawn in ranked:
        more = [draw_candidate(situation, rng, held_out=False, damaged=1.0) for _ in range(added.damaged)]
        more += [wide_candidate(situation, _wide_kind(rng), rng, validation) for _ in range(added.wide)]
        replies = [*drawn, *(reply for reply in more if reply.damage not in WITHOUT)]
        labels = np.array([rubric_choices(r.judged, rubric, rng) for r in replies])
        views = [reply.view for reply in replies]
        if not validation:
            aimed = [rng.random() < added.injected for _ in views]
            views = [with_text(v, f"{v.text} {injection(rng)}") if a else v for v, a in zip(views, aimed, strict=True)]
        examples.append(judge_tree(views, form, labels))
    return examples


def added_odds(
    ranked: Iterable[Ranked], learn: Iterable[Example], rubric: Rubric, rng: np.random.Generator
) -> list[NDArray[np.float32]]:
    """Return by how much each dimension's choices are likelier, in natural logarithms, among the replies to learn from.

    Likelier than among the replies drawn for the situations, to which ``labelled`` adds others: 0 where none are added.
    """
    drawn = np.array([rubric_choices(r.judged, rubric, rng) for _, _, replies in ranked for r in replies])
    learnt = np.concatenate([example.target for example in learn])
    odds = []
    for k, dimension in enumerate(rubric.dimensions):
        shares = []
        for labels in (learnt, drawn):
            counts = np.bincount(labels[:, k], minlength=len(dimension.choices)) + 1.0
            shares.append(np.log(counts / counts.sum()))
        odds.append((shares[0] - shares[1]).astype(np.float32))
    return odds


def _wide_kind(rng: np.random.Generator) -> str:
    """Return which wider wording comes next."""
    return str(rng.choice(_HARD if rng.random() < 0.5 else sorted(families())))
