"""The parts by which a step's time is told are functions that there are, and together they are timed."""

from __future__ import annotations

import gymnasium as gym

import negotiation_env  # noqa: F401 - registers the environments
from benchmarks.studies.speed import PARTS, parts_of


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
