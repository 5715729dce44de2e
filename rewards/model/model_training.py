"""``negotiate train rm``: the LoRA reward model on pairs of written replies, by the loss of ``compared_talks``.

The reward of a reply is one linear output at the end of the reply, behind the end of its talk. Replies to one talk are
one tree of texts, so a talk is read once whatever the number of replies to it. The adapter is a standard PEFT one
(SEQ_CLS with a saved ``score`` layer). TRL's RewardTrainer trains the same adapter where a preset says ``trainer =
"trl"``: it is the choice for a large base on GPUs, but runs every layer of every text in every epoch, which a CPU has
no time for, takes what an annotator ticked for certain, a tie in both orders, and charges no length.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from safetensors.torch import load_file

from negotiation_env.engines.chat_model import ChatMessage
from negotiation_env.engines.chat_text import ChatText, control_tokens, without_controls
from negotiation_env.engines.checkpoints import number_format
from negotiation_env.engines.exact.trees import TextTree, uppermost
from negotiation_env.engines.specs import base_path
from negotiation_env.files import write_json, write_text
from negotiation_env.seeds import Stream
from negotiation_env.training.lora import WEIGHTS, lora_config
from negotiation_env.training.presets import read_preset
from negotiation_env.training.run_folder import CARD, RunFolder, model_card, provenance, sha256
from rewards.model.adapter_model import talk_end, talk_of_view
from rewards.model.compared_talks import (
    TIE,
    Compared,
    ComparedTalk,
    compared_talks,
    comparison_loss,
    reference_of,
    training_pairs,
)
from rewards.model.reference import FILE
from rewards.training.adapter_loop import Example, Trainer
from rewards.training.adapter_training import TrainedAdapter
from rewards.training.frozen_layers import TrunkStates, preference_reader
from rewards.training.held_out_figures import held_out
from rewards.training.reward_presets import PRESETS, RmPreset

MOST_TOKENS: Final = 1024
"""Pairs with a longer text are left out by TRL."""
CENTRE: Final = 0.01
"""Weight of TRL's reward centring (Eisenstein et al. 2023), which stands for our loss of the level."""


class ReplyPairs(NamedTuple):
    """The pairs behind one talk by place of the reply, and the replies' lengths in characters."""

    pairs: tuple[Compared, ...]
    lengths: tuple[int, ...]


class PairObjective:
    """The objective: ``comparison_loss`` of scores (texts,).

    Args:
        head: returns scores (texts,) for normed hidden states (texts, width).
        preset: weights of level and length.
    """

    def __init__(self, head: Callable[[torch.Tensor], torch.Tensor], preset: RmPreset) -> None:
        self.head, self.preset = head, preset

    def outputs(self, normed: torch.Tensor) -> torch.Tensor:
        """Return scores (texts,)."""
        return self.head(normed)

    def loss(self, outputs: Sequence[torch.Tensor], examples: Sequence[Example]) -> tuple[torch.Tensor, float]:
        """Return the summed loss over pairs, and their number."""
        targets: list[ReplyPairs] = [example.target for example in examples]
        count = sum(len(target.pairs) for target in targets)
        mean = comparison_loss(
            torch.cat(list(outputs)), [t.pairs for t in targets], [t.lengths for t in targets], self.preset
        )
        return mean * count, float(count)

    def quality(self, outputs: Sequence[torch.Tensor], examples: Sequence[Example]) -> dict[str, float]:
        """Return accuracy on pairs that are no ties (the quality), and the mean difference."""
        gaps = np.array(
            [
                float(scores[c] - scores[r])
                for scores, example in zip(outputs, examples, strict=True)
                for c, r, sure in example.target.pairs
                if sure != TIE
            ]
        )
        return {"quality": float((gaps > 0).mean()), "gap": float(gaps.mean()), "pairs": float(len(gaps))}


def pair_examples(talks: Sequence[ComparedTalk], chat: ChatText) -> list[Example]:
    """Return each talk's replies as branches behind its end, each read at its own end."""
    return [
        _example(chat, talk.prompt, talk.replies, ReplyPairs(talk.pairs, tuple(map(len, talk.replies))))
        for talk in talks
    ]


def _example(chat: ChatText, prompt: Sequence[ChatMessage], replies: Sequence[str], target: Any) -> Example:
    tree = TextTree(chat.prompt_ids(talk_end(prompt)), tuple(map(chat.reply_ids, replies)))
    return Example(tree, tree.ends(), target)


