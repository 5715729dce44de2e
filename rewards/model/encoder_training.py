"""``negotiate train rm --preset encoder``: the encoder reward model on preference pairs of written replies.

Pairs of one talk stand in one example, so that a step sees all replies to it. The loss of a pair is that of
Bradley-Terry with the annotator's certainty p, -p log sigmoid(d) - (1 - p) log sigmoid(-d) with d = s_chosen -
s_rejected; a tie has p = 1/2. Beside it each chosen reply is drawn above 0 and each rejected one below, which puts the
scores of different talks on one scale, and the correlation of scores with the length of replies in a batch is charged.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as fn

from negotiation_env.files import write_json, write_text
from negotiation_env.training.encoder import AdaptedEncoder, EncoderPreset, encoder_tokenizer, publish, run
from negotiation_env.training.presets import read_preset
from negotiation_env.training.run_folder import CARD, RunFolder, model_card, provenance
from rewards.model.encoder_model import REFERENCE
from rewards.model.reference import Reference
from rewards.talk_encoder import TalkTokens, load_talk_encoder, talk_tokens, text_of_chat, text_of_view
from rewards.training.held_out_figures import correlation, share
from rewards.training.reward_presets import PRESETS
from rewards.training.talk_head import TalkHead, talk_outputs
from simulators.people.graded_replies import graded_turns
from simulators.people.training_files import PreferencePair, training_preferences
from simulators.people.written_dialogues import written_dialogues
from simulators.people.written_pairs import NO_ANSWER, tied_pairs, written_pairs

LEAST_SPREAD: Final = 1e-6


class EncoderRmPreset(EncoderPreset):
    """Settings of a run; ``batch_size`` counts talks."""

    pairs: Annotated[int, Field(ge=0)]
    """Written pairs to train on, in the paper's composition; 0 for all there are."""
    data: str = ""
    """A file of pairs (``negotiate data written-pairs``, or TRL's format) whose training lines are taken instead."""
    level: Annotated[float, Field(ge=0.0)] = 0.3
    """Weight of the loss that draws chosen replies above 0 and rejected ones below."""
    length: Annotated[float, Field(ge=0.0)] = 0.3
    """Weight of the squared correlation of score and length."""
    most_talks: int | None = None
    """Cuts the data short, for tests."""


class TalkPairs(NamedTuple):
    """The replies to one talk, and which of them were compared: (chosen, rejected, certainty)."""

    replies: tuple[TalkTokens, ...]
    lengths: tuple[int, ...]
    """Characters."""
    pairs: tuple[tuple[int, int, float], ...]


def talk_pairs(pairs: Sequence[PreferencePair], tokenizer: Any) -> list[TalkPairs]:
    """Put pairs of one scenario and prompt together, each different reply once."""
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
        texts = [text_of_chat(some[0].prompt, reply, NO_ANSWER) for reply in places]
        tokens = tuple(talk_tokens(tokenizer, text) for text in texts)
        found.append(TalkPairs(tokens, tuple(map(len, places)), compared))
    return found


def loss_of(model: AdaptedEncoder, part: Sequence[TalkPairs], settings: EncoderRmPreset) -> Tensor:
    """Return the loss of a batch; see the module."""
    found = talk_outputs(model, [reply for talk in part for reply in talk.replies])[:, 0]
    start, chosen, rejected, sure = 0, [], [], []
    for talk in part:
        chosen += [start + c for c, _, _ in talk.pairs]
        rejected += [start + r for _, r, _ in talk.pairs]
        sure += [p for _, _, p in talk.pairs]
        start += len(talk.replies)
    p = torch.tensor(sure)
    above, below = found[chosen], found[rejected]
    gap = above - below
    loss = -(p * fn.logsigmoid(gap) + (1.0 - p) * fn.logsigmoid(-gap)).mean()
    known = p != 0.5
    if known.any():
        drawn = -(fn.logsigmoid(above[known]) + fn.logsigmoid(-below[known])).mean() / 2.0
        loss = loss + settings.level * drawn
    if settings.length and len(found) > 2:
        long = torch.log1p(torch.tensor([float(n) for talk in part for n in talk.lengths]))
        if found.std() > LEAST_SPREAD and long.std() > LEAST_SPREAD:  # else there is no correlation, and no gradient
            loss = loss + settings.length * torch.corrcoef(torch.stack([found, long]))[0, 1] ** 2
    return loss


