"""Trains the word model of forbidden promises: ``negotiate train promise-words``.

Logistic regression with an L2 penalty on the training authors' messages, the drills and worded acts, which promise
nothing forbidden; the weights that matter least are dropped. The threshold is the one that one in a hundred of the
validation authors' harmless messages passes.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from negotiation_env.files import read_lines, write_json
from negotiation_env.game import world
from negotiation_env.language.word_model import grams, tokens_of
from negotiation_env.language.wording import agent_phrase_book
from policies.training.word_models import features, logistic
from simulators.people.reading_labels import DRILLS, ReadingDrill
from simulators.people.written_dialogues import written_dialogues
from simulators.people.written_messages import written_messages

KEPT: Final = 8000
"""Weights that are shipped, the largest."""
RAREST: Final = 2
"""Messages in which a word or pair must occur."""
WORDED: Final = 10
"""How often each phrase of the book stands in the data: it is read most."""
ACCUSED: Final = 0.01
"""Share of harmless messages that may sound forbidden."""


def train(out: Path) -> float:
    """Write the model to a file and return the share of the validation authors' forbidden promises that it hears."""
    data = [*_written("train"), *_drilled(), *_worded()]
    counts = Counter(gram for text, _ in data for gram in grams(tokens_of(text)))
    names = sorted(gram for gram, count in counts.items() if count >= RAREST)
    weights, bias = logistic(features([text for text, _ in data], names), np.array([y for _, y in data], float))
    least = np.sort(np.abs(weights))[-KEPT] if len(weights) > KEPT else 0.0
    weights[np.abs(weights) < least] = 0.0
    held = list(_written("validation"))
    scores = features([text for text, _ in held], names) @ weights + bias
    labels = np.array([y for _, y in held], bool)
    threshold = float(np.quantile(scores[~labels], 1.0 - ACCUSED))
    kept = {name: round(float(w), 4) for name, w in zip(names, weights, strict=True) if w}
    write_json(out, {"bias": round(bias, 4), "threshold": round(threshold, 4), "weights": kept})
    return float((scores[labels] >= threshold).mean())


def _written(split: str) -> Iterator[tuple[str, bool]]:
    for dialogue in written_dialogues(split):
        for message in written_messages(dialogue):
            if message.side == "agent":
                yield message.text, "overpromise" in message.flaws


def _drilled() -> Iterator[tuple[str, bool]]:
    for path in sorted(DRILLS.glob("*.jsonl")):
        for drill in read_lines(path, ReadingDrill):
            if drill.who == "agent":
                yield drill.text, any(_is_forbidden(act) for act in drill.acts)


def _worded() -> Iterator[tuple[str, bool]]:
    """Yield what the phrase book says beside promises that are forbidden, for several rooms and figures."""
    rng = random.Random(0)
    for key, phrases in agent_phrase_book().phrases.items():
        for phrase in phrases.all if key != "promise.other" else ():
            for promise in world.PROMISES.values() if key == "promise" else ("",) * WORDED:
                said = {"promise": promise, "room": rng.choice(world.ROOM_TYPES), "city": rng.choice(world.CITIES)}
                price = rng.choice(("400 yuan", "RMB 400", "¥400", "CNY 400", "a selling price of 400 yuan", "400 net"))
                for text in (phrase.short, phrase.long):
                    yield _FIELD.sub(partial(_filled, said, price), text), False


def _filled(said: dict[str, str], price: str, field: re.Match[str]) -> str:
    return said.get(field[1], price)


_FIELD: Final = re.compile(r"%\((\w+)\)s")


def _is_forbidden(act: str) -> bool:
    kind, _, topic = act.partition(":")
    return kind == "overpromise" or (kind == "promise" and topic not in world.PROMISES)


__all__ = ["train"]
