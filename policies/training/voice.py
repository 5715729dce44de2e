"""Trains the hotel manager's voice, a LoRA on a small base that says a plain wording as a person: ``train voice``.

An example is one answer in the prompt that the manager speaks with (``simulators.managers.voice_prompt``): a written
rewording, ``copies`` times with other prices (``simulators.people.voice_data``). The loss is on the answer's tokens and
the end of its message. The best adapter is chosen on rewordings that are kept back. The run's folder is an adapter
folder: ``manager="llm"`` with ``llm="hf:FOLDER"`` speaks through it.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import datasets
import peft
import torch
from pydantic import Field
from transformers import PreTrainedTokenizerBase, PrinterCallback
from trl.trainer.sft_config import SFTConfig

from negotiation_env.engines.chat_text import ChatText
from negotiation_env.engines.exact.trees import uppermost
from negotiation_env.errors import UsageError
from negotiation_env.files import write_text
from negotiation_env.training.lora import lora_config
from negotiation_env.training.presets import Count, read_preset
from negotiation_env.training.run_folder import CARD, RunFolder, model_card, provenance
from policies.training.resumable import ADAPTER, BEST, LAST, Watch
from policies.training.settings import PRESETS, SupervisedPreset
from policies.training.supervised import ResumableSftTrainer, load_base, trainer_arguments, with_adapter
from simulators.people.voice_data import VoiceExample, held_out_examples, training_examples

UNLEARNT: Final = -100
"""Label of a token that is not learnt."""


class VoicePreset(SupervisedPreset):
    """One run. ``examples`` is the most rewordings; longer ones than the tokens allow are left out.

    ``learning_rate`` falls linearly to 0.
    """

    copies: Count = 1
    """How often each rewording is learnt, every time with other prices."""

    layers: Annotated[int, Field(ge=0)] = 0
    """How many of the uppermost layers are adapted; 0 for all. Nothing is learned through the others, which saves time.
    """


class TokenisedExample(NamedTuple):
    """An example in tokens: ids, and the label of each, ``UNLEARNT`` where nothing is to be learnt."""

    input_ids: list[int]
    labels: list[int]


class VoiceTrainer(ResumableSftTrainer):
    """TRL's trainer with the vocabulary's layer computed for learnt tokens alone, which are one in seven."""

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Return the mean cross-entropy of learnt tokens, over the whole batch where their number is given."""
        here: Any = self
        language = here.accelerator.unwrap_model(model).get_base_model()
        read = language.get_decoder()(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"])
        labels = inputs["labels"][:, 1:]
        learnt = labels != UNLEARNT
        logits = language.get_output_embeddings()(read.last_hidden_state[:, :-1][learnt]).float()
        total = torch.nn.functional.cross_entropy(logits, labels[learnt], reduction="sum")
        loss = total / (learnt.sum() if num_items_in_batch is None else num_items_in_batch)
        return (loss, {}) if return_outputs else loss


def read_settings(preset: Mapping[str, Any] | str | Path, overrides: Sequence[str] = ()) -> VoicePreset:
    """Return the settings of a run; raises ``DataFileError`` or ``UsageError`` where they are wrong."""
    return read_preset(VoicePreset, preset, PRESETS / "voice", overrides)


def encoded(example: VoiceExample, tokenizer: PreTrainedTokenizerBase) -> TokenisedExample:
    """Return an example's tokens as an engine would see them, with the end of the answer's message."""
    chat = ChatText(tokenizer)
    prompt = chat.ids(chat.prompt_text(example[:-1]))
    said = chat.reply_ids(example[-1]["content"])
    return TokenisedExample([*prompt, *said], [*[UNLEARNT] * len(prompt), *said])


def make_data(
    examples: Sequence[VoiceExample], settings: VoicePreset, tokenizer: PreTrainedTokenizerBase
) -> datasets.Dataset:
    """Return examples as tokens, too long ones left out.

    Raises:
        UsageError: if nothing is left.
    """
    most = settings.max_prompt_tokens + settings.max_reply_tokens
    rows = [encoded(one, tokenizer) for one in examples]
    kept = [row._asdict() for row in rows if len(row.input_ids) <= most]
    if not kept:
        raise UsageError(
            f"data: expected an example of at most {most} tokens, got none of {len(rows)}: raise max_prompt_tokens"
        )
    return datasets.Dataset.from_list(kept)


def train(settings: VoicePreset, out: Path, resume: bool = False, command: str = "", quiet: bool = False) -> Path:
    """Train and return the run's folder, which is a PEFT adapter folder.

    Args:
        settings: see ``read_settings``.
        out: the run's folder.
        resume: go on from the last checkpoint in ``out``, if there is one.
        command: what the user typed, for the model card.
        quiet: show no progress.

    Raises:
        UsageError: if data or folder do not fit.
        TrainingStoppedError: if the loss is no number.
    """
    torch.set_num_threads(settings.torch_threads)
    datasets.disable_progress_bars()
    learnt = training_examples(settings.copies, settings.examples)
    held_out = held_out_examples(settings.held_out)
    digest = hashlib.sha256(json.dumps([learnt, held_out]).encode()).hexdigest()
    folder = RunFolder(out)
    checkpoint = folder.claim({"method": "voice", **settings.model_dump(mode="json"), "data_sha256": digest}, resume)
    model, tokenizer = load_base(settings)
    parts = [make_data(some, settings, tokenizer) for some in (learnt, held_out)]
    arguments = trainer_arguments(settings, out) | {"train_sampling_strategy": "group_by_length"}
    trainer: Any = VoiceTrainer(
        args=SFTConfig(**arguments),
        model=_adapted(model, settings),
        train_dataset=parts[0],
        eval_dataset=parts[1],
        processing_class=tokenizer,
    )
    trainer.folder, trainer.base = folder, settings.base
    log = folder.log(checkpoint)
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(Watch(trainer, log, "" if quiet else "training voice"))
    began = time.monotonic()
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    trainer.save_adapter(out / LAST)
    if not (out / BEST).is_dir():  # a run that is shorter than a measurement's distance
        trainer.save_adapter(out / BEST)
    figures = {
        "examples": len(parts[0]),
        "tokens of an epoch": sum(map(len, parts[0]["input_ids"])),
        "optimiser steps": trainer.state.global_step,
        "best held-out loss": round(trainer.best_loss, 4),
        "seconds of this process": round(time.monotonic() - began),
    }
    card = _card(settings, command, figures, digest)
    for place in (LAST, BEST):
        write_text(out / place / CARD, card)
    folder.publish(out / BEST, card)
    return out


def _adapted(model: Any, settings: VoicePreset) -> Any:
    """Return the base with the preset's start, or a new adapter on its uppermost layers that follows from the seed."""
    if settings.start:
        return with_adapter(model, settings)
    layers = uppermost(settings.layers, int(model.config.get_text_config().num_hidden_layers))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        return peft.get_peft_model(model, lora_config(settings, layers), adapter_name=ADAPTER)


def _card(settings: VoicePreset, command: str, figures: Mapping[str, Any], digest: str) -> str:
    return model_card(
        f"Voice of the hotel manager on `{settings.base}`",
        (
            "A LoRA adapter that says a simulated hotel manager's decision as that person would, hearing the agent's "
            "message; the prompt is that of `simulators.managers.voice_prompt`. What it says is checked before it goes "
            "out (`simulators.managers.voice_check`).",
            "Trained on rewordings that an AI author wrote for this project; no real person, hotel or conversation "
            "stands behind them.",
        ),
        base=settings.base,
        tags=("lora", "negotiation", "voice"),
        use='`negotiate play --manager llm --llm hf:FOLDER`, or `gym.make(..., manager="llm", llm="hf:FOLDER")`.',
        made=(command, f"Data: `simulators/people/voice/reworded.jsonl`, SHA-256 of the examples `{digest}`."),
        settings=settings.model_dump(),
        figures=figures,
        versions=provenance(),
    )
