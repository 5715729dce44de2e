"""``negotiate train judge``: the LoRA judge, which answers every question of the rubric in one pass.

Trained on the choices of the simulated rubric annotator for generated replies. The adapter is a standard PEFT one
(CAUSAL_LM); its answers are the letters' probabilities at the places of ``judge_form``. Some training replies end with
a sentence aimed at the judge, and keep their labels: what a reply says of itself is no evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from negotiation_env.seeds import Stream
from negotiation_env.training.presets import read_preset
from negotiation_env.training.run_folder import RunFolder
from rewards.judge.judge_data import (
    DRAWS,
    WITHOUT,
    added_odds,
    held_out,
    judge_tree,
    labelled,
)
from rewards.judge.judge_figures import agreement, ask_base, choices_of, injection_shift, told_by
from rewards.judge.judge_form import JudgeForm, write_form
from rewards.judge.rubric import Rubric
from rewards.training.adapter_loop import Example, Trainer
from rewards.training.adapter_training import TrainedAdapter, write_adapter
from rewards.training.frozen_layers import TrunkStates, linear_readers
from rewards.training.held_out_figures import kappa
from rewards.training.reward_presets import PRESETS, JudgePreset
from simulators.people.preferences import rankings

_FEW = 20
_USE = (
    "It judges an agent's reply behind its dialogue by the five dimensions of `rubric.toml`: load it with `PeftModel."
    "from_pretrained(AutoModelForCausalLM.from_pretrained(base), folder)` and read the letters' probabilities at the "
    "places of `rewards.judge.adapter_judge`, or use `rewards.judge.adapter_judge.AdapterJudge`."
)


LEAD = 3.0
"""By how much, in natural logarithms, letters lead over all other tokens when training begins."""
MASS_WEIGHT = 0.3
"""Weight of the letters' total probability beside the choice among them, which is the harder part to learn."""


class LetterChoice:
    """The objective: the letter's negative log-likelihood among the letters, and the letters' own, at each slot.

    Args:
        head: returns logits (slots, vocabulary) for normed hidden states (slots, width).
        form: gives the letters.
        odds: of each dimension's choices, ``judge_data.added_odds``: what the replies added for training, most of them
            damaged, do to the choices' shares. The loss adds them to the log-probabilities, so that these themselves
            tell of replies as they come (logit adjustment, Menon et al. 2021, arXiv 2007.07314).
    """

    def __init__(
        self, head: Callable[[torch.Tensor], torch.Tensor], form: JudgeForm, odds: Sequence[torch.Tensor]
    ) -> None:
        self.head, self.form, self.odds = head, form, odds

    def outputs(self, normed: torch.Tensor) -> torch.Tensor:
        """Return the letters' natural-log probabilities (slots, letters)."""
        logits = self.head(normed).float()
        return logits[:, list(self.form.letters)] - logits.logsumexp(dim=1, keepdim=True)

    def loss(self, outputs: Sequence[torch.Tensor], examples: Sequence[Example]) -> tuple[torch.Tensor, float]:
        """Return the summed loss over verdicts, and their number."""
        slots = len(self.form.counts)
        told = torch.cat(list(outputs)).reshape(-1, slots, len(self.form.letters))
        labels = torch.from_numpy(np.concatenate([e.target for e in examples]))
        total = torch.zeros(())
        for k in range(slots):
            own = told[:, k, self.form.choices(k)]
            mass = own.logsumexp(dim=1)
            among = torch.log_softmax(own + self.odds[k], dim=1)
            chosen = among.gather(1, labels[:, k : k + 1])[:, 0]
            total = total - (chosen + MASS_WEIGHT * mass).sum()
        return total, float(labels.numel())

    def quality(self, outputs: Sequence[torch.Tensor], examples: Sequence[Example]) -> dict[str, float]:
        """Return the loss, negative (the quality: it tells sooner than kappa), and each dimension's kappa."""
        found, _ = choices_of(told_by(outputs, self.form))
        labels = np.concatenate([e.target for e in examples])
        kappas = [kappa(found[:, k], labels[:, k], n) for k, n in enumerate(self.form.counts)]
        loss, terms = self.loss(outputs, examples)
        return {"quality": -float(loss) / terms, **{f"kappa_{k}": v for k, v in enumerate(kappas)}}


