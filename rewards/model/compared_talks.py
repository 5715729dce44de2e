"""What the trainings of all reward models share: pairs by talk, their loss, and R_model's zero and unit.

The loss of a pair is that of Bradley-Terry with the annotator's certainty p, -p log sigmoid(d) - (1 - p) log
sigmoid(-d) with d = s_chosen - s_rejected; a tie has p = 1/2. Beside it each chosen reply is drawn above 0 and each
rejected one below, which puts the scores of different talks on one scale, and the correlation of scores with the length
of replies is charged.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeAlias

import numpy as np

from negotiation_env.engines.chat_model import ChatMessage
from negotiation_env.play.protocols import ReplyView
from negotiation_env.seeds import Stream
from rewards.model.reference import NON_ANSWERS, Reference
from simulators.people.graded_replies import GradedReply, graded_turns
from simulators.people.haggling import haggling_pairs
from simulators.people.training_files import PreferencePair, training_preferences
from simulators.people.written_dialogues import written_dialogues
from simulators.people.written_pairs import tied_pairs, written_pairs

if TYPE_CHECKING:
    from torch import Tensor

LEAST_SPREAD: Final = 1e-6
FEWEST_CHARACTERS: Final = 40
"""Characters: what is shorter is not charged for it, else a model learns to like what says nothing."""
TIE: Final = 0.5
MOST_NOTHING: Final = 3000
"""Replies that say nothing, of which the zero is told."""
Compared: TypeAlias = tuple[int, int, float]
"""Places of the chosen and the rejected reply, and the annotator's certainty."""


class ComparedTalk(NamedTuple):
    """The replies to one talk, each different one once, and which of them were compared."""

    scenario: str
    prompt: tuple[ChatMessage, ...]
    replies: tuple[str, ...]
    pairs: tuple[Compared, ...]


class Charges(Protocol):
    """Weights of what the loss holds beside the comparisons."""

    @property
    def level(self) -> float:
        """Of drawing chosen replies above 0 and rejected ones below."""
        ...

    @property
    def length(self) -> float:
        """Of the squared correlation of score and length."""
        ...


def training_pairs(data: str, count: int, seed: int, ties: int = 0) -> list[PreferencePair]:
    """Return the pairs of a run.

    Args:
        data: a file of pairs whose training lines are taken; "" for the training authors' written pairs and ties, and
            pairs about an answer to a figure.
        count: written pairs, in the paper's composition; 0 for all there are.
        seed: see ``written_pairs``; which ties are taken, too.
        ties: how many; 0 for all there are.

    Raises:
        DataFileError: the file cannot be used.
    """
    if data:
        return training_preferences(data)
    tied = tied_pairs("train")
    if ties:
        order = np.random.default_rng((seed, Stream.TIED_PAIR)).permutation(len(tied))
        tied = [tied[i] for i in order[:ties]]
    return [*written_pairs("train", count or None, seed), *tied, *haggling_pairs("train", seed=seed)]


def compared_talks(pairs: Iterable[PreferencePair]) -> list[ComparedTalk]:
    """Put pairs of one scenario and prompt together."""
    groups: dict[str, list[PreferencePair]] = defaultdict(list)
    for pair in pairs:
        groups[json.dumps([pair.scenario, pair.prompt])].append(pair)
    found = []
    for some in groups.values():
        places: dict[str, int] = {}
        compared = tuple(
            (
                places.setdefault(pair.chosen, len(places)),
                places.setdefault(pair.rejected, len(places)),
                1.0 if pair.sure is None else pair.sure,
            )
            for pair in some
        )
        found.append(ComparedTalk(some[0].scenario, some[0].prompt, tuple(places), compared))
    return found


def comparison_loss(
    scores: Tensor, pairs: Sequence[Sequence[Compared]], lengths: Sequence[Sequence[int]], charges: Charges
) -> Tensor:
    """Return the mean loss of a batch; see the module.

    Args:
        scores: of the replies to all talks, one talk behind another.
        pairs: by talk.
        lengths: characters of each reply, by talk.
        charges: weights of level and length.
    """
    import torch
    from torch.nn import functional as fn

    starts = accumulate(map(len, lengths), initial=0)
    moved = [(s + c, s + r, p) for s, some in zip(starts, pairs, strict=False) for c, r, p in some]
    chosen, rejected, sure = zip(*moved, strict=True)
    p = torch.tensor(sure, device=scores.device)
    above, below = scores[list(chosen)], scores[list(rejected)]
    gap = above - below
    loss = -(p * fn.logsigmoid(gap) + (1.0 - p) * fn.logsigmoid(-gap)).mean()
    known = p != TIE
    if known.any():
        drawn = -(fn.logsigmoid(above[known]) + fn.logsigmoid(-below[known])).mean() / 2.0
        loss = loss + charges.level * drawn
    if charges.length and len(scores) > 2:
        long = torch.tensor(
            [math.log(max(n, FEWEST_CHARACTERS)) for some in lengths for n in some], device=scores.device
        )
        if scores.std() > LEAST_SPREAD and long.std() > LEAST_SPREAD:  # else there is no correlation, and no gradient
            loss = loss + charges.length * torch.corrcoef(torch.stack([scores, long]))[0, 1] ** 2
    return loss


def graded(split: str) -> list[GradedReply]:
    """Return the graded replies of a split's authors."""
    return [r for dialogue in written_dialogues(split) for turn in graded_turns(dialogue) for r in turn.replies]


def reference_of(
    score: Callable[[Sequence[ReplyView]], Sequence[float]],
    replies: Iterable[GradedReply] | None = None,
    most: int | None = None,
) -> Reference:
    """Return R_model's zero and unit: from what says nothing, and from bland replies.

    Args:
        score: returns unbounded scores.
        replies: None for the training authors'.
        most: about so many of either kind are scored, evenly out of all; None or 0 for all.
    """
    found = list(graded("train") if replies is None else replies)
    turns = {reply.where.rpartition(":")[0]: reply.view for reply in found}
    nothing = [view._replace(text=text) for view in turns.values() for text in NON_ANSWERS]
    bland = [reply.view for reply in found if reply.grade == "bland"]
    nothing = nothing[:: len(nothing) // MOST_NOTHING + 1]
    nothing, bland = (some[:: max(1, len(some) // most) if most else 1] for some in (nothing, bland))
    told = [[(int(view.stage), s) for view, s in zip(some, score(some), strict=True)] for some in (nothing, bland)]
    return Reference.of(*told)
