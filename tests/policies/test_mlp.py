import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from negotiation_env.errors import DataFileError
from policies.sb3 import ARCHITECTURE, WEIGHTS, MultiDiscreteMlp, load_mlp


def network(greedy: bool = True) -> MultiDiscreteMlp:
    generator = np.random.default_rng(5)
    shapes = ((8, 6), (8, 8), (7, 8))
    layers = tuple(
        (
            generator.normal(size=shape).astype(np.float32).astype(float),
            generator.normal(size=shape[0]).astype(np.float32).astype(float),
        )
        for shape in shapes
    )
    return MultiDiscreteMlp(layers, (4, 3), greedy, {"seed": 5})


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = network()
    written.save(tmp_path)
    read = load_mlp(tmp_path)
    seen = np.linspace(-1.0, 1.0, 6)
    np.testing.assert_array_equal(read.logits(seen), written.logits(seen))
    assert (read.action_sizes, read.greedy, read.provenance) == ((4, 3), True, {"seed": 5})
    assert read.observation_size == 6


def test_greedy_takes_the_likeliest_choice_of_each_part() -> None:
    seen = np.linspace(-1.0, 1.0, 6)
    logits = network().logits(seen)
    assert network().act(seen, seed=0) == (int(np.argmax(logits[:4])), int(np.argmax(logits[4:])))


def test_drawn_actions_follow_the_probabilities_and_depend_on_the_seed_alone() -> None:
    seen = np.zeros(6)
    agent = network(greedy=False)
    part = agent.logits(seen)[:4]
    expected = np.exp(part - part.max()) / np.exp(part - part.max()).sum()
    drawn = [agent.act(seen, seed)[0] for seed in range(4000)]
    np.testing.assert_allclose(np.bincount(drawn, minlength=4) / 4000, expected, atol=0.03)
    assert agent.act(seen, 17) == agent.act(seen, 17)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("format", 2),
        ("activation", "gelu"),
        ("layers", [[8, 6], [8, 8], [7, 9]]),
        ("action_sizes", [4, 4]),
        ("layers", 3),
    ],
)
def test_a_wrong_architecture_is_an_error(tmp_path: Path, field: str, value: object) -> None:
    network().save(tmp_path)
    path = tmp_path / ARCHITECTURE
    path.write_text(json.dumps({**json.loads(path.read_text()), field: value}))
    with pytest.raises(DataFileError, match="expected"):
        load_mlp(tmp_path)


def test_damaged_weights_are_found_before_they_are_used(tmp_path: Path) -> None:
    network().save(tmp_path)
    damaged = bytearray((tmp_path / WEIGHTS).read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (tmp_path / WEIGHTS).write_bytes(damaged)
    with pytest.raises(DataFileError, match="checksum"):
        load_mlp(tmp_path)


def test_pickled_arrays_are_refused(tmp_path: Path) -> None:
    network().save(tmp_path)
    np.savez(tmp_path / WEIGHTS, weight_0=np.array([{}], dtype=object))
    path = tmp_path / ARCHITECTURE
    digest = hashlib.sha256((tmp_path / WEIGHTS).read_bytes()).hexdigest()
    path.write_text(json.dumps({**json.loads(path.read_text()), "sha256": digest}))
    with pytest.raises(DataFileError, match="arrays"):
        load_mlp(tmp_path)


@pytest.mark.parametrize("missing", [WEIGHTS, ARCHITECTURE])
def test_a_missing_file_is_named(tmp_path: Path, missing: str) -> None:
    network().save(tmp_path)
    (tmp_path / missing).unlink()
    with pytest.raises(DataFileError, match=missing):
        load_mlp(tmp_path)
