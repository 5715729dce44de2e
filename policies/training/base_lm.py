"""Train the tiny base model from scratch: next-token prediction on generated dialogues.

``negotiate train base --preset tiny --out DIR`` makes a Llama-architecture model of 2 to 7 million parameters with a
tokenizer of its own: byte-level byte-pair encoding with ChatML. Digits stand alone, so that a price is read and written
figure by figure, and sentences that every other prompt repeats word for word are one token each, because every token is
paid for at every turn. It learns to speak the domain, from good and bad replies alike, as a pre-trained model would;
the methods then teach it to negotiate. Matrices are trained with Muon (Jordan 2024), which needs fewer tokens here than
AdamW; embeddings and norms with AdamW (Loshchilov & Hutter 2019).
"""

from __future__ import annotations

import math
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file, save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from negotiation_env.engines.checkpoints import number_format
from negotiation_env.errors import UsageError
from negotiation_env.files import Table, read_json, read_lines, write_folder, write_json
from negotiation_env.seeds import Stream
from negotiation_env.training.presets import read_preset
from negotiation_env.training.run_folder import (
    CARD,
    MetricsLog,
    RunFolder,
    TrainingStoppedError,
    model_card,
    provenance,
    restore,
    sha256,
    state_tensors,
)
from policies.training.settings import PRESETS, BasePreset

Ids = npt.NDArray[np.int64]
IGNORED = -100
_WINDOW = 16
"""Batches among which examples are sorted by length, so that little of a batch is padding."""
START, END, PAD = "<|im_start|>", "<|im_end|>", "<|pad|>"
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
"""ChatML, as SmolLM2 and Qwen use it, without a default system message."""
STOCK_SHARE = 0.03
"""Share of system messages that a sentence must be in to become one token."""
_SENTENCE = re.compile(r"[^.:;,\n]+\.")


@dataclass(slots=True)
class _BaseRun:
    """A run in progress."""

    model: LlamaForCausalLM
    optimizers: tuple[torch.optim.Optimizer, ...]
    step: int = 0
    tokens: int = 0
    seconds: float = 0.0


def stock_sentences(systems: Sequence[str]) -> list[str]:
    """Return what many system messages repeat word for word: how all of them begin, and sentences without figures."""
    counts = Counter(found.strip() for text in systems for found in set(_SENTENCE.findall(text)))
    common = [s for s, n in counts.items() if n >= STOCK_SHARE * len(systems) and not re.search(r"\d", s)]
    first, last = min(systems, default=""), max(systems, default="")
    opening = first[
        : next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    ].rstrip()
    return sorted(s for s in {opening, *common} if len(s.split()) > 3)


def train_tokenizer(chats: Sequence[list[dict[str, str]]], vocabulary: int, context: int) -> PreTrainedTokenizerFast:
    """Return a tokenizer of at most ``vocabulary`` entries, the 256 bytes and three special tokens among them.

    The same chats in the same order give the same tokenizer.
    """
    texts = (f"{message['role']}\n{message['content']}" for chat in chats for message in chat)
    stock = stock_sentences([m["content"] for chat in chats for m in chat if m["role"] == "system"])
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary - len(stock),
        special_tokens=[PAD, START, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_tokens([AddedToken(text, normalized=False) for text in stock])
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        bos_token=START,
        eos_token=END,
        pad_token=PAD,
        chat_template=CHAT_TEMPLATE,
        model_max_length=context,
        clean_up_tokenization_spaces=False,
        padding_side="left",
    )


