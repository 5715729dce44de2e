"""``negotiate train rm``: the LoRA reward model, a Bradley-Terry model (Bradley and Terry 1952) on preference pairs.

The reward of a reply is one linear output at the end of the reply, behind its dialogue. Pairs that share a prompt are
one tree of texts, so a prompt is read once whatever the number of replies to it. The adapter is a standard PEFT one
(SEQ_CLS with a saved ``score`` layer). TRL's RewardTrainer trains the same adapter on the same pairs where a preset
says ``trainer = "trl"``: it is the choice for a large base on GPUs, but runs every layer of every text in every epoch,
which a CPU has no time for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

from negotiation_env.engines.chat_text import ChatText, control_tokens, without_controls
from negotiation_env.engines.checkpoints import number_format
from negotiation_env.engines.exact.trees import Ids, TextTree, uppermost
from negotiation_env.engines.specs import base_path
from negotiation_env.errors import UsageError
from negotiation_env.files import write_json
from negotiation_env.play.prompts import prompt
from negotiation_env.seeds import Stream
from negotiation_env.training.lora import WEIGHTS, lora_config
from negotiation_env.training.presets import read_preset
from negotiation_env.training.run_folder import RunFolder, sha256
from rewards.judge.judge_form import JudgeForm
from rewards.judge.judge_orders import without_orders
from rewards.judge.rubric import Rubric
from rewards.model.act_fit import honest_replies
from rewards.model.adapter_model import RewardScale
from rewards.model.noted_pairs import (
    NotedPairs,
    generated,
    prompt_key,
    ranked,
    read,
    without_notes,
)
from rewards.reply_reader import READING, notes
from rewards.training.adapter_loop import Example, Trainer
from rewards.training.adapter_training import TrainedAdapter, write_adapter
from rewards.training.frozen_layers import TrunkStates, preference_reader
from rewards.training.held_out_figures import pair_report, share
from rewards.training.reward_presets import PRESETS, RmPreset
from simulators.people.preferences import draw_candidate
from simulators.people.training_files import PreferencePair, split_lines

MOST_TOKENS = 1024
"""Pairs with a longer text are left out by TRL."""
_FIRST = 1 << 30
"""Situations for zero and unit from here on; far from those of the preference data."""
_USE = (
    "It scores an agent's reply behind its dialogue with one number (task SEQ_CLS): load it with `PeftModel."
    "from_pretrained(AutoModelForSequenceClassification.from_pretrained(base, num_labels=1), folder)`, or as "
    "`rewards.model.adapter_model.AdapterRewardModel`, which also sets zero and unit from `reward_scale.json`. The "
    "tokens in `reading.json` follow the reply's message, and the score is read at the last one."
)


@dataclass(frozen=True, slots=True)
class PromptPairs:
    """The pairs behind one prompt: branches (chosen, rejected) and margins, and the pairs' numbers in the data."""

    pairs: tuple[tuple[int, int, float], ...]
    numbers: tuple[int, ...]


class BradleyTerry:
    """The objective: -log((1 - e) sigmoid(d) + e sigmoid(-d)) with d = r_chosen - r_rejected - margin.

    Args:
        head: returns scores (texts,) for normed hidden states (texts, width).
        preset: margin per grade, error rate e, and the centring term's weight.
    """

    def __init__(self, head: Callable[[torch.Tensor], torch.Tensor], preset: RmPreset) -> None:
        self.head, self.preset = head, preset

    def outputs(self, normed: torch.Tensor) -> torch.Tensor:
        """Return scores (texts,)."""
        return self.head(normed)

    def loss(self, outputs: Sequence[torch.Tensor], examples: Sequence[Example]) -> tuple[torch.Tensor, float]:
        """Return the summed loss over pairs, and their number."""
        total, count, e = torch.zeros(()), 0, self.preset.smooth
        for scores, example in zip(outputs, examples, strict=True):
            for chosen, rejected, margin in example.target.pairs:
                gap = scores[chosen] - scores[rejected]
                wanted = gap - self.preset.margin * margin
                likely = (1.0 - e) * torch.sigmoid(wanted) + e * torch.sigmoid(-wanted)
                total = total - torch.log(likely.clamp_min(1e-6))
                total = total + self.preset.centre * (scores[chosen] + scores[rejected]) ** 2
                count += 1
        return total, float(count)

    def quality(self, outputs: Sequence[torch.Tensor], examples: Sequence[Example]) -> dict[str, float]:
        """Return accuracy on pairs (the quality) and the mean difference."""
        gaps = gaps_of(outputs, examples)
        return {"quality": float((gaps > 0).mean()), "gap": float(gaps.mean()), "pairs": float(len(gaps))}


