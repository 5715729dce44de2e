"""``negotiate train rm --preset encoder``: the encoder reward model on preference pairs of written replies.

Pairs of one talk stand in one example, so that a step sees all replies to it. The loss is
that of ``compared_talks``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn

from negotiation_env.files import write_json, write_text
from negotiation_env.language.encoder_heads import HIDDEN
from negotiation_env.training.encoder import AdaptedEncoder, EncoderPreset, encoder_tokenizer, head, publish, run
from negotiation_env.training.presets import read_preset
from negotiation_env.training.run_folder import CARD, RunFolder, model_card, provenance
from rewards.model.compared_talks import Compared, compared_talks, comparison_loss, reference_of, training_pairs
from rewards.model.reference import FILE
from rewards.talk_encoder import TalkTokens, load_talk_encoder, talk_tokens, text_of_chat, text_of_view
from rewards.training.held_out_figures import held_out
from rewards.training.reward_presets import PRESETS
from simulators.people.training_files import PreferencePair
from simulators.people.written_pairs import NO_ANSWER

WIDTH: Final = 256
"""Of the head's hidden layer."""


class TalkHead(nn.Module):
    """The head on pooled vectors, of one output; ``talk_encoder`` computes the same in NumPy."""

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        self.score = head(3 * HIDDEN, WIDTH, 1, dropout)


def talk_scores(model: AdaptedEncoder, replies: Sequence[TalkTokens]) -> Tensor:
    """Return the scores of replies, [replies]."""
    longest = max(len(reply.ids) for reply in replies)
    ids, mask = torch.zeros(len(replies), longest, dtype=torch.long), torch.zeros(len(replies), longest)
    said = torch.zeros(len(replies), longest)
    for row, reply in enumerate(replies):
        ids[row, : len(reply.ids)] = torch.tensor(reply.ids)
        mask[row, : len(reply.ids)] = 1.0
        said[row, reply.said : len(reply.ids)] = 1.0
    hidden, talk = model.hidden(ids, mask.long()), mask - said
    mean_said, mean_talk = ((hidden * w[..., None]).sum(1) / w.sum(1, keepdim=True) for w in (said, talk))
    heads: Any = model.heads
    found: Tensor = heads.score(torch.cat([hidden[:, 0], mean_said, mean_said * mean_talk], 1))[:, 0]
    return found


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
    pairs: tuple[Compared, ...]


def talk_pairs(pairs: Sequence[PreferencePair], tokenizer: Any) -> list[TalkPairs]:
    """Put pairs of one scenario and prompt together, each different reply once."""
    found = []
    for talk in compared_talks(pairs):
        texts = [text_of_chat(talk.prompt, reply, NO_ANSWER) for reply in talk.replies]
        tokens = tuple(talk_tokens(tokenizer, text) for text in texts)
        found.append(TalkPairs(tokens, tuple(map(len, talk.replies)), talk.pairs))
    return found


def _longest(talk: TalkPairs) -> int:
    return max(len(reply.ids) for reply in talk.replies)


def loss_of(model: AdaptedEncoder, part: Sequence[TalkPairs], settings: EncoderRmPreset) -> Tensor:
    """Return the loss of a batch; see ``compared_talks``."""
    found = talk_scores(model, [reply for talk in part for reply in talk.replies])
    return comparison_loss(found, [talk.pairs for talk in part], [talk.lengths for talk in part], settings)


def read_settings(preset: Mapping[str, Any] | str | Path, overrides: Sequence[str] = ()) -> EncoderRmPreset:
    """Return the settings of a run; raises ``DataFileError`` or ``UsageError`` where they are wrong."""
    return read_preset(EncoderRmPreset, preset, PRESETS / "rm-encoder", overrides)


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
    pairs = training_pairs(settings.data, settings.pairs, settings.seed)
    data = talk_pairs(pairs, encoder_tokenizer())[: settings.most_talks]
    model, reached = run(
        TalkHead, settings, data, _longest, partial(loss_of, settings=settings), folder, checkpoint, on_step
    )
    publish(model, settings, out)
    encoder, most = load_talk_encoder(out), settings.most_talks
    reference = reference_of(lambda views: encoder.outputs(list(map(text_of_view, views)))[:, 0].tolist(), most=most)
    write_json(out / FILE, reference.model_dump(mode="json"), indent=1)
    measured = held_out(
        lambda chats: encoder.outputs([text_of_chat(*chat, NO_ANSWER) for chat in chats])[:, 0].tolist(), most
    )
    figures = {"pairs": len(pairs), "talks": len(data), **reached, **measured}
    write_text(out / CARD, _card(settings, command, figures))
    return out


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
