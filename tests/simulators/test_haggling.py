"""Pairs about an answer to a figure."""

from __future__ import annotations

import re

import pytest

from simulators.people.haggling import haggling_pairs
from simulators.people.training_files import TEST, TRAIN

_FIGURE = re.compile(r"\d[\d,]*\d")


def figures(text: str) -> set[str]:
    return {found.replace(",", "") for found in _FIGURE.findall(text)}


def test_behind_a_yes_the_better_reply_takes_what_was_given() -> None:
    behind = haggling_pairs("train", 60)[::2]
    named = moved = 0
    for pair in behind:
        ours = set().union(*(figures(m["content"]) for m in pair.prompt if m["role"] == "assistant"))
        given = figures(pair.chosen) & ours
        named += bool(given)
        moved += bool(given) and not given <= figures(pair.rejected)
    assert named > 0.8 * len(behind), "the others take a price below the agent's own"
    assert moved > 0.5 * len(behind), "the others ask for the same again"


def test_they_are_of_their_own_source_and_split() -> None:
    for split, part in (("train", TRAIN), ("validation", TEST)):
        pairs = haggling_pairs(split, 6)
        assert {(pair.source, pair.split) for pair in pairs} == {("haggling", part)}
        assert all(pair.chosen and pair.rejected and pair.chosen != pair.rejected for pair in pairs)
    assert not {p.scenario for p in haggling_pairs("train", 30)} & {p.scenario for p in haggling_pairs("test", 30)}


@pytest.mark.parametrize("count", [0, 1, 7])
def test_as_many_as_asked_for_and_the_same_again(count: int) -> None:
    assert len(haggling_pairs("train", count)) == count
    assert haggling_pairs("train", count, seed=3) == haggling_pairs("train", count, seed=3)
