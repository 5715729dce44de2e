"""What a judge is trained and tested on: replies as trees to be read at every slot, and the annotator's choices.

Knows the simulated rubric annotator, the form, and a tokenizer; no model.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from negotiation_env.engines.trees import TextTree
from negotiation_env.prompt import prompt
from rewards.annotators import rubric_choices
from rewards.data import Candidate, draw_candidate
from rewards.judge_form import JudgeForm
from rewards.judged_reply import judged_reply, said_instead
from rewards.notes import notes
from rewards.rubric import Rubric
from rewards.training.loop import Example
from rewards.training.preset import JudgePreset
from rewards.training.wording import HARMLESS, families, injected, injection, wide_candidate

Array = NDArray[np.int64]
Ranked = tuple[str, Any, list[Candidate]]
"""A source, a situation, and replies to it (``rewards.data.rankings``)."""
PASSES = 20
"""Times that the simulated annotator labels the held-out replies: with slips, one pass tells a kappa to 0.03 only."""
WITHOUT = ("injection",)
"""Damage left out of the labelled replies: injections keep the labels of the reply that holds them."""
_HARD = ("internal term", "over-promise", HARMLESS)
"""Wider wording is drawn from these kinds half the time: what they look like is told by wording alone."""


@dataclass(frozen=True, slots=True)
class Labels:
    """The rubric annotator's choices for each reply of an example, (replies, dimensions): with slips, and without.

    ``twins`` are the last replies' places: reply ``len - len(twins) + i`` is reply ``twins[i]`` with a sentence aimed
    at the judge in it.
    """

    noisy: Array
    clean: Array
    twins: tuple[int, ...] = ()

    def pairs(self) -> tuple[tuple[int, int], ...]:
        """Return (reply, the same reply with a sentence aimed at the judge)."""
        first = len(self.noisy) - len(self.twins)
        return tuple((one, first + i) for i, one in enumerate(self.twins))


def judge_tree(replies: Sequence[Candidate], texts: Sequence[str], form: JudgeForm, uncut: int = 0) -> Example:
    """Return replies to one situation, under the given texts, as a tree to be read at every slot; no labels.

    The last ``uncut`` are read whole; of the others, sentences that speak to the judge are left out, as in use.
    """
    chat = form.chat
    head = chat.prompt_ids(prompt(replies[0].view))
    branches = []
    places: list[int] = []
    stop = len(head)
    for number, (reply, text) in enumerate(zip(replies, texts, strict=True)):
        view = said_instead(reply.view, text)
        view = view if number >= len(replies) - uncut else judged_reply(view)
        branches.append(chat.reply_ids(view.text) + form.behind(notes(view)))
        stop += len(branches[-1])
        places += form.places(stop)
    return Example(TextTree(head, tuple(branches)), tuple(places), None)


def labelled(
    ranked: Iterable[Ranked],
    form: JudgeForm,
    rubric: Rubric,
    rng: np.random.Generator,
    added: JudgePreset | None = None,
    validation: bool = False,
) -> list[Example]:
    """Return situations with labelled replies.

    ``added`` tells how many damaged replies of the training family are added to each, how many with wider wording, and
    how many replies are read a second time with a sentence aimed at the judge; None for nothing of all this. For
    ``validation``, the wider wording and these sentences are those that are never trained on.
    """
    examples = []
    for _, situation, drawn in ranked:
        replies, twins = list(drawn), []
        if added is not None:
            more = [draw_candidate(situation, rng, held_out=False, damaged=1.0) for _ in range(added.damaged)]
            more += [wide_candidate(situation, _wide_kind(rng), rng, validation) for _ in range(added.wide)]
            replies += [reply for reply in more if reply.damage not in WITHOUT]
            spoken = [i for i, reply in enumerate(replies) if reply.view.text]
            twins = [int(i) for i in rng.permutation(spoken)[: added.twins]]
        noisy = [rubric_choices(r.judged, rubric, rng) for r in replies]
        clean = [rubric_choices(r.judged, rubric) for r in replies]
        texts = [r.view.text for r in replies]
        if added is not None and not validation:
            share = added.injected
            texts = [f"{t} {injection(rng, validation)}" if rng.random() < share else t for t in texts]
        aimed = [injected(texts[i], injection(rng, validation), rng) for i in twins]
        tree = judge_tree([*replies, *(replies[i] for i in twins)], [*texts, *aimed], form, uncut=len(twins))
        labels = Labels(
            np.array(noisy + [noisy[i] for i in twins]), np.array(clean + [clean[i] for i in twins]), tuple(twins)
        )
        examples.append(Example(tree.tree, tree.places, labels))
    return examples


def _wide_kind(rng: np.random.Generator) -> str:
    """Return which wider wording comes next."""
    return str(rng.choice(_HARD if rng.random() < 0.5 else sorted(families())))


def labelled_again(replies: Sequence[Candidate], rubric: Rubric, rng: np.random.Generator) -> Array:
    """Return ``PASSES`` of the annotator's choices, slips included: (passes, replies, dimensions)."""
    return np.array([[rubric_choices(r.judged, rubric, rng) for r in replies] for _ in range(PASSES)])
