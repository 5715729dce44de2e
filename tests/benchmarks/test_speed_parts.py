"""A step's parts are functions that there are, and together they are timed; voiced dialogues have their bare engine."""

from __future__ import annotations

import gymnasium as gym
import pytest

import negotiation_env  # noqa: F401 - registers the environments
from benchmarks.studies.speed import PARTS, parts_of, voiced_speed


def test_every_part_is_a_function_that_is_called() -> None:
    def play() -> int:
        vector = gym.make_vec("HotelNegotiation-v0", num_envs=4, vectorization_mode="vector_entry_point")
        vector.reset(seed=0)
        for _ in range(6):
            vector.step(["Hello, partners gain more exposure; could you do a better rate?"] * 4)
        return 24

    spent = parts_of(play)
    assert [part for part, _ in PARTS] == list(spent)[: len(PARTS)]
    assert all(spent[part] > 0.0 for part, _ in PARTS), spent


def test_the_bare_engine_makes_the_replies_that_the_dialogues_asked_for() -> None:
    pytest.importorskip("torch")
    found = voiced_speed(2, "tiny", turns=1)
    assert 1 <= found.answers <= 2
    assert found.answers <= found.asked <= 3 * found.answers
    assert found.tokens[0] == found.tokens[1] > 0
    assert found.ratio > 0.0
