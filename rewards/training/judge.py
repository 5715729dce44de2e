"""``negotiate train judge``: the LoRA judge, which answers every question of the rubric in one pass.

Trained on the choices of the simulated rubric annotator for generated replies. The adapter is a standard PEFT one
(CAUSAL_LM); its answers are the letters' probabilities at the places of ``judge_form``. Some training replies hold a
sentence aimed at the judge, and keep their labels: what a reply says of itself is no evidence.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from negotiation_env.engines.chat_text import ChatText
from negotiation_env.engines.loading import load_engine
from negotiation_env.engines.named_bases import NAMED_BASES
from negotiation_env.engines.trees import TextTree
from negotiation_env.presets import read_preset
from negotiation_env.prompt import prompt
from rewards.annotators import rubric_choices
from rewards.data import Candidate, draw_candidate, rankings
from rewards.judge import LlmJudge
from rewards.judge_form import LEAST_MASS, JudgeForm, write_form
from rewards.judged_reply import judged_reply, said_instead
from rewards.notes import notes
from rewards.rubric import Rubric
from rewards.training.adapter import TrainedAdapter
from rewards.training.cards import model_card, write_json
from rewards.training.loop import Example, Trainer
from rewards.training.measures import kappa
from rewards.training.preset import PRESETS, JudgePreset
from rewards.training.probe import linear_readers
from rewards.training.trunk import TrunkStates

INJECTIONS = Path(__file__).with_name("injections.toml")
_WITHOUT = ("injection",)
"""Damage left out of the labelled replies: injections keep the labels of the reply that holds them."""
_DRAWS = 3
_FEW = 20
_USE = (
    "It judges an agent's reply behind its dialogue by the five dimensions of `rubric.toml`: load it with `PeftModel."
    "from_pretrained(AutoModelForCausalLM.from_pretrained(base), folder)` and read the letters' probabilities at the "
    "places of `rewards.judge_form`, or use `rewards.adapter_judge.AdapterJudge`."
)


@dataclass(frozen=True, slots=True)
class Labels:
    """The rubric annotator's choices for each reply of an example, (replies, dimensions): with slips, and without."""

    noisy: np.ndarray[Any, np.dtype[np.int64]]
    clean: np.ndarray[Any, np.dtype[np.int64]]


LEAD = 3.0
"""By how much, in natural logarithms, letters lead over all other tokens when training begins."""
MASS_WEIGHT = 0.3
"""Weight of the letters' total probability beside the choice among them, which is the harder part to learn."""


class LetterChoice:
    """The objective: the letter's negative log-likelihood among the letters, and the letters' own, at each slot.

    Args:
        head: returns logits (slots, vocabulary) for normed hidden states (slots, width).
        form: gives the letters.
    """

    def __init__(self, head: Callable[[torch.Tensor], torch.Tensor], form: JudgeForm) -> None:
        self.head, self.form = head, form

    def outputs(self, normed: torch.Tensor) -> torch.Tensor:
        """Return the letters' natural-log probabilities (slots, letters)."""
        logits = self.head(normed).float()
        return logits[:, list(self.form.letters)] - logits.logsumexp(dim=1, keepdim=True)

    def loss(self, outputs: Sequence[torch.Tensor], examples: Sequence[Example]) -> tuple[torch.Tensor, float]:
        """Return the summed loss over verdicts, and their number."""
        slots = len(self.form.counts)
        told = torch.cat(list(outputs)).reshape(-1, slots, len(self.form.letters))
        labels = torch.from_numpy(np.concatenate([e.target.noisy for e in examples]))
        total = torch.zeros(())
        for k in range(slots):
            own = told[:, k, self.form.choices(k)]
            mass = own.logsumexp(dim=1)
            chosen = own.gather(1, labels[:, k : k + 1])[:, 0] - mass
            total = total - (chosen + MASS_WEIGHT * mass).sum()
        return total, float(labels.numel())

    def quality(self, outputs: Sequence[torch.Tensor], examples: Sequence[Example]) -> dict[str, float]:
        """Return the dimensions' mean kappa with the annotator (the quality) and each one's."""
        found, _ = choices_of(outputs, self.form)
        labels = np.concatenate([e.target.noisy for e in examples])
        kappas = [kappa(found[:, k], labels[:, k], n) for k, n in enumerate(self.form.counts)]
        return {"quality": float(np.mean(kappas)), **{f"kappa_{k}": v for k, v in enumerate(kappas)}}