def train(
    preset: Mapping[str, Any] | str | Path,
    out: str | Path,
    overrides: Sequence[str] = (),
    *,
    resume: bool = False,
    command: str = "",
    log: Callable[[str], None] = print,
) -> Path:
    """Train a judge and return the adapter's folder, ``out/adapter``.

    Arguments as ``rewards.model.model_training.train`` takes them.

    Raises:
        DataFileError, UsageError: where the preset is wrong, or ``out`` holds another run.
    """
    settings = read_preset(JudgePreset, preset, PRESETS / "judge", overrides)
    folder, rubric, seed = RunFolder(Path(out)), Rubric.from_toml(), settings.seed
    checkpoint = folder.claim({"method": "judge", **settings.model_dump(mode="json")}, resume)
    adapter = TrainedAdapter(settings, "CAUSAL_LM")
    form = JudgeForm(adapter.chat, rubric)
    rng = np.random.default_rng((seed, Stream.JUDGE_LABEL))
    ranked = list(rankings(settings.situations, DRAWS, seed + 1, without=WITHOUT))
    ranked = [ranked[i] for i in rng.permutation(len(ranked))]
    cut = max(1, round(settings.valid * len(ranked)))
    valid = labelled(ranked[:cut], form, rubric, rng, settings, validation=True)
    learn = labelled(ranked[cut:], form, rubric, rng, settings)
    held = held_out(settings.held_out, settings.test_seed, rubric)
    test = [judge_tree(views, form) for views in held.views]
    tokens = [sum(e.tree.size for e in part) for part in (learn, valid, test)]
    log(f"judge: {len(learn)}/{len(valid)}/{len(test)} situations to train/choose/test, {tokens} tokens")
    odds = added_odds(ranked[cut:], learn, rubric, rng)
    objective = LetterChoice(adapter.model.get_output_embeddings(), form, [torch.from_numpy(o) for o in odds])
    trainer = Trainer(adapter, objective, learn, valid, settings, folder, checkpoint, log)
    report: dict[str, Any] = {"without_adapter": {}}
    if not settings.start:
        told = told_by(trainer.predict(test[:_FEW]), form)
        report["without_adapter"]["same_form"] = agreement(told, held, rubric)
    state = trainer.run(lambda states: fit_letters(trainer, states))
    report |= {"train_situations": len(learn), "steps": trainer.steps, "best_step": state.best_step}
    report |= agreement(told_by(trainer.predict(test), form), held, rubric)
    if settings.asked:
        report["without_adapter"]["asked"] = ask_base(settings.base, held, settings.asked, rubric)
    report["injection"] = injection_shift(
        lambda parts: told_by(trainer.predict([judge_tree(views, form) for views in parts]), form), held, rubric
    )
    made = folder.path / "adapter"
    write_adapter(adapter, made, "judge", _USE, settings, command, report)
    write_form(made, rubric)
    kappas = ", ".join(f"{name} {d['kappa']:.3f}" for name, d in report["dimensions"].items())
    log(f"held-out kappa: {kappas}; readable {report['readable_answers']:.4f}; written to {made}")
    return made


def fit_letters(trainer: Trainer, states: TrunkStates) -> None:
    """Set the vocabulary's adapter so that its letters are the best linear readers of the base's own hidden states.

    Training then begins with a judge that works, if badly, and its gradients are about replies. Begun with letters
    that mean nothing, it spends its time on making them likely (Kumar et al. 2022 on probing before tuning).
    """
    adapter, form = trainer.adapter, JudgeForm(trainer.adapter.chat, Rubric.from_toml())
    slots = len(form.counts)
    hidden = trainer.hidden(trainer.train, states).reshape(-1, slots, adapter.width)
    labels = torch.from_numpy(np.concatenate([e.target for e in trainer.train]))
    vocabulary: torch.Tensor = adapter.model.get_output_embeddings().weight.detach().float()
    rows = []
    for k in range(slots):
        z = hidden[:, k]
        others = torch.logsumexp(z[:64] @ vocabulary.T, dim=1).mean()
        rows.append(linear_readers(z, labels[:, k], form.counts[k], level=float(others) + LEAD))
    adapter.set_vocabulary(form.letters, torch.cat(rows))