def gaps_of(outputs: Sequence[torch.Tensor], examples: Sequence[Example]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return chosen minus rejected scores of all pairs, in the examples' order."""
    return np.array(
        [float(s[c] - s[r]) for s, e in zip(outputs, examples, strict=True) for c, r, _ in e.target.pairs],
        dtype=np.float64,
    )


def pair_examples(data: NotedPairs, chat: ChatText, form: JudgeForm | None) -> list[Example]:
    """Put pairs of one prompt together: each different reply is a branch behind the prompt, read at its end.

    What a reply says to a judge is left out, as in use. With ``form``, notes and the judge's form follow each reply.
    """
    groups: dict[str, list[int]] = {}
    for number, pair in enumerate(data.pairs):
        groups.setdefault(prompt_key(pair), []).append(number)
    examples = []
    for numbers in groups.values():
        replies: dict[Ids, int] = {}
        several = []
        for number in numbers:
            pair = data.pairs[number]
            both = zip((pair.chosen, pair.rejected), data.noted(pair), strict=True)
            bodies = [_read(text, noted, chat, form) for text, noted in both]
            chosen, rejected = (replies.setdefault(ids, len(replies)) for ids in bodies)
            several.append((chosen, rejected, pair.margin))
        tree = TextTree(chat.prompt_ids(data.pairs[numbers[0]].prompt), tuple(replies))
        examples.append(Example(tree, tree.ends(), PromptPairs(tuple(several), tuple(numbers))))
    return examples


def _read(text: str, noted: str, chat: ChatText, form: JudgeForm | None) -> Ids:
    """Return the ids of a reply up to where its score is read, as ``ReplyReader`` has them."""
    if form is None:
        return chat.reply_ids(without_orders(text))
    return form.reply(text, noted) + form.aside(text)


def split_valid(pairs: Sequence[PreferencePair], share: float, seed: int) -> tuple[list[Any], list[Any]]:
    """Split training pairs by scenario into (training, validation)."""
    names = sorted({p.scenario or prompt_key(p) for p in pairs})
    rng = np.random.default_rng((seed, Stream.MODEL_VALIDATION))
    held = {names[i] for i in rng.permutation(len(names))[: max(1, round(share * len(names)))]}
    inside = [p for p in pairs if (p.scenario or prompt_key(p)) not in held]
    return inside, [p for p in pairs if (p.scenario or prompt_key(p)) in held]


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
    if settings.trainer == "trl" and settings.form:
        raise UsageError("form: expected false with trainer 'trl', which reads a reply at its end, got true")
    # Before the data, which take minutes to make: a start that does not fit is told at once.
    adapter = TrainedAdapter(settings, "SEQ_CLS") if settings.trainer == "loop" else None
    data = read(settings.data) if settings.data else generated(settings.pairs, settings.seed)
    digest = sha256(Path(settings.data)) if settings.data else ""
    folder = RunFolder(Path(out))
    checkpoint = folder.claim({"method": "rm", **settings.model_dump(mode="json"), "data_sha256": digest}, resume)
    learn, test = split_lines(data.pairs)
    more = ranked(settings.situations, settings.seed) if settings.situations else data
    learn, valid = split_valid(more.pairs if settings.situations else learn, settings.valid, settings.seed)
    if adapter is None:
        adapter = train_with_trl(settings, learn, valid, folder.path / "trl")
    form = JudgeForm(adapter.chat, Rubric.from_toml()) if settings.form else None
    noted = [
        without_notes(more, learn, settings.bare, settings.seed),
        NotedPairs(valid, more.notes),
        NotedPairs(test, data.notes),
    ]
    parts = [pair_examples(part, adapter.chat, form) for part in noted]
    tokens = [sum(e.tree.size for e in part) for part in parts]
    log(f"reward model: {len(learn)}/{len(valid)}/{len(test)} pairs to train/choose/test, {tokens} tokens")
    weight: torch.Tensor = adapter.model.score.modules_to_save["default"].weight
    objective = BradleyTerry(lambda normed: (normed.float() @ weight.float().T)[:, 0], settings)
    trainer = Trainer(adapter, objective, parts[0], parts[1], settings, folder, checkpoint, log)
    report: dict[str, Any] = {"train_pairs": len(learn)}
    if settings.trainer == "loop":
        state = trainer.run(lambda states: fit_score(trainer, states, weight, settings))
        report |= {"steps": trainer.steps, "best_step": state.best_step}
    report |= measure(trainer, parts[1], parts[2], test)
    if form:
        bare = pair_examples(NotedPairs(test), adapter.chat, form)
        report["accuracy_without_notes"] = share(gaps_of(trainer.predict(bare), bare) > 0.0)
    made = folder.path / "adapter"
    write_adapter(adapter, made, "reward model", _USE, settings, command, report)
    fit_scale(trainer, form).save(made)
    write_json(made / READING, {"suffix": list(form.suffix if form else ())})
    log(f"held-out accuracy {report['accuracy']['value']:.4f}, ceiling {report['ceiling']:.4f}; written to {made}")
    return made


def measure(
    trainer: Trainer, valid: Sequence[Example], test: Sequence[Example], pairs: Sequence[PreferencePair]
) -> dict[str, Any]:
    """Return the figures of ``measures.pair_report`` for the adapter's present weights on the test pairs."""
    outputs = trainer.predict(test)
    ordered = [pairs[n] for e in test for n in e.target.numbers]
    gaps = gaps_of(outputs, test)
    scores, lengths = [], []
    for out, example in zip(outputs, test, strict=True):
        for (chosen, rejected, _), n in zip(example.target.pairs, example.target.numbers, strict=True):
            scores += [float(out[chosen]), float(out[rejected])]
            lengths += [float(len(pairs[n].chosen)), float(len(pairs[n].rejected))]
    return pair_report(
        gaps,
        [p.source for p in ordered],
        [p.margin for p in ordered],
        [p.sure for p in ordered],
        np.array(scores),
        np.array(lengths),
        gaps_of(trainer.predict(valid), valid),
    )


def fit_score(trainer: Trainer, states: TrunkStates, weight: torch.Tensor, settings: RmPreset) -> None:
    """Set the score layer to the best linear reader of the present hidden states (see ``judge.fit_letters``)."""
    hidden = torch.split(trainer.hidden(trainer.train, states), [len(e.places) for e in trainer.train])
    gaps, margins = [], []
    for states_of, example in zip(hidden, trainer.train, strict=True):
        for chosen, rejected, margin in example.target.pairs:
            gaps.append(states_of[chosen] - states_of[rejected])
            margins.append(margin)
    wanted = torch.tensor(margins) * settings.margin
    with torch.no_grad():
        weight.copy_(preference_reader(torch.stack(gaps), wanted, settings.smooth)[None])


def fit_scale(trainer: Trainer, form: JudgeForm | None, situations: int = 150) -> RewardScale:
    """Return zero and unit from replies of an honest agent in training situations."""
    seed, chat = trainer.preset.seed, trainer.adapter.chat
    views, routine = honest_replies(
        situations,
        seed,
        _FIRST + seed * situations,
        lambda situation, habit, rng: draw_candidate(situation, rng, False, habit, damaged=0.0).view,
    )
    examples = []
    for view in views:
        tree = TextTree(chat.prompt_ids(prompt(view)), (_read(view.text, notes(view), chat, form),))
        examples.append(Example(tree, tree.ends(), None))
    return RewardScale.fit([float(out[0]) for out in trainer.predict(examples)], routine)


def train_with_trl(
    settings: RmPreset, learn: Sequence[PreferencePair], valid: Sequence[PreferencePair], out: Path
) -> TrainedAdapter:
    """Train with TRL's RewardTrainer in ``out`` and return the adapter with the weights that were best on ``valid``.

    Accelerate spreads it over whatever GPUs there are. Pairs, loss, margins and centring are the loop's.
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

    def dataset(pairs: Sequence[PreferencePair]) -> Any:
        rows = [
            {
                "prompt": [said(m["role"], m["content"]) for m in pair.prompt],
                "chosen": [said("assistant", pair.chosen.strip())],
                "rejected": [said("assistant", pair.rejected.strip())],
                "margin": settings.margin * pair.margin,
            }
            for pair in pairs
        ]
        return Dataset.from_list(rows)

    arguments = RewardConfig(
        output_dir=str(out),
        learning_rate=settings.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=settings.warmup_steps,
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=settings.batch_size,
        per_device_eval_batch_size=settings.batch_size,
        center_rewards_coefficient=settings.centre,
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
        train_dataset=dataset(learn),
        eval_dataset=dataset(valid),
        processing_class=tokenizer,
        peft_config=lora_config(settings, layers, "SEQ_CLS"),
    )
    trainer.train()
    trainer.save_model(str(out / "best"))
    adapter = TrainedAdapter(settings, "SEQ_CLS")
    set_peft_model_state_dict(adapter.peft, load_file(out / "best" / WEIGHTS))
    return adapter