def make_model(preset: BasePreset, tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """Return an untrained model; its weights follow from the preset's seed."""
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=preset.hidden,
        intermediate_size=preset.intermediate,
        num_hidden_layers=preset.layers,
        num_attention_heads=preset.heads,
        num_key_value_heads=preset.kv_heads,
        max_position_embeddings=preset.context,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(preset.seed)
        return LlamaForCausalLM(config)


def begin(preset: BasePreset, learnt: Sequence[list[dict[str, str]]]) -> tuple[PreTrainedTokenizerFast, Any]:
    """Return tokenizer and model before the first step: made from the chats, or those of ``preset.start``."""
    if not preset.start:
        tokenizer = train_tokenizer(learnt[: preset.tokenizer_examples], preset.vocabulary, preset.context)
        return tokenizer, make_model(preset, tokenizer)
    if not (Path(preset.start) / "config.json").is_file():
        raise UsageError(f"start: expected the folder of a base (RUN/model), got {preset.start!r}")
    model = LlamaForCausalLM.from_pretrained(preset.start, dtype=torch.float32, local_files_only=True)
    return PreTrainedTokenizerFast.from_pretrained(preset.start, local_files_only=True), model


class Muon(torch.optim.Optimizer):
    """Muon (Jordan 2024) with Nesterov momentum, its products in the parameters' own format.

    ``torch.optim.Muon`` takes them in bfloat16 alone, which is most of a step where a processor does not multiply it.
    Steps are scaled to the root mean square of AdamW's, 0.2 per learning rate.
    """

    MOMENTUM, COEFFICIENTS, ITERATIONS = 0.95, (3.4445, -4.7750, 2.0315), 5

    def __init__(self, matrices: Sequence[torch.nn.Parameter], lr: float, weight_decay: float) -> None:
        super().__init__(matrices, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Take one step along the orthogonal part of each matrix' momentum."""
        for group in self.param_groups:
            for matrix in group["params"]:
                mean = self.state[matrix].setdefault("momentum_buffer", torch.zeros_like(matrix))
                mean.lerp_(matrix.grad, 1.0 - self.MOMENTUM)
                update = self.orthogonal(matrix.grad.lerp(mean, self.MOMENTUM))
                matrix.mul_(1.0 - group["lr"] * group["weight_decay"])
                matrix.add_(update, alpha=-0.2 * group["lr"] * math.sqrt(max(matrix.shape)))

    def orthogonal(self, matrix: torch.Tensor) -> torch.Tensor:
        """Return a matrix of the same singular vectors whose singular values lie near 1 (Newton-Schulz iteration)."""
        a, b, c = self.COEFFICIENTS
        wide: torch.Tensor = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
        wide = wide / wide.norm().clamp(min=1e-7)
        for _ in range(self.ITERATIONS):
            gram = wide @ wide.T
            wide = a * wide + (b * gram + c * gram @ gram) @ wide
        return wide if matrix.shape[0] <= matrix.shape[1] else wide.T


class _CorpusLine(Table):
    messages: list[dict[str, str]]


def read_corpus(path: Path) -> list[list[dict[str, str]]]:
    """Return the chats of a corpus file. Raises ``DataFileError`` naming the line that is none."""
    return [line.messages for line in read_lines(path, _CorpusLine)]


def encode(tokenizer: PreTrainedTokenizerFast, chats: Sequence[list[dict[str, str]]], context: int) -> list[Ids]:
    """Return the token ids of each chat in the chat template, cut to ``context``."""
    texts = [str(tokenizer.apply_chat_template(chat, tokenize=False)) for chat in chats]
    found = tokenizer(texts, add_special_tokens=False)["input_ids"]
    return [np.asarray(ids[:context], dtype=np.int64) for ids in found]


def epoch_batches(examples: Sequence[Ids], size: int, seed: int, epoch: int) -> list[list[int]]:
    """Return the batches of an epoch as indices, ``size`` in each; what does not fill a batch is left out.

    Batches hold examples of similar length and come in random order; all follows from seed and epoch.
    """
    rng = np.random.default_rng((Stream.BASE_BATCH, seed, epoch))
    order = rng.permutation(len(examples))
    batches: list[list[int]] = []
    for start in range(0, len(order), size * _WINDOW):
        window = sorted((int(i) for i in order[start : start + size * _WINDOW]), key=lambda i: len(examples[i]))
        batches += [window[i : i + size] for i in range(0, len(window) - size + 1, size)]
    return [batches[int(i)] for i in rng.permutation(len(batches))]


def padded(examples: Sequence[Ids], pad: int, start: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return token ids and labels (rows, longest); padding is on the right, where causal attention never looks.

    The first message, the card, has no labels: its names and figures are drawn, so that nothing can be learned there.
    """
    longest = max(len(ids) for ids in examples)
    tokens = np.full((len(examples), longest), pad, dtype=np.int64)
    labels = np.full((len(examples), longest), IGNORED, dtype=np.int64)
    for row, ids in enumerate(examples):
        spoken = int(np.flatnonzero(ids == start)[1])
        tokens[row, : len(ids)] = ids
        labels[row, spoken : len(ids)] = ids[spoken:]
    return torch.from_numpy(tokens), torch.from_numpy(labels)


def loss_of(model: LlamaForCausalLM, examples: Sequence[Ids], bfloat16: bool) -> torch.Tensor:
    """Return the mean next-token cross-entropy in nats over all tokens but those of each example's first message."""
    config: Any = model.config
    tokens, labels = padded(examples, config.pad_token_id, config.bos_token_id)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bfloat16):
        hidden = model.model(input_ids=tokens, use_cache=False).last_hidden_state[:, :-1]
        asked = labels[:, 1:] != IGNORED
        logits = model.lm_head(hidden[asked])
    return torch.nn.functional.cross_entropy(logits.float(), labels[:, 1:][asked])


@torch.no_grad()
def held_out_loss(model: LlamaForCausalLM, examples: Sequence[Ids]) -> float:
    """Return the mean of batches' losses in nats per token in float32, each weighed by its tokens."""
    order = sorted(examples, key=len)
    total = count = 0.0
    for at in range(0, len(order), 32):
        some = order[at : at + 32]
        tokens = sum(len(ids) for ids in some)
        total += float(loss_of(model, some, False)) * tokens
        count += tokens
    return total / count


def make_optimizers(model: LlamaForCausalLM, preset: BasePreset) -> tuple[torch.optim.Optimizer, ...]:
    """Return Muon on the layers' matrices and AdamW on embeddings and norms."""
    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and "embed" not in name]
    others = [p for name, p in model.named_parameters() if p.ndim != 2 or "embed" in name]
    muon = Muon(matrices, lr=preset.muon_learning_rate, weight_decay=preset.weight_decay)
    adam = torch.optim.AdamW(others, lr=preset.learning_rate, betas=(0.9, 0.98), weight_decay=0.0)
    return muon, adam


def rate(step: int, steps: int, warmup: int) -> float:
    """Return the share of the learning rate at a step: a linear rise, then a linear fall to 0."""
    return min((step + 1) / max(warmup, 1), max(steps - step, 0) / max(steps - warmup, 1))


def _save_state(run: _BaseRun, folder: Path) -> None:
    """Write weights, optimiser moments and counters."""
    tensors = {f"model.{name}": p.detach().contiguous() for name, p in run.model.named_parameters()}
    scalars: dict[str, Any] = {"step": run.step, "tokens": run.tokens, "seconds": run.seconds}
    for place, optimizer in enumerate(run.optimizers):
        tensors |= state_tensors(optimizer, f"optimizer.{place}")
    save_file(tensors, folder / "state.safetensors")
    write_json(folder / "state.json", scalars, indent=None)


def _load_state(run: _BaseRun, folder: Path) -> None:
    """Read back what ``_save_state`` wrote."""
    tensors = load_file(folder / "state.safetensors")
    with torch.no_grad():
        for name, parameter in run.model.named_parameters():
            parameter.copy_(tensors[f"model.{name}"])
    for place, optimizer in enumerate(run.optimizers):
        restore(optimizer, tensors, f"optimizer.{place}")
    scalars = read_json(folder / "state.json", dict[str, Any])
    run.step, run.tokens, run.seconds = scalars["step"], scalars["tokens"], scalars["seconds"]


def export(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write a standard checkpoint in bfloat16; training goes on from float32, use reads it as float32."""
    half: Any = LlamaForCausalLM(model.config)
    half = half.to(torch.bfloat16)
    half.load_state_dict(model.state_dict())
    half.generation_config.eos_token_id = tokenizer.eos_token_id
    half.generation_config.pad_token_id = tokenizer.pad_token_id
    half.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def read_settings(preset: Mapping[str, Any] | str | Path, overrides: Sequence[str] = ()) -> BasePreset:
    """Return the settings; raises ``DataFileError`` or ``UsageError`` where they are wrong."""
    return read_preset(BasePreset, preset, PRESETS / "base", overrides)


def train(
    settings: BasePreset,
    out: Path,
    corpus: Path,
    resume: bool = False,
    command: str = "",
    on_step: Callable[[int, int, float], None] | None = None,
) -> Path:
    """Train tokenizer and model on a corpus, write a checkpoint folder ``out/model``, and return it.

    Args:
        settings: see ``read_settings``.
        out: folder of the run.
        corpus: JSON Lines of ``{"messages": [...]}``; its last ``held_out`` chats are not trained on.
        resume: go on from the last state in ``out``; the end is the same as that of an unbroken run.
        command: what the user typed, for the model card.
        on_step: called with steps done, steps in all, and the step's loss.

    Raises:
        DataFileError: on a wrong corpus.
        UsageError: on too small a corpus, or a run in ``out`` that is another, or while ``resume`` is off.
        TrainingStoppedError: if the loss is no number.
    """
    torch.set_num_threads(settings.torch_threads)
    chats = read_corpus(corpus)
    if len(chats) < settings.held_out + settings.batch_size:
        raise UsageError(f"{corpus}: expected more than {settings.held_out + settings.batch_size} chats")
    folder, digest = RunFolder(out), sha256(corpus)
    checkpoint = folder.claim({"method": "base", **settings.model_dump(mode="json"), "data_sha256": digest}, resume)
    learnt, kept = chats[: -settings.held_out], chats[-settings.held_out :]
    tokenizer, model = begin(settings, learnt)
    examples, unseen = (encode(tokenizer, part, settings.context) for part in (learnt, kept))
    run = _BaseRun(model, make_optimizers(model, settings))
    if checkpoint is not None:
        _load_state(run, checkpoint)
    _learn(run, settings, examples, unseen, folder, folder.log(checkpoint), on_step)
    card = model_card(
        "Tiny base model",
        (
            "A Llama-architecture language model trained from scratch on simulated hotel-rate negotiations: prompts of "
            "`negotiation_env.play.prompts` with good and bad replies alike. It speaks the domain and negotiates "
            "poorly. SFT, DPO, PPO, GRPO and REPO start from it at the tiny scale. All of its data are synthetic.",
            "Engine spec: `tiny`. Weights are stored in bfloat16.",
        ),
        made=(command, f"Corpus: {len(chats)} dialogues, SHA-256 `{digest}`."),
        settings=settings.model_dump(),
        figures={
            "parameters": sum(p.numel() for p in model.parameters()),
            "dialogues learned from": len(examples),
            "tokens": run.tokens,
            "optimiser steps": run.step,
            "held-out loss, nats per token": round(held_out_loss(model, unseen), 4),
            "held-out dialogues": len(unseen),
            "seconds": round(run.seconds),
        },
        versions=provenance(("torch", "transformers", "tokenizers")),
    )

    def fill(place: Path) -> None:
        export(model, tokenizer, place)
        (place / CARD).write_text(card, encoding="utf-8")

    write_folder(out / "model", fill)
    return out / "model"


def _learn(
    run: _BaseRun,
    settings: BasePreset,
    examples: Sequence[Ids],
    unseen: Sequence[Ids],
    folder: RunFolder,
    log: MetricsLog,
    on_step: Callable[[int, int, float], None] | None,
) -> None:
    """Take the steps that are left."""
    per_epoch = len(epoch_batches(examples, settings.batch_size, settings.seed, 0))
    steps = per_epoch * settings.epochs
    rates = [[group["initial_lr"] for group in o.param_groups] for o in map(_with_initial_rates, run.optimizers)]
    batches: list[list[int]] = []
    while run.step < steps:
        began = time.monotonic()
        epoch, place = divmod(run.step, per_epoch)
        if place == 0 or not batches:
            batches = epoch_batches(examples, settings.batch_size, settings.seed, epoch)
        for optimizer, own in zip(run.optimizers, rates, strict=True):
            for group, full in zip(optimizer.param_groups, own, strict=True):
                group["lr"] = full * rate(run.step, steps, settings.warmup_steps)
        batch = [examples[i] for i in batches[place]]
        loss = loss_of(run.model, batch, number_format(settings.dtype) is torch.bfloat16)
        if not math.isfinite(loss.item()):
            raise TrainingStoppedError(
                f"step {run.step}: expected a finite loss, got {loss.item()}: lower the learning rates and --resume"
            )
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(run.model.parameters(), 1.0)
        for optimizer in run.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        run.step += 1
        run.tokens += sum(len(ids) for ids in batch)
        run.seconds += time.monotonic() - began
        if run.step % settings.log_every == 0 or run.step == steps:
            log.write(run.step, {"loss": round(loss.item(), 4), "tokens": run.tokens, "seconds": round(run.seconds, 1)})
        if run.step % settings.save_every == 0 or run.step == steps:
            log.write(run.step, {"held_out_loss": round(held_out_loss(run.model, unseen[:64]), 4)})
            folder.save(run.step, partial(_save_state, run))
        if on_step is not None:
            on_step(run.step, steps, loss.item())


def _with_initial_rates(optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
    for group in optimizer.param_groups:
        group.setdefault("initial_lr", group["lr"])
    return optimizer