def split_valid(
    talks: Sequence[ComparedTalk], share: float, seed: int
) -> tuple[list[ComparedTalk], list[ComparedTalk]]:
    """Split training talks by scenario, or by prompt where it has no name, into (training, validation)."""
    names = [talk.scenario or str(talk.prompt) for talk in talks]
    known = sorted(set(names))
    rng = np.random.default_rng((seed, Stream.MODEL_VALIDATION))
    held = {known[i] for i in rng.permutation(len(known))[: max(1, round(share * len(known)))]}
    learn, valid = (
        [talk for talk, name in zip(talks, names, strict=True) if (name in held) == out] for out in (False, True)
    )
    return learn, valid


def train(
    preset: Mapping[str, Any] | str | Path,
    out: str | Path,
    overrides: Sequence[str] = (),
    *,
    resume: bool = False,
    command: str = "",
    log: Callable[[str], None] = print,
) -> Path:
    """Train a reward model and return the adapter's folder, ``out/adapter``.

    Args:
        preset: settings as a table, a TOML file, or a shipped preset's name.
        out: the run's folder.
        overrides: "key=value" settings that replace the preset's.
        resume: go on from the last checkpoint in ``out``, if there is one.
        command: what the user typed, for the model card.
        log: told lines for the user.

    Raises:
        DataFileError, UsageError: where the preset or its data file is wrong, or ``out`` holds another run.
    """
    settings = read_preset(RmPreset, preset, PRESETS / "rm", overrides)
    # Before the data, which take long to make: a start that does not fit is told at once.
    adapter = TrainedAdapter(settings) if settings.trainer == "loop" else None
    digest = sha256(Path(settings.data)) if settings.data else ""
    folder = RunFolder(Path(out))
    checkpoint = folder.claim({"method": "rm", **settings.model_dump(mode="json"), "data_sha256": digest}, resume)
    pairs = training_pairs(settings.data, settings.pairs, settings.seed, settings.ties)
    learn, valid = split_valid(compared_talks(pairs), settings.valid, settings.seed)
    if adapter is None:
        adapter = train_with_trl(settings, learn, valid, folder.path / "trl")
    parts = [pair_examples(part, adapter.chat) for part in (learn, valid)]
    tokens = [sum(e.tree.size for e in part) for part in parts]
    log(f"reward model: {len(learn)} talks to train on, {len(valid)} to choose by, {tokens} tokens")
    weight: torch.Tensor = adapter.model.score.modules_to_save["default"].weight
    objective = PairObjective(lambda normed: (normed.float() @ weight.float().T)[:, 0], settings)
    trainer = Trainer(adapter, objective, parts[0], parts[1], settings, folder, checkpoint, log)
    figures: dict[str, Any] = {"pairs": len(pairs), "talks": len(learn) + len(valid), "tokens": sum(tokens)}
    if settings.trainer == "loop":
        state = trainer.run(lambda states: fit_score(trainer, states, weight))
        figures |= {"optimiser steps": trainer.steps, "best step": state.best_step}
        figures["accuracy on the training authors' pairs that chose it"] = state.best
    made = folder.path / "adapter"
    adapter.save(made)
    log("zero and unit, and figures on the validation authors")
    reference = reference_of(
        lambda views: chat_scores(trainer, [(talk_of_view(view), view.text) for view in views]), most=settings.bland
    )
    write_json(made / FILE, reference.model_dump(mode="json"), indent=1)
    figures |= held_out(lambda chats: chat_scores(trainer, chats), settings.most)
    write_json(made / "metrics.json", figures, indent=1)
    write_text(made / CARD, _card(settings, command, figures))
    log(f"accuracy on validation authors {figures['accuracy on validation authors']['value']:.4f}; written to {made}")
    return made


def chat_scores(trainer: Trainer, chats: Sequence[tuple[Sequence[ChatMessage], str]]) -> list[float]:
    """Return the scores that the present weights give replies to chats, in order; a talk is read once."""
    places: dict[str, dict[str, int]] = {}
    prompts: dict[str, Sequence[ChatMessage]] = {}
    for prompt, reply in chats:
        replies = places.setdefault(str(prompt), {})
        replies.setdefault(reply, len(replies))
        prompts[str(prompt)] = prompt
    examples = [_example(trainer.adapter.chat, prompts[name], list(replies), None) for name, replies in places.items()]
    outputs = dict(zip(places, trainer.predict(examples), strict=True))
    return [float(outputs[str(prompt)][places[str(prompt)][reply]]) for prompt, reply in chats]


