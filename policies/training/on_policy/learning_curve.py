"""The picture of a run: rewards by source, divergence, entropy, length, success, persuasion over replies sampled.

Draws what ``metrics.jsonl`` holds; measures nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

PICTURE = "learning_curve.png"
_PANELS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    ("R_total per reply", (("total", "training"), ("held_out/total", "held out"))),
    ("R_model per reply", (("model", "training"), ("held_out/model", "held out"))),
    ("E_judge and E_func, points", (("held_out/judge", "judge"), ("held_out/rules", "rules"))),
    ("KL to the start, nats per token", (("held_out/kl_to_start", "held out"),)),
    ("entropy, nats per token", (("entropy", "training"), ("held_out/entropy", "held out"))),
    ("tokens per reply", (("reply_tokens", "training"), ("held_out/reply_tokens", "held out"))),
    ("success per ticket", (("success", "training"), ("held_out/success", "held out"))),
    ("persuasion score", (("held_out/persuasion", "held out"),)),
)


def draw(rows: Sequence[Mapping[str, Any]], title: str, folder: Path) -> Path:
    """Write the picture of metrics' rows (each with ``replies``) into a folder and return its path."""
    figure = Figure(figsize=(16, 7))
    # Fixed margins: laying the panels out by their contents takes longer than drawing them.
    figure.subplots_adjust(left=0.04, right=0.99, bottom=0.07, top=0.9, wspace=0.2, hspace=0.3)
    figure.suptitle(title)
    for axes, (name, lines) in zip(figure.subplots(2, 4).flat, _PANELS, strict=True):
        for key, label in lines:
            points = [(row["replies"], row[key]) for row in rows if row.get(key) is not None]
            if points:
                axes.plot(*zip(*points, strict=True), label=label, marker="o" if "/" in key else None, markersize=3)
        axes.set_title(name, fontsize=10)
        axes.set_xlabel("replies sampled", fontsize=8)
        axes.grid(alpha=0.3)
        if axes.lines:
            axes.legend(fontsize=8)
    FigureCanvasAgg(figure).print_png(folder / PICTURE)  # type: ignore[no-untyped-call]
    return folder / PICTURE
