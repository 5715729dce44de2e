"""The model card of a trained adapter: what it is, how it was made, and its figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from negotiation_env.training.run_folder import write_text
from policies.training.settings import AdapterPreset

_TITLES = {
    "sft": "supervised fine-tuning on demonstrations",
    "dpo": "direct preference optimisation",
    "ppo": "PPO with a reward model",
    "grpo": "GRPO with a reward model",
    "repo": "REPO: reward-enhanced policy optimisation",
}


@dataclass(frozen=True, slots=True)
class Card:
    """What a card tells.

    Attributes:
        method: "sft", "dpo", ...
        settings: the preset, overrides included.
        command: what the user typed.
        data_sha256: of the data file, or "" where there is none.
        data_lines: lines of the data file.
        figures: name to value, as measured in this run.
        versions: commit, machine, packages.
    """

    method: str
    settings: AdapterPreset
    command: str
    data_sha256: str
    data_lines: int
    figures: Mapping[str, Any]
    versions: Mapping[str, str]


def card_text(card: Card) -> str:
    """Return the card as Markdown with the metadata block that model hubs read."""
    base, method = card.settings.base, card.method
    lines = [
        "---",
        "library_name: peft",
        f"base_model: {base}",
        "license: apache-2.0",
        f"tags: [lora, negotiation, {method}]",
        "---",
        "",
        f"# {method.upper()} adapter on `{base}`",
        "",
        f"A LoRA adapter of a hotel-rate negotiation agent, made by {_TITLES.get(method, method)}. It writes the next "
        "message of a travel platform's agent; the prompt is that of `negotiation_env.play.prompts`.",
        "",
        "Data are synthetic: dialogues, hotels and managers are simulated, and so are the annotators of preferences. "
        "No person wrote or compared a reply. Not for use with real hotels.",
        "",
        "## Use",
        "",
        f"`negotiate bench --policy {method}:FOLDER --out DIR`, or in Python "
        f'`load_engine("hf:FOLDER")`. With plain PEFT: `PeftModel.from_pretrained(base, "FOLDER")`'
        + (
            f", the base's folder being `negotiation_env.engines.specs.base_path({base!r})`."
            if base in ("tiny", "smollm2")
            else "."
        ),
        "",
        "## Made by",
        "",
        f"    {card.command or 'a call from Python'}",
        "",
    ]
    if card.data_sha256:
        lines += [f"Data: {card.data_lines} lines, SHA-256 `{card.data_sha256}`.", ""]
    lines += ["| setting | value |", "|---|---|"]
    lines += [f"| {name} | {_cell(value)} |" for name, value in card.settings.model_dump().items()]
    lines += ["", "## Figures of this run", "", "| figure | value |", "|---|---|"]
    lines += [f"| {name} | {_cell(value)} |" for name, value in card.figures.items()]
    lines += ["", "## Versions", "", "| what | version |", "|---|---|"]
    lines += [f"| {name} | {_cell(value)} |" for name, value in card.versions.items()]
    return "\n".join(lines) + "\n"


def _cell(value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, tuple | list) else str(value)
    return text.replace("|", "\\|")


def write_card(path: Path, card: Card) -> None:
    """Write the card."""
    write_text(path, card_text(card))
