"""Trains what the hotel manager hears in words beyond their acts: ``negotiate train content-words``.

Three linear models over words and pairs, on the training authors' messages: what speaks to each concern (agents' that
are annotated with it, managers' that show it), what a good reply sounds like beside bland and empty ones, and what
offends. Grades and flaws are the AI authors' own; a message's date, figure and promise flaws are left out, since words
do not show them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from scipy.stats import mannwhitneyu

from negotiation_env.files import read_lines, write_json
from policies.training.word_models import features, kept, logistic, names_of, softmax
from simulators.people.reading_labels import DRILLS, ReadingDrill
from simulators.people.written_dialogues import written_dialogues

RAREST: Final = 4
"""Messages in which a word or pair must occur."""
WEIGHTS_A_CONCERN: Final = 350
TONE_WEIGHTS: Final = 5000
OFFENCE_WEIGHTS: Final = 2500
"""Weights that are shipped of each model, the largest."""
OFFENDING: Final = frozenset({"rude", "pressure"})
EMPTY: Final = frozenset(
    (
        "flattery", "ignores-feeling", "ignores-question", "empty-phrases", "keyword-soup", "over-long",
        "private-data", "off-topic", "out-of-role",
    )
)  # fmt: skip
KNOWN_FROM: Final = 2
"""Messages in which a word must occur to count as known."""


class _Message(NamedTuple):
    text: str
    concern: str
    """What it speaks to or shows, "" for none."""
    manner: str
    """ "good", "bland", "empty", "offending", "other" with another flaw, and "" where the hotel speaks."""


def train(out: Path) -> dict[str, float]:
    """Write the models to a file and return how well they rank the validation authors' messages (areas under ROC)."""
    data, held = [*_messages("train"), *_drilled()], list(_messages("validation"))
    names = names_of((m.text for m in data), RAREST)
    x, x_held = features([m.text for m in data], names), features([m.text for m in held], names)
    concerns, found = _concerns(x, data, names), {}
    agents = np.array([bool(m.manner) for m in held])
    places = list(concerns)
    own, other = [], []
    for name, model in zip(places, concerns.values(), strict=True):
        score = x_held @ np.array([model["weights"].get(n, 0.0) for n in names]) + model["bias"]
        hit = np.array([m.concern == name for m in held])
        own += list(score[hit & agents])
        other += list(score[~hit & agents])
    found["concerns"] = _area(np.array(own), np.array(other))
    models: dict[str, Any] = {"concerns": concerns}
    for name, good, bad, most in (
        ("sincere", {"good"}, {"bland", "empty", "offending"}, TONE_WEIGHTS),
        ("offends", {"offending"}, {"good", "bland", "empty", "other"}, OFFENCE_WEIGHTS),
    ):
        rows = [i for i, m in enumerate(data) if m.manner in good | bad]
        w, b = logistic(x[rows], np.array([data[i].manner in good for i in rows], float))
        models[name] = {"bias": round(b, 3), "weights": dict(kept(names, w, most))}
        score = x_held @ np.array([models[name]["weights"].get(n, 0.0) for n in names]) + b
        found[name] = _area(score[[m.manner in good for m in held]], score[[m.manner in bad for m in held]])
    models["known"] = " ".join(n for n in names_of((m.text for m in data), KNOWN_FROM) if " " not in n)
    write_json(out, models)
    return found


def _concerns(x: Any, data: list[_Message], names: list[str]) -> dict[str, dict[str, Any]]:
    """Return for each concern the model of its log-odds against no concern at all."""
    places = sorted({"", *(m.concern for m in data)})
    labels = np.array([places.index(m.concern) for m in data])
    w, b = softmax(x, labels, len(places), heavier=2.0)
    return {
        name: {
            "bias": round(float(b[k] - b[0]), 3),
            "weights": dict(kept(names, w[:, k] - w[:, 0], WEIGHTS_A_CONCERN)),
        }
        for k, name in enumerate(places)
        if name
    }


def _messages(split: str) -> Iterator[_Message]:
    for dialogue in written_dialogues(split):
        yield _Message(dialogue.manager.concern_text, dialogue.manager.concern, "")
        for turn in dialogue.turns:
            said = [(turn.agent, turn.agent_acts, turn.quality, turn.flaws)]
            said += [(a.text, a.acts, a.quality, a.flaws) for a in turn.alternatives]
            for text, acts, quality, flaws in said:
                yield _Message(text, _about(acts, "address:"), _manner(quality, flaws))
            shown = _about(turn.manager_acts, "concern:")
            if shown and turn.manager:
                yield _Message(turn.manager, shown, "")


def _drilled() -> Iterator[_Message]:
    """Yield what the drills say of comfort and of offence; what else is said in them tells nothing of manner."""
    for path in sorted(DRILLS.glob("*.jsonl")):
        for drill in read_lines(path, ReadingDrill):
            if drill.who == "agent":
                offends = any(act.partition(":")[0] in ("insult", "pressure") for act in drill.acts)
                yield _Message(drill.text, "", "offending" if offends else "other")


def _about(acts: Any, head: str) -> str:
    return next((act.removeprefix(head) for act in acts if act.startswith(head)), "")


def _manner(quality: int, flaws: Any) -> str:
    if quality >= 4:
        return "good"
    if quality == 3:
        return "bland"
    if not OFFENDING.isdisjoint(flaws):
        return "offending"
    return "other" if EMPTY.isdisjoint(flaws) else "empty"


def _area(hits: Any, rest: Any) -> float:
    """Return the share of pairs in which a hit scores above a message of the rest; a tie counts half."""
    return float(mannwhitneyu(hits, rest).statistic) / (len(hits) * len(rest))


__all__ = ["train"]
