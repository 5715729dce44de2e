"""What lies beside an adapter: figures as JSON, and a model card that shows them. Knows no model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rewards.training.measures import flat


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write data as readable JSON."""
    path.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def model_card(kind: str, base: str, use: str, report: Mapping[str, Any]) -> str:
    """Return a model card: what the adapter is, how it is loaded, what it was trained on, every figure."""
    rows = "\n".join(f"| {name} | {_shown(value)} |" for name, value in flat(report))
    return f"""---
base_model: {base}
library_name: peft
license: apache-2.0
---
# LoRA {kind} for hotel-rate negotiation

A LoRA adapter on `{base}` (SmolLM2-135M-Instruct where that is `smollm2`). {use}

Its data are generated and its annotators simulated, with documented values, blind spots and error rates; no person
wrote or labelled anything. It knows this project's game and no other, and is no judge of real negotiations.
What it reads behind a reply holds notes that code has made of it (`rewards/notes.py`): whether a reason is new, a bid
above the offer, a figure nobody's. So part of what the figures show is the notes' merit, not the model's.
Settings are in `preset.json`. Figures on held-out data, whose scenarios, personas, phrases and damage were never
trained on:

| figure | value |
| --- | --- |
{rows}
"""


def _shown(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