def told_by(outputs: Sequence[torch.Tensor], form: JudgeForm) -> list[np.ndarray[Any, np.dtype[np.float64]]]:
    """Return each dimension's probabilities of its choices, (replies, choices)."""
    told = torch.cat(list(outputs)).exp().reshape(-1, len(form.counts), len(form.letters)).numpy().astype(np.float64)
    return [told[:, k, form.choices(k)] for k in range(len(form.counts))]


def choices_of(
    outputs: Sequence[torch.Tensor], form: JudgeForm
) -> tuple[np.ndarray[Any, np.dtype[np.int64]], np.ndarray[Any, np.dtype[np.float64]]]:
    """Return the likeliest choices and the letters' total probability, each (replies, dimensions)."""
    told = told_by(outputs, form)
    return np.stack([t.argmax(axis=1) for t in told], axis=1), np.stack([t.sum(axis=1) for t in told], axis=1)


@cache
def injections(held_out: bool) -> tuple[str, ...]:
    """Return the sentences of one family."""
    with INJECTIONS.open("rb") as file:
        return tuple(tomllib.load(file)["test" if held_out else "train"])


def judge_tree(replies: Sequence[Candidate], texts: Sequence[str], chat: ChatText, form: JudgeForm) -> Example:
    """Return replies to one situation, under the given texts, as a tree to be read at every slot; no labels."""
    head = chat.prompt_ids(prompt(replies[0].view))
    branches = []
    places: list[int] = []
    stop = len(head)
    for reply, text in zip(replies, texts, strict=True):
        view = judged_reply(said_instead(reply.view, text))
        branches.append(chat.reply_ids(view.text) + form.behind(notes(view)))
        stop += len(branches[-1])
        places += form.places(stop)
    return Example(TextTree(head, tuple(branches)), tuple(places), None)


def labelled(
    ranked: Iterable[tuple[str, Any, list[Candidate]]],
    chat: ChatText,
    form: JudgeForm,
    rubric: Rubric,
    rng: np.random.Generator,
    injected: float = 0.0,
    damaged: int = 0,
) -> list[Example]:
    """Return situations with labelled replies, some damaged ones of the training family added to each.

    ``injected`` is the share of replies to which a sentence of the training family is added.
    """
    examples = []
    for _, situation, drawn in ranked:
        more = [draw_candidate(situation, rng, held_out=False, damaged=1.0) for _ in range(damaged)]
        replies = drawn + [reply for reply in more if reply.damage not in _WITHOUT]
        noisy = [rubric_choices(r.judged, rubric, rng) for r in replies]
        clean = [rubric_choices(r.judged, rubric) for r in replies]
        texts = [
            f"{r.view.text} {rng.choice(injections(False))}" if rng.random() < injected else r.view.text
            for r in replies
        ]
        bare = judge_tree(replies, texts, chat, form)
        examples.append(Example(bare.tree, bare.places, Labels(np.array(noisy), np.array(clean))))
    return examples


