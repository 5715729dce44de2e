"""Which runs a comparison has, and with which settings; one object says it all."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from benchmarks.studies.methods.runs import (
    BASE,
    FROM_START,
    METHODS,
    ON_POLICY,
    REPO,
    SFT,
    SKIPPED,
    TRAINED,
    Run,
    Variant,
    ablations,
    outcome,
)
from benchmarks.studies.methods.work import Evaluation
from negotiation_env.errors import UsageError, did_you_mean
from negotiation_env.training.presets import read_preset
from policies.adapters import start_folder
from policies.training.settings import PRESETS, DpoPreset, OnPolicyPreset, PolicyPreset, SftPreset

_TYPES: Final[dict[str, type[PolicyPreset]]] = {
    "sft": SftPreset, "dpo": DpoPreset, **dict.fromkeys(ON_POLICY, OnPolicyPreset),
}  # fmt: skip
START_SEED: Final = 0
"""The SFT run that every other method starts from, so that the method alone differs."""


@dataclass(frozen=True, slots=True)
class Experiment:
    """One comparison.

    Attributes:
        out: folder of everything.
        scale: name of the presets.
        seeds: training runs of each method, at least 1; they are numbered from 0.
        ablated: compare REPO with its ablations instead of the methods with each other.
        init: adapter to start from (a folder, or the name of a shipped one) in place of SFT's run 0; "" trains that.
        overrides: "METHOD.key=value" settings in place of the presets'.
        dialogues: held-out dialogues that each policy is measured on, at least 2.
        trials: how often each bad case and each online scenario is played, at least 1.
        only: names of the methods or ablations to train now, besides the start; () for all. Whatever lies in the
            folder is compared.
    """

    out: Path
    scale: str = "tiny"
    seeds: int = 5
    ablated: bool = False
    init: str = ""
    overrides: tuple[str, ...] = ()
    dialogues: int = 200
    trials: int = 1
    only: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check the numbers, the overrides, and the presets."""
        if self.seeds < 1 or self.dialogues < 2 or self.trials < 1:
            raise UsageError(
                f"expected seeds >= 1, dialogues >= 2 and trials >= 1, got {self.seeds}, {self.dialogues} and "
                f"{self.trials}"
            )
        for override in self.overrides:
            method, dot, rest = override.partition(".")
            if not dot or "=" not in rest or method not in TRAINED:
                raise UsageError(f"--set: expected METHOD.key=value, got {override!r}.{did_you_mean(method, TRAINED)}")
        names = [variant.name for variant in self.variants()]
        for name in self.only:
            if name not in names:
                raise UsageError(f"--only: expected methods or ablations, got {name!r}.{did_you_mean(name, names)}")
        tables = [self.preset(variant) for variant in (SFT, *FROM_START)]
        if len({table["base"] for table in tables}) > 1:
            raise UsageError(f"base: expected one base for all methods, got {sorted({t['base'] for t in tables})}")
        most = max(table["held_out"] for table in tables if "max_turns" in table)
        if most > SKIPPED:
            raise UsageError(f"held_out: expected at most {SKIPPED} dialogues to choose checkpoints on, got {most}")

    def settings_of(self, variant: Variant) -> tuple[str, ...]:
        """Return a variant's settings in place of its preset's, as ``negotiate train --set`` takes them."""
        prefix = f"{variant.method}."
        return (*(o.removeprefix(prefix) for o in self.overrides if o.startswith(prefix)), *variant.overrides)

    def preset(self, variant: Variant, seed: int = 0) -> dict[str, Any]:
        """Return a variant's preset, overrides included."""
        return dict(_preset(variant.method, self.scale, (*self.settings_of(variant), f"seed={seed}")))

    def ablations(self) -> tuple[Variant, ...]:
        """Return REPO's ablations at this scale."""
        ppo = next(variant for variant in FROM_START if variant.name == "ppo")
        return ablations(self.preset(REPO)["reward"], self.preset(ppo)["kl_weight"])

    def variants(self) -> tuple[Variant, ...]:
        """Return all that can lie in the folder: the methods, then the ablations."""
        return (*METHODS, *self.ablations())

    @property
    def evaluation(self) -> Evaluation:
        """How every policy is measured."""
        repo = self.preset(REPO)
        return Evaluation(self.dialogues, self.trials, repo["max_turns"], repo["torch_threads"])

    def run(self, variant: Variant, seed: int) -> Run:
        """Return one run."""
        folder = self.out / variant.name / f"seed-{seed}"
        if variant == BASE:
            return Run(variant, 0, folder, self.scale, {"base": self.preset(SFT)["base"]})
        given = _folder(self.init) if self.init and (variant, seed) == (SFT, START_SEED) else None
        start = self.start() if variant.method != "sft" else None
        return Run(
            variant, seed, folder, self.scale, self.preset(variant, seed), self.settings_of(variant), start, given
        )

    def start(self) -> Path:
        """Return the adapter that all methods but SFT start from; it may not be trained yet."""
        first = self.run(SFT, START_SEED)
        found = outcome(first)
        return first.training if found is None or found.adapter is None else found.adapter

    def first_runs(self) -> list[Run]:
        """Return the runs that need no start, the start's own first."""
        start = self.run(SFT, START_SEED)
        if self.ablated:
            return [start]
        others = [self.run(BASE, 0), *(self.run(SFT, seed) for seed in range(1, self.seeds))]
        return [start, *filter(self._is_wanted, others)]

    def later_runs(self) -> list[Run]:
        """Return the runs that begin at the start, seed by seed."""
        chosen = (REPO, *self.ablations()) if self.ablated else FROM_START
        return [*filter(self._is_wanted, (self.run(variant, seed) for seed in range(self.seeds) for variant in chosen))]

    def _is_wanted(self, run: Run) -> bool:
        return not self.only or run.variant.name in self.only

    def found_runs(self) -> list[Run]:
        """Return every run that has a folder, by variant and seed, of this command or an earlier one."""
        runs = []
        for variant in self.variants():
            folders = (self.out / variant.name).glob("seed-*")
            seeds = sorted(int(end) for folder in folders if (end := folder.name.removeprefix("seed-")).isdecimal())
            runs += [self.run(variant, seed) for seed in seeds]
        return runs


@cache
def _preset(method: str, scale: str, overrides: tuple[str, ...]) -> dict[str, Any]:
    """Read a preset once: a comparison of hours keeps the settings that it began with."""
    return read_preset(_TYPES[method], scale, PRESETS / method, overrides).model_dump(mode="json")


@cache
def _folder(name: str) -> Path:
    return start_folder(name)
