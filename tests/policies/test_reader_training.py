"""Training the encoder reader at tiny scale: it runs, goes on where it was cut off, and what it writes can read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from negotiation_env.errors import UsageError
from negotiation_env.language.encoder_build import SETTINGS, WEIGHTS, missing
from negotiation_env.language.encoder_reader import load_encoder
from negotiation_env.language.reading import Reader
from simulators.people.written_dialogues import written_dialogues
from simulators.people.written_messages import written_messages

reader = pytest.importorskip("policies.training.reader")
pytestmark = pytest.mark.skipif(
    missing() is not None and "weights" not in (missing() or ""), reason="the encoder's packages are not installed"
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("reader")
    reader.train(reader.read_settings("tiny"), out)
    return out


def test_a_run_that_was_cut_off_goes_on_as_if_it_were_not(trained: Path, tmp_path: Path) -> None:
    def stop(done: int, steps: int, loss: float) -> None:
        if done > steps // 2:
            raise KeyboardInterrupt

    settings = reader.read_settings("tiny")
    with pytest.raises(KeyboardInterrupt):
        reader.train(settings, tmp_path, on_step=stop)
    with pytest.raises(UsageError, match="--resume"):
        reader.train(settings, tmp_path)
    reader.train(settings, tmp_path, resume=True)
    once, twice = load_file(trained / WEIGHTS), load_file(tmp_path / WEIGHTS)
    assert once.keys() == twice.keys()
    assert all(np.array_equal(once[name], twice[name]) for name in once)


def test_the_trained_reader_reads(trained: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NEGOTIATION_ENV_CACHE", str(tmp_path))
    assert (trained / SETTINGS).is_file()
    made = load_encoder(str(trained))
    assert isinstance(made, Reader)
    messages = list(written_messages(written_dialogues("train")[0]))[:12]
    texts, contexts = [m.text for m in messages], [m.context for m in messages]
    together = made.read(texts, contexts)
    alone = [made.read([text], [context])[0] for text, context in zip(texts, contexts, strict=True)]
    assert [r.acts for r in together] == [r.acts for r in alone]
    assert {r.reader for r in together} == {"encoder"}


def test_a_folder_without_a_reader_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="it lacks its weights"):
        load_encoder(str(tmp_path))