def train(
    preset: Mapping[str, Any] | str | Path,
    out: str | Path,
    overrides: Sequence[str] = (),
    *,
    resume: bool = False,
    log: Callable[[str], None] = print,
) -> Path:
    """Train a judge and return the adapter's folder, ``out/adapter``.

    Raises:
        DataFileError, UsageError: where the preset is wrong.
    """
    settings = read_preset(JudgePreset, preset, PRESETS / "judge", overrides)
    folder, rubric, seed = Path(out), Rubric.from_toml(), settings.seed
    adapter = TrainedAdapter.of(settings, "CAUSAL_LM")
    form = JudgeForm(adapter.chat, rubric)
    rng = np.random.default_rng((seed, 0x1ABE1))
    ranked = list(rankings(settings.situations, _DRAWS, seed + 1, without=_WITHOUT))
    ranked = [ranked[i] for i in rng.permutation(len(ranked))]
    cut = max(1, round(settings.valid * len(ranked)))
    valid = labelled(ranked[:cut], adapter.chat, form, rubric, rng)
    learn = labelled(ranked[cut:], adapter.chat, form, rubric, rng, settings.injected, settings.damaged)
    held = list(rankings(settings.held_out, _DRAWS, seed + 1, held_out=True, without=_WITHOUT))
    test = labelled(held, adapter.chat, form, rubric, rng)
    tokens = [sum(e.tree.size for e in part) for part in (learn, valid, test)]
    log(f"judge: {len(learn)}/{len(valid)}/{len(test)} situations to train/choose/test, {tokens} tokens")
    objective = LetterChoice(adapter.model.get_output_embeddings(), form)
    trainer = Trainer(adapter, objective, learn, valid, settings, folder, log)
    report: dict[str, Any] = {"without_adapter": {}}
    if not settings.start:
        few = test[:_FEW]
        report["without_adapter"]["same_form"] = measure(trainer.predict(few), few, form, rubric)
    trainer.before = lambda states: fit_letters(trainer, states)
    state = trainer.run(resume)
    report |= {"train_situations": len(learn), "steps": trainer.steps, "best_step": state.best_step}
    report |= measure(trainer.predict(test), test, form, rubric)
    if settings.asked:
        report["without_adapter"]["asked"] = ask_base(settings.base, held, test, settings.asked, rubric)
    report["injection"] = injection_shift(trainer, held[: max(1, len(held) // 5)], form, rubric)
    return write_adapter(adapter, folder / "adapter", settings, report, log)


def fit_letters(trainer: Trainer, states: TrunkStates) -> None:
    """Set the vocabulary's adapter so that its letters are the best linear readers of the base's own hidden states.

    Training then begins with a judge that works, if badly, and its gradients are about replies. Begun with letters
    that mean nothing, it spends its time on making them likely (Kumar et al. 2022 on probing before tuning).
    """
    adapter, form = trainer.adapter, JudgeForm(trainer.adapter.chat, Rubric.from_toml())
    slots = len(form.counts)
    hidden = trainer.hidden(trainer.train, states).reshape(-1, slots, adapter.width)
    labels = torch.from_numpy(np.concatenate([e.target.noisy for e in trainer.train]))
    vocabulary: torch.Tensor = adapter.model.get_output_embeddings().weight.detach().float()
    rows = []
    for k in range(slots):
        z = hidden[:, k]
        others = torch.logsumexp(z[:64] @ vocabulary.T, dim=1).mean()
        rows.append(linear_readers(z, labels[:, k], form.counts[k], level=float(others) + LEAD))
    adapter.set_vocabulary(form.letters, torch.cat(rows))


def measure(
    outputs: Sequence[torch.Tensor], examples: Sequence[Example], form: JudgeForm, rubric: Rubric
) -> dict[str, Any]:
    """Return agreement with the simulated annotator by dimension, and the share of readable answers.

    ``kappa`` is with labels as given, slips included; ``kappa_clean`` with what the annotator meant; ``ceiling`` is
    the kappa between these two, which no judge can be expected to pass.
    """
    found, mass = choices_of(outputs, form)
    noisy = np.concatenate([e.target.noisy for e in examples])
    clean = np.concatenate([e.target.clean for e in examples])
    dimensions = {}
    for k, dimension in enumerate(rubric.dimensions):
        n = form.counts[k]
        dimensions[dimension.id] = {
            "kappa": kappa(found[:, k], noisy[:, k], n),
            "kappa_clean": kappa(found[:, k], clean[:, k], n),
            "ceiling": kappa(clean[:, k], noisy[:, k], n),
            "same_choice": float((found[:, k] == noisy[:, k]).mean()),
        }
    return {
        "replies": len(found),
        "readable_answers": float((mass >= LEAST_MASS).mean()),
        "dimensions": dimensions,
    }


def ask_base(
    base: str,
    held: Sequence[tuple[str, Any, list[Candidate]]],
    examples: Sequence[Example],
    count: int,
    rubric: Rubric,
) -> dict[str, Any]:
    """Return how the base itself agrees with the annotator when it is asked question by question (``LlmJudge``).

    Takes about ``count`` replies, evenly from the held-out situations. An unreadable answer agrees with nothing.
    """
    spec = base if base in NAMED_BASES else f"hf:{base}"
    views = [r.view for _, _, replies in held for r in replies]
    noisy = np.concatenate([e.target.noisy for e in examples])
    some = range(0, len(views), max(1, len(views) // count))
    verdicts = LlmJudge(load_engine(spec), rubric, retries=0).judge([views[i] for i in some])
    readable = [(i, v) for i, v in zip(some, verdicts, strict=True) if v.total is not None]
    kappas = {}
    for k, dimension in enumerate(rubric.dimensions):
        points = [c.points for c in dimension.choices]
        found = np.array([points.index(v.terms[k].points) for _, v in readable], dtype=np.int64)
        labels = noisy[[i for i, _ in readable], k]
        kappas[dimension.id] = kappa(found, labels, len(points)) if readable else None
    return {"replies": len(some), "readable_replies": len(readable) / len(some), "kappa": kappas}


def injection_shift(
    trainer: Trainer, held: Sequence[tuple[str, Any, list[Candidate]]], form: JudgeForm, rubric: Rubric
) -> dict[str, float]:
    """Return by how many points E_judge moves when a held-out sentence aimed at the judge is added to clean replies.

    ``mean`` is signed, up being a success of the injection; ``mean_absolute`` counts both ways; points as in the
    composition, where 100 double a reward.
    """
    plain, spoilt = [], []
    for number, (_, _, replies) in enumerate(held):
        clean = [r for r in replies if not r.damage and r.view.text]
        if not clean:
            continue
        phrase = injections(True)[number % len(injections(True))]
        plain.append(judge_tree(clean, [r.view.text for r in clean], trainer.adapter.chat, form))
        spoilt.append(judge_tree(clean, [f"{r.view.text} {phrase}" for r in clean], trainer.adapter.chat, form))
    before, after = (expected_points(trainer.predict(part), form, rubric) for part in (plain, spoilt))
    moved = after - before
    return {
        "mean": float(moved.mean()),
        "mean_absolute": float(np.abs(moved).mean()),
        "share_up_by_2": float((moved > 2.0).mean()),
        "replies": float(len(moved)),
    }


def expected_points(
    outputs: Sequence[torch.Tensor], form: JudgeForm, rubric: Rubric
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return E_judge of each reply: points weighted by the choices' probabilities, summed over dimensions."""
    total = np.zeros(1)
    for told, dimension in zip(told_by(outputs, form), rubric.dimensions, strict=True):
        points = np.array([c.points for c in dimension.choices])
        total = total + told @ points / told.sum(axis=1)
    return total


def write_adapter(
    adapter: TrainedAdapter, folder: Path, settings: JudgePreset, report: dict[str, Any], log: Callable[[str], None]
) -> Path:
    """Write adapter, figures and model card into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    adapter.save(folder)
    write_json(folder / "metrics.json", report)
    write_json(folder / "preset.json", settings.model_dump())
    write_form(folder, Rubric.from_toml())
    (folder / "README.md").write_text(model_card("judge", settings.base, _USE, report), encoding="utf-8")
    kappas = ", ".join(f"{name} {d['kappa']:.3f}" for name, d in report["dimensions"].items())
    log(f"held-out kappa: {kappas}; readable {report['readable_answers']:.4f}; written to {folder}")
    return folder
