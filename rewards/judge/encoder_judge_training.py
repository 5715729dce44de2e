"""``negotiate train judge --preset encoder``: the encoder judge on replies whose true answers are known.

The loss of a reply is the sum of the cross-entropies of its questions; those that are not asked, or whose answer is
untold, are masked. Flaws are rare: a yes weighs more than a no. Some replies end with a sentence aimed at the judge and
keep their answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as fn

from negotiation_env.files import write_json, write_text
from negotiation_env.seeds import Stream
from negotiation_env.training.encoder import AdaptedEncoder, EncoderPreset, encoder_tokenizer, publish, run
from negotiation_env.training.presets import Share, read_preset
from negotiation_env.training.run_folder import CARD, RunFolder, model_card, provenance
from rewards.judge.case_questions import ANSWERED
from rewards.judge.encoder_judge import EncoderJudge, case_text
from rewards.judge.judge_data import JudgedReply, injection, simulated_replies, written_replies
from rewards.judge.judge_figures import agreement, by_grade, injection_shift, ordinary, points_of
from rewards.judge.judge_orders import judged_reply, with_text
from rewards.judge.rubric import Rubric
from rewards.talk_encoder import TalkTokens, talk_tokens
from rewards.training.reward_presets import PRESETS
from rewards.training.talk_head import TalkHead, talk_outputs


class EncoderJudgePreset(EncoderPreset):
    """Settings of a run; ``batch_size`` counts replies."""

    situations: Annotated[int, Field(ge=1)]
    """Simulated situations beside the written turns."""
    yes: Annotated[float, Field(gt=0.0)] = 2.0
    """What a yes weighs beside a no."""
    injected: Share = 0.1
    """Share of replies with a sentence aimed at the judge behind them."""
    most_replies: int | None = None
    """Cuts the data short, for tests."""


class AskedReply(NamedTuple):
    """A reply in tokens, and its true answers: 1, 0, or -1 for none."""

    tokens: TalkTokens
    answers: tuple[int, ...]


def loss_of(model: AdaptedEncoder, part: Sequence[AskedReply], yes: float) -> Tensor:
    """Return the loss of a batch, a mean over replies."""
    truth = torch.tensor([reply.answers for reply in part], dtype=torch.float32)
    known = (truth >= 0.0).float()
    weight = torch.where(truth > 0.5, torch.full_like(truth, yes), torch.ones_like(truth)) * known
    found = talk_outputs(model, [reply.tokens for reply in part])
    return fn.binary_cross_entropy_with_logits(found, truth.clamp(min=0.0), weight, reduction="sum") / len(part)


def read_settings(preset: Mapping[str, Any] | str | Path, overrides: Sequence[str] = ()) -> EncoderJudgePreset:
    """Return the settings of a run; raises ``DataFileError`` or ``UsageError`` where they are wrong."""
    return read_preset(EncoderJudgePreset, preset, PRESETS / "judge-encoder", overrides)


def asked_replies(settings: EncoderJudgePreset, rubric: Rubric) -> list[AskedReply]:
    """Return what a run learns from."""
    rng = np.random.default_rng((Stream.JUDGE_INJECTION, settings.seed))
    tokenizer = encoder_tokenizer()
    found: list[AskedReply] = []
    turns = chain(written_replies("train", rubric), simulated_replies(settings.situations, settings.seed, rubric))
    for reply in chain.from_iterable(turns):
        if len(found) == settings.most_replies:
            break
        view = reply.view
        if view.text and rng.random() < settings.injected:
            view = with_text(view, f"{view.text} {injection(rng)}")
        answers = tuple(-1 if a is None else int(a) for a in reply.answers)
        found.append(AskedReply(talk_tokens(tokenizer, case_text(judged_reply(view))), answers))
    return found


def train(
    settings: EncoderJudgePreset,
    out: Path,
    resume: bool = False,
    command: str = "",
    on_step: Callable[[int, int, float], None] | None = None,
) -> Path:
    """Train and return the run's folder, which ``EncoderJudge.from_folder`` loads.

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
    folder, rubric = RunFolder(out, unit="epoch"), Rubric.from_toml()
    checkpoint = folder.claim({"method": "judge-encoder", **settings.model_dump(mode="json")}, resume)
    data = asked_replies(settings, rubric)
    asked = tuple(q.id for q in rubric.questions)
    model, reached = run(
        lambda steps: AdaptedEncoder(settings, partial(TalkHead, outputs=len(asked)), steps),
        settings,
        data,
        lambda reply: len(reply.tokens.ids),
        lambda made, part: loss_of(made, part, settings.yes),
        folder,
        checkpoint,
        on_step,
    )
    publish(model, settings, out)
    write_json(out / ANSWERED, {"questions": asked, "ordinary": [0.0] * len(asked)}, indent=1)
    write_json(out / ANSWERED, {"questions": asked, "ordinary": _bland(out, settings.most_replies)}, indent=1)
    figures = {"replies": len(data), **reached, **held_out(out, settings.most_replies)}
    write_text(out / CARD, _card(settings, command, figures))
    return out


def _bland(folder: Path, most: int | None) -> list[float]:
    """Return how likely a yes is for the training authors' bland replies on average."""
    judge = EncoderJudge.from_folder(folder)
    bland = (r.view for turn in written_replies("train", judge.rubric) for r in turn if r.quality == 3)
    return ordinary(judge.answers(list(islice(bland, most))), len(judge.rubric.questions))


def held_out(folder: Path, most: int | None = None) -> dict[str, Any]:
    """Return the figures of a trained judge on the validation authors' replies."""
    judge = EncoderJudge.from_folder(folder)
    turns: list[list[JudgedReply]] = list(islice(written_replies("validation", judge.rubric), most))
    replies = [r for turn in turns for r in turn]
    told = judge.answers([r.view for r in replies])
    figures = agreement(told, turns, judge.rubric)
    figures |= by_grade(points_of(told, judge.rubric, judge.answered.ordinary), turns, judge.rubric)
    sound = [r.view for r in replies if r.quality >= 3]
    return figures | {"injection": injection_shift(judge.answers, sound, judge.rubric)}


def _card(settings: EncoderJudgePreset, command: str, figures: Mapping[str, Any]) -> str:
    return model_card(
        "Encoder judge",
        [
            "A LoRA on MiniLM-L6 (all-MiniLM-L6-v2) with one output for each question of the judge's rubric about a "
            "reply in a hotel-rate negotiation.",
            "Trained on replies that AI authors wrote and annotated for this project, and on simulated ones; no human "
            "labelled anything.",
        ],
        use='`gym.make("HotelNegotiation-v0", reward="repo:judge=FOLDER")`',
        made=[command],
        settings=settings.model_dump(mode="json"),
        figures=figures,
        versions=provenance(("torch", "transformers", "peft")),
    )