def read_settings(preset: Mapping[str, Any] | str | Path, overrides: Sequence[str] = ()) -> EncoderRmPreset:
    """Return the settings of a run; raises ``DataFileError`` or ``UsageError`` where they are wrong."""
    return read_preset(EncoderRmPreset, preset, PRESETS / "rm-encoder", overrides)


def training_pairs(settings: EncoderRmPreset) -> list[PreferencePair]:
    """Return the pairs of a run; raises ``DataFileError`` where the data file cannot be used."""
    if settings.data:
        return training_preferences(settings.data)
    return [*written_pairs("train", settings.pairs or None, settings.seed), *tied_pairs("train")]


def train(
    settings: EncoderRmPreset,
    out: Path,
    resume: bool = False,
    command: str = "",
    on_step: Callable[[int, int, float], None] | None = None,
) -> Path:
    """Train and return the run's folder, which ``EncoderRewardModel.from_folder`` loads.

    Args:
        settings: see ``read_settings``.
        out: the run's folder.
        resume: go on after the last whole epoch in ``out``, if there is one.
        command: what the user typed, for the model card.
        on_step: told step, steps and loss.

    Raises:
        UsageError: the folder does not fit, or the base is not installed.
        TrainingStoppedError: the loss is no number.
    """
    torch.set_num_threads(settings.torch_threads)
    folder = RunFolder(out, unit="epoch")
    checkpoint = folder.claim({"method": "rm-encoder", **settings.model_dump(mode="json")}, resume)
    pairs = training_pairs(settings)
    data = talk_pairs(pairs, encoder_tokenizer())[: settings.most_talks]
    model, reached = run(
        lambda steps: AdaptedEncoder(settings, TalkHead, steps),
        settings,
        data,
        lambda talk: max(len(reply.ids) for reply in talk.replies),
        lambda made, part: loss_of(made, part, settings),
        folder,
        checkpoint,
        on_step,
    )
    publish(model, settings, out)
    write_json(out / REFERENCE, bland_reference(out, settings.most_talks).model_dump(mode="json"), indent=1)
    figures = {"pairs": len(pairs), "talks": len(data), **reached, **held_out(out, settings.most_talks)}
    write_text(out / CARD, _card(settings, command, figures))
    return out


def bland_reference(folder: Path, most: int | None = None) -> Reference:
    """Return the mean scores of the training authors' bland replies, by stage."""
    encoder = load_talk_encoder(folder)
    bland = [
        reply.view
        for dialogue in written_dialogues("train")
        for turn in graded_turns(dialogue)
        for reply in turn.replies
        if reply.grade == "bland"
    ][:most]
    found = encoder.outputs([text_of_view(view) for view in bland])[:, 0]
    return Reference.of(zip((int(view.stage) for view in bland), found.tolist(), strict=True))


def held_out(folder: Path, most: int | None = None) -> dict[str, Any]:
    """Return accuracy on the validation authors' pairs and ties, and the correlation of score and length."""
    encoder = load_talk_encoder(folder)
    pairs = written_pairs("validation", None)[:most]
    tied = tied_pairs("validation", ("validation.jsonl",))[:most]

    def gaps(some: Sequence[PreferencePair]) -> tuple[list[float], list[float]]:
        chosen, rejected = (
            encoder.outputs([text_of_chat(p.prompt, getattr(p, name), NO_ANSWER) for p in some])[:, 0].tolist()
            for name in ("chosen", "rejected")
        )
        return chosen, rejected

    chosen, rejected = gaps(pairs)
    true, false = gaps(tied)
    lengths = [float(len(p.chosen)) for p in pairs] + [float(len(p.rejected)) for p in pairs]
    return {
        "accuracy on validation authors": share(np.array(chosen) > np.array(rejected))["value"],
        "true over false, validation edits": share(np.array(true) > np.array(false))["value"] if tied else None,
        "correlation with length": correlation(np.array(chosen + rejected), np.array(lengths)),
    }


def _card(settings: EncoderRmPreset, command: str, figures: Mapping[str, Any]) -> str:
    return model_card(
        "Encoder reward model",
        [
            "A LoRA on MiniLM-L6 (all-MiniLM-L6-v2) with one output: how good a reply is in a hotel-rate negotiation, "
            "to somebody who reads the chat and no card.",
            "Trained on replies that AI authors wrote and graded for this project; no human compared anything.",
        ],
        use='`gym.make("HotelNegotiation-v0", reward="repo:model=encoder")`',
        made=[command],
        settings=settings.model_dump(mode="json"),
        figures=figures,
        versions=provenance(("torch", "transformers", "peft")),
    )