def fit_score(trainer: Trainer, states: TrunkStates, weight: torch.Tensor) -> None:
    """Set the score layer to the best linear reader of the present hidden states.

    Args:
        trainer: whose training pairs are read.
        states: what the frozen layers make of them.
        weight: the layer's, (1, width); written in place.
    """
    hidden = torch.split(trainer.hidden(trainer.train, states), [len(e.places) for e in trainer.train])
    gaps, sure = [], []
    for states_of, example in zip(hidden, trainer.train, strict=True):
        for chosen, rejected, p in example.target.pairs:
            gaps.append(states_of[chosen] - states_of[rejected])
            sure.append(p)
    with torch.no_grad():
        weight.copy_(preference_reader(torch.stack(gaps), torch.tensor(sure))[None])


def train_with_trl(
    settings: RmPreset, learn: Sequence[ComparedTalk], valid: Sequence[ComparedTalk], out: Path
) -> TrainedAdapter:
    """Train with TRL's RewardTrainer in ``out`` and return the adapter with the weights that were best on ``valid``.

    Accelerate spreads it over whatever GPUs there are.
    """
    # Wanted only here.
    from datasets import Dataset
    from peft import set_peft_model_state_dict
    from transformers import AutoModelForSequenceClassification, AutoTokenizer
    from trl.trainer.reward_config import RewardConfig
    from trl.trainer.reward_trainer import RewardTrainer

    path = base_path(settings.base)
    tokenizer = AutoTokenizer.from_pretrained(path)
    model = AutoModelForSequenceClassification.from_pretrained(
        path, num_labels=1, dtype=number_format(settings.number), use_safetensors=True
    )
    model.config.pad_token_id = tokenizer.pad_token_id
    layers = uppermost(settings.layers, int(model.config.get_text_config().num_hidden_layers))
    specials = control_tokens(tokenizer)

    def said(role: str, text: str) -> dict[str, str]:
        """Return a message, control tokens in what was said broken up."""
        return {"role": role, "content": without_controls(text, specials)}

    def dataset(talks: Sequence[ComparedTalk], tied: bool) -> Any:
        rows = []
        for talk in talks:
            prompt = [said(m["role"], m["content"]) for m in talk_end(talk.prompt)]
            for c, r, sure in talk.pairs:
                orders = [(c, r)] if sure != TIE else [(c, r), (r, c)] if tied else []
                for pair in orders:
                    one, other = ([said("assistant", talk.replies[i].strip())] for i in pair)
                    rows.append({"prompt": prompt, "chosen": one, "rejected": other})
        return Dataset.from_list(rows)

    arguments = RewardConfig(
        output_dir=str(out),
        learning_rate=settings.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=settings.warmup_steps,
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=settings.batch_size,
        per_device_eval_batch_size=settings.batch_size,
        center_rewards_coefficient=CENTRE,
        max_length=MOST_TOKENS,
        eval_strategy="steps",
        eval_steps=settings.measure_every,
        save_steps=settings.measure_every,
        save_total_limit=2,
        logging_steps=settings.measure_every,
        load_best_model_at_end=True,
        metric_for_best_model="eval_accuracy",
        seed=settings.seed,
        bf16=False,  # weights have the preset's number format already
        gradient_checkpointing=False,
        report_to="none",
    )
    trainer = RewardTrainer(
        model=model,
        args=arguments,
        train_dataset=dataset(learn, tied=True),
        eval_dataset=dataset(valid, tied=False),
        processing_class=tokenizer,
        peft_config=lora_config(settings, layers, "SEQ_CLS"),
    )
    trainer.train()
    trainer.save_model(str(out / "best"))
    adapter = TrainedAdapter(settings)
    set_peft_model_state_dict(adapter.peft, load_file(out / "best" / WEIGHTS))
    return adapter


def _card(settings: RmPreset, command: str, figures: Mapping[str, Any]) -> str:
    return model_card(
        "LoRA reward model for hotel-rate negotiation",
        [
            f"A LoRA adapter on `{settings.base}` (SmolLM2-135M-Instruct where that is `smollm2`) with one output: how "
            "good a reply is in a hotel-rate negotiation, to somebody who reads the chat and no card.",
            "Trained on replies that AI authors wrote and graded for this project; no human compared anything. It "
            "knows this project's game and no other, and is no judge of real negotiations. The figures are on authors "
            "whom it was not trained on.",
        ],
        base=settings.base,
        tags=("lora", "negotiation", "reward-model"),
        use='`rewards.model.adapter_model.AdapterRewardModel.from_folder(FOLDER)`, or `reward="repo:model=FOLDER"`; '
        "`reference.json` holds zero and unit. In PEFT it is a SEQ_CLS adapter, read at the reply's last token.",
        made=[command],
        settings=settings.model_dump(mode="json"),
        figures=figures,
        versions=provenance(),
    )
