"""The word model of forbidden promises: what is shipped is what training gives, and short messages tell nothing."""

from __future__ import annotations

import json
from pathlib import Path

from negotiation_env.language.promises import FEWEST, PATH, sounds_forbidden
from negotiation_env.language.word_model import grams, tokens_of
from policies.training.reader_promises import train


def test_training_gives_the_shipped_model(tmp_path: Path) -> None:
    out = tmp_path / "words.json"
    heard = train(out)
    assert heard > 0.4  # of two authors it was not trained on, while one in a hundred harmless messages passes
    made, shipped = (json.loads(path.read_text(encoding="utf-8")) for path in (out, PATH))
    assert abs(made["threshold"] - shipped["threshold"]) < 0.05
    assert len(made["weights"].keys() & shipped["weights"].keys()) > 0.98 * len(shipped["weights"])


def test_words_and_pairs_with_figures_as_one() -> None:
    assert grams(tokens_of("Pay 1,200 now")) == {"pay", "#", "now", "pay #", "# now"}


def test_short_messages_tell_too_little() -> None:
    assert not sounds_forbidden("guarantee " * (FEWEST - 1))
    assert sounds_forbidden(
        "We'll pay you for every empty room, in advance, and I'll have that review deleted tonight."
    )
    assert not sounds_forbidden("Would 345 for the suite suit you, five nights from the fifteenth of March?")
